import type { Dialer } from '../../agent/index.js';
import type { ProxyFaults } from '../../lib/proxy/faulty-proxy.js';

/** How the agents of a fleet reach servers, and what can be done to their connections. Agents are numbers from 1. */
export interface FleetNetwork {
  dialerOf(agent: number): Dialer;
  /** Ends all connections of an agent as a failing network does. */
  reset(agent: number): void;
  /** Has the agent read nothing, while the system goes on to acknowledge what comes; false: it reads again. */
  hold(agent: number, isHeld: boolean): void;
  /** Has the agent read so many bytes a second; undefined: as many as come. */
  slow(agent: number, bytesPerSecond: number | undefined): void;
  /** What is between the agents and the servers; undefined: nothing is. */
  readonly proxies: ProxyControl | undefined;
  close(): Promise<void>;
}

/** Proxies, one for each server, by its address. */
export interface ProxyControl {
  /** Those that agents have dialled. */
  readonly servers: readonly string[];
  /** What holds from now on for connections to each server, also to those that no agent has dialled yet. */
  setFaults(faultsOf: (server: string) => ProxyFaults): void;
  /** Resets all connections to a server; undefined: to all servers. */
  cut(server: string | undefined): void;
}
