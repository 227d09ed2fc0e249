import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../lib/clock.js';

/** What a proxy does to the bytes of all connections, in both directions. */
export interface ProxyFaults {
  /** Each chunk arrives so many milliseconds later. @default 0 */
  readonly delayMs?: number;
  /** A connection is reset once so many bytes have gone through it, both directions together. @default never */
  readonly cutAfterBytes?: number;
  /** The connection stays open, and nothing arrives any more: what a machine without power looks like. @default false */
  readonly isSilent?: boolean;
  /** New connections are closed at once. @default false */
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
  /** For `delayMs`. @default systemClock */
  readonly clock?: Clock;
}

const LOOPBACK = '127.0.0.1';

/** One connection through the proxy. */
interface Pair {
  readonly ends: readonly [Socket, Socket];
  bytes: number;
}

/**
 * A TCP proxy between an agent and a server, which does to connections what networks do.
 * @example
 * const proxy = await FaultyProxy.open({ target: 8250 });
 * // … an agent that dials proxy.port
 * proxy.faults = { isSilent: true };
 * await proxy.close();
 */
export class FaultyProxy {
  /** What holds from now on, also for connections that are open. */
  faults: ProxyFaults = {};
  readonly #clock: Clock;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #port = 0;

  private constructor({ target, targetAddress = LOOPBACK, clock = systemClock }: FaultyProxyOptions) {
    this.#target = { host: targetAddress, port: target };
    this.#clock = clock;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket));
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

  /** Where it listens. */
  get port(): number {
    return this.#port;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#pairs.size;
  }

  /** Resets all connections, for both ends. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Takes no more connections, and resets those that are open. */
  async close(): Promise<void> {
    this.cut();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #accept(near: Socket): void {
    if (this.faults.isRefusing === true) {
      near.on('error', () => {});
      near.destroy();
      return;
    }
    const far = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const pair: Pair = { ends: [near, far], bytes: 0 };
    this.#pairs.add(pair);
    this.#carry(pair, near, far);
    this.#carry(pair, far, near);
  }

  #carry(pair: Pair, from: Socket, to: Socket): void {
    from.on('data', (chunk: Buffer) => this.#later(() => this.#pass(pair, to, chunk)));
    from.on('end', () => this.#later(() => to.end()));
    from.on('error', () => this.#end(pair));
    from.on('close', () => {
      if (pair.ends.every(({ destroyed }) => destroyed)) this.#pairs.delete(pair);
    });
  }

  /** What has come while the proxy was silent never arrives. */
  #later(act: () => void): void {
    const { delayMs = 0, isSilent = false } = this.faults;
    if (isSilent) return;
    if (delayMs > 0) this.#clock.after(delayMs, act);
    else act();
  }

  #pass(pair: Pair, to: Socket, chunk: Buffer): void {
    const { cutAfterBytes = Number.POSITIVE_INFINITY } = this.faults;
    if (to.writable) to.write(chunk.subarray(0, Math.max(0, cutAfterBytes - pair.bytes)));
    pair.bytes += chunk.length;
    if (pair.bytes >= cutAfterBytes) this.#end(pair);
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    for (const end of pair.ends) end.resetAndDestroy();
  }
}
