import type { Socket } from 'node:net';
import { openTcp } from '../../agent/dial/dialer.js';
import { SharedTcpTable } from '../../agent/dial/kernel-tcp.js';
import { type Dialer, type RemoteEnd, tcpDialer, type Wire, wireOver } from '../../agent/index.js';
import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import { FaultyProxy, type ProxyFaults } from '../../lib/proxy/faulty-proxy.js';
import { type AddressRange, addressOf } from '../load/numbering.js';
import type { FleetNetwork, ProxyControl } from './fleet-network.js';
import { HeldSocket } from './held-socket.js';

export interface TcpNetworkParts {
  readonly clock: Clock;
  readonly log: Log;
  /** From where each agent dials servers on loopback; undefined: from where all others do. */
  readonly addresses: AddressRange | undefined;
  /** Agents reach servers through proxies. */
  readonly hasProxies: boolean;
}

const LOOPBACK = /^127\./;

/** Agents on one machine, which shows those servers that are on the machine too each agent at an address of its own. */
export class TcpNetwork implements FleetNetwork {
  readonly #parts: TcpNetworkParts;
  /** All agents share the lookups of names. */
  readonly #names: Dialer;
  /** Open connections, by agent. Nearly always there is one. */
  readonly #sockets = new Map<number, Socket[]>();
  readonly #held = new Map<Socket, HeldSocket>();
  readonly #isHeld = new Set<number>();
  readonly #rates = new Map<number, number>();
  readonly #proxies: Proxies | undefined;
  readonly #table: SharedTcpTable;

  constructor(parts: TcpNetworkParts) {
    this.#parts = parts;
    this.#table = new SharedTcpTable(parts.clock);
    this.#names = tcpDialer({ clock: parts.clock, log: parts.log });
    this.#proxies = parts.hasProxies ? new Proxies(parts.clock) : undefined;
  }

  get proxies(): ProxyControl | undefined {
    return this.#proxies;
  }

  dialerOf(agent: number): Dialer {
    return new AgentDialer(this, agent);
  }

  addresses(host: string): Promise<readonly string[]> {
    return this.#names.addresses(host);
  }

  reset(agent: number): void {
    for (const socket of this.#sockets.get(agent) ?? []) {
      socket.resetAndDestroy();
      // Only what comes from the other end is an error by itself.
      socket.emit('error', Object.assign(new Error('reset by the fleet'), { code: 'ECONNRESET' }));
    }
  }

  hold(agent: number, isHeld: boolean): void {
    if (isHeld) this.#isHeld.add(agent);
    else this.#isHeld.delete(agent);
    this.#apply(agent);
  }

  slow(agent: number, bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === undefined) this.#rates.delete(agent);
    else this.#rates.set(agent, bytesPerSecond);
    this.#apply(agent);
  }

  async close(): Promise<void> {
    await this.#proxies?.close();
  }

  async connect(agent: number, server: RemoteEnd, signal: AbortSignal): Promise<Wire> {
    const { addresses } = this.#parts;
    const target = (await this.#proxies?.way(server)) ?? server;
    const from = addresses !== undefined && LOOPBACK.test(target.address) ? addressOf(addresses, agent) : undefined;
    const socket = await openTcp({ ...target, from }, signal);
    this.#add(agent, socket);
    const local = { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    const ends = { localAddress: local.address, localPort: local.port };
    const connection = { ...ends, remoteAddress: target.address, remotePort: target.port };
    const wire = wireOver(socket, { local, remote: server });
    // The table has a line for each connection of the machine: when a server is silent, every agent asks for it.
    return { ...wire, isUnacknowledged: () => this.#table.isUnacknowledged(connection) };
  }

  #add(agent: number, socket: Socket): void {
    const sockets = this.#sockets.get(agent) ?? [];
    this.#sockets.set(agent, sockets);
    sockets.push(socket);
    socket.once('close', () => {
      sockets.splice(sockets.indexOf(socket), 1);
      this.#held.delete(socket);
    });
    this.#apply(agent);
  }

  #apply(agent: number): void {
    const [isHeld, rate] = [this.#isHeld.has(agent), this.#rates.get(agent)];
    for (const socket of this.#sockets.get(agent) ?? []) {
      let held = this.#held.get(socket);
      if (held === undefined && !isHeld && rate === undefined) continue;
      held ??= new HeldSocket(socket, this.#parts.clock);
      if (held.set(isHeld, rate)) this.#held.delete(socket);
      else this.#held.set(socket, held);
    }
  }
}

class AgentDialer implements Dialer {
  readonly #network: TcpNetwork;
  readonly #agent: number;

  constructor(network: TcpNetwork, agent: number) {
    this.#network = network;
    this.#agent = agent;
  }

  addresses(host: string): Promise<readonly string[]> {
    return this.#network.addresses(host);
  }

  connect(address: string, port: number, signal: AbortSignal): Promise<Wire> {
    return this.#network.connect(this.#agent, { address, port }, signal);
  }
}

/** One for each server, on a free port of loopback, from the first dial on. */
class Proxies implements ProxyControl {
  readonly #clock: Clock;
  readonly #opening = new Map<string, Promise<FaultyProxy>>();
  readonly #open = new Map<string, FaultyProxy>();
  #faultsOf: (server: string) => ProxyFaults = () => ({});

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Where connections to a server go. */
  async way(server: RemoteEnd): Promise<RemoteEnd> {
    const { address } = server;
    const opening = this.#opening.get(address) ?? this.#openFor(server);
    this.#opening.set(address, opening);
    try {
      const proxy = await opening;
      if (!this.#open.has(address)) proxy.faults = this.#faultsOf(address);
      this.#open.set(address, proxy);
      return { address: '127.0.0.1', port: proxy.port };
    } catch (error) {
      // The next dial tries it again.
      this.#opening.delete(address);
      throw error;
    }
  }

  #openFor({ address, port }: RemoteEnd): Promise<FaultyProxy> {
    const keepsAddresses = LOOPBACK.test(address);
    return FaultyProxy.open({ target: port, targetAddress: address, keepsAddresses, clock: this.#clock });
  }

  get servers(): readonly string[] {
    return [...this.#open.keys()];
  }

  setFaults(faultsOf: (server: string) => ProxyFaults): void {
    this.#faultsOf = faultsOf;
    for (const [server, proxy] of this.#open) proxy.faults = faultsOf(server);
  }

  cut(server: string | undefined): void {
    for (const [address, proxy] of this.#open) if (server === undefined || server === address) proxy.cut();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(proxy => proxy.close()));
  }
}
