import type { RemoteEnd, Transport, TransportListener } from '../protocol/index.js';

/**
 * A connection without sockets: packets arrive whole, in order, and never within the call that sends them.
 * @example
 * const { agent, server } = memoryTransports();
 * const fake = new FakeAgent(agent);
 */
export function memoryTransports(agentAt: RemoteEnd = { address: '192.0.2.50', port: 40_000 }): {
  agent: MemoryTransport;
  server: MemoryTransport;
} {
  const agent = new MemoryTransport({ address: '192.0.2.1', port: 8250 });
  const server = new MemoryTransport(agentAt);
  agent.peer = server;
  server.peer = agent;
  return { agent, server };
}

type Arrival = { readonly packet: Buffer } | { readonly end: true; readonly error?: Error };

/**
 * One end of a connection without sockets.
 * @example
 * const { agent } = memoryTransports();
 * agent.cut(new Error('the network fails'));
 */
export class MemoryTransport implements Transport {
  readonly remote: RemoteEnd;
  /** A test may pretend that the peer does not read. */
  queuedBytes = 0;
  /** The other end. */
  peer: MemoryTransport | undefined;
  /** Whether the peer counts as Ready: the larger bounds hold. */
  isRaised = false;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #listener: TransportListener | undefined;
  readonly #arrivals: Arrival[] = [];

  constructor(remote: RemoteEnd) {
    this.remote = remote;
  }

  /** Whether it can send: neither end has begun to close. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  listen(listener: TransportListener): void {
    this.#listener = listener;
    this.#deliver();
  }

  send(packet: Buffer): void {
    if (this.#state === 'open') this.peer?.arrive({ packet });
  }

  raiseLimits(): void {
    this.isRaised = true;
  }

  charge(): void {}

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.peer?.arrive({ end: true });
  }

  destroy(): void {
    this.cut();
  }

  /** The network fails, for both ends. */
  cut(error?: Error): void {
    this.peer?.arrive({ end: true, ...(error && { error }) });
    this.arrive({ end: true, ...(error && { error }) });
  }

  /** The other end has sent this, or has ended. */
  arrive(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    if (this.#listener) this.#deliver();
  }

  #deliver(): void {
    queueMicrotask(() => {
      const arrival = this.#arrivals.shift();
      if (arrival === undefined || this.#state === 'closed') return;
      if ('packet' in arrival) {
        if (this.#state === 'open') this.#listener?.onPacket(arrival.packet);
      } else {
        const wasOpen = this.#state === 'open';
        this.#state = 'closed';
        if (wasOpen) this.peer?.arrive({ end: true });
        this.#listener?.onClose(arrival.error);
      }
      if (this.#arrivals.length > 0) this.#deliver();
    });
  }
}
