import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../clock.js';
import { outliveAccept } from '../listen.js';
import { FaultyPipe } from './faulty-pipe.js';

/** What a proxy does to the bytes of all connections. */
export interface ProxyFaults {
  /** What comes from now on arrives so many milliseconds later. @default 0 */
  readonly delayMs?: number;
  /** In each direction so many bytes arrive in a second, in ten pieces. From 1. @default any number */
  readonly bytesPerSecond?: number;
  /** A connection is reset once so many bytes have gone through it, both directions together. @default never */
  readonly cutAfterBytes?: number;
  /**
   * Nothing arrives in these directions, and the connection stays open: what a cable looks like that is out, or a machine
   * without power. When it is over, what has come meanwhile arrives, as over TCP. @default 'none'
   */
  readonly silent?: 'none' | 'toServer' | 'toAgent' | 'both';
  /** New connections are reset at once. @default false */
  readonly isRefusing?: boolean;
}

/** Where a proxy sends connections, and its clock. */
export interface FaultyProxyOptions {
  /** The port behind it. */
  readonly target: number;
  /** The address behind it. @default '127.0.0.1' */
  readonly targetAddress?: string;
  /** Where it listens. @default '127.0.0.1' */
  readonly address?: string;
  /** The port on which it listens. @default one that is free */
  readonly port?: number;
  /** The server sees each connection come from where it comes from, in place of the proxy. Loopback alone allows that. @default false */
  readonly keepsAddresses?: boolean;
  /** For `delayMs` and `bytesPerSecond`. @default systemClock */
  readonly clock?: Clock;
}

const LOOPBACK = '127.0.0.1';

/** One connection through the proxy. */
interface Pair {
  readonly ends: readonly [Socket, Socket];
  readonly pipes: readonly FaultyPipe[];
}

/**
 * A TCP proxy between an agent and a server, which does to connections what networks do.
 * @example
 * const proxy = await FaultyProxy.open({ target: 8250 });
 * // … an agent that dials proxy.port
 * proxy.faults = { silent: 'toAgent' };
 * proxy.faults = {};
 * proxy.cut();
 * await proxy.close();
 */
export class FaultyProxy {
  readonly #clock: Clock;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #keepsAddresses: boolean;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #faults: ProxyFaults = {};
  #port = 0;

  private constructor(options: FaultyProxyOptions) {
    const { target, targetAddress = LOOPBACK, keepsAddresses = false, clock = systemClock } = options;
    this.#target = { host: targetAddress, port: target };
    this.#keepsAddresses = keepsAddresses;
    this.#clock = clock;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket));
    outliveAccept(this.#server);
  }

  /** Listens. @throws the system's error */
  static async open(options: FaultyProxyOptions): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(options);
    proxy.#server.listen(options.port ?? 0, options.address ?? LOOPBACK);
    await once(proxy.#server, 'listening');
    const at = proxy.#server.address();
    if (typeof at === 'object' && at !== null) proxy.#port = at.port;
    return proxy;
  }

  /** What holds from now on, also for connections that are open. @default {} */
  get faults(): ProxyFaults {
    return this.#faults;
  }

  set faults(faults: ProxyFaults) {
    this.#faults = faults;
    for (const { pipes } of this.#pairs) for (const pipe of pipes) pipe.pass();
  }

  /** Where it listens. */
  get port(): number {
    return this.#port;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#pairs.size;
  }

  /** Bytes that have come and wait for a fault to be over. Past 1 MiB in one direction of a connection no more are read. */
  get heldBytes(): number {
    return [...this.#pairs].reduce(
      (sum, { pipes }) => sum + pipes.reduce((bytes, pipe) => bytes + pipe.heldBytes, 0),
      0,
    );
  }

  /** Resets all connections, for both ends. What is held is lost. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Ends all connections in order, for both ends. What is held is lost. */
  end(): void {
    for (const { ends, pipes } of this.#pairs) {
      for (const pipe of pipes) pipe.stop();
      for (const end of ends) end.end();
    }
  }

  /** Takes no more connections, and resets those that are open. */
  async close(): Promise<void> {
    this.cut();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #accept(near: Socket): void {
    near.on('error', () => {});
    if (this.#faults.isRefusing === true) {
      near.resetAndDestroy();
      return;
    }
    const from = this.#keepsAddresses && near.remoteAddress !== undefined && { localAddress: near.remoteAddress };
    const far = connect({ ...this.#target, allowHalfOpen: true, noDelay: true, ...from });
    let passed = 0;
    const faultsOf = (direction: 'toServer' | 'toAgent') => () => {
      const { delayMs = 0, bytesPerSecond, cutAfterBytes = Number.POSITIVE_INFINITY, silent = 'none' } = this.#faults;
      const isSilent = silent === direction || silent === 'both';
      return { delayMs, bytesPerSecond, isSilent, bytesLeft: Math.max(0, cutAfterBytes - passed) };
    };
    const parts = {
      clock: this.#clock,
      onPassed: (bytes: number) => {
        passed += bytes;
      },
      onCut: () => this.#end(pair),
    };
    const pair: Pair = {
      ends: [near, far],
      pipes: [
        new FaultyPipe(near, far, { ...parts, faults: faultsOf('toServer') }),
        new FaultyPipe(far, near, { ...parts, faults: faultsOf('toAgent') }),
      ],
    };
    this.#pairs.add(pair);
    for (const end of pair.ends) {
      end.on('error', () => this.#end(pair));
      end.on('close', () => {
        if (pair.ends.every(({ destroyed }) => destroyed)) this.#pairs.delete(pair);
      });
    }
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    for (const pipe of pair.pipes) pipe.stop();
    for (const end of pair.ends) end.resetAndDestroy();
  }
}
