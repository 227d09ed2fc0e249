import { createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../../lib/clock.js';
import { callOut } from '../../lib/emitter.js';
import { reasonOf } from '../../lib/errors.js';
import { listenAt } from '../../lib/listen.js';
import { Semaphore } from '../../lib/semaphore.js';
import type { RemoteEnd } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';

/**
 * Where agents connect: a TCP port, or connections from elsewhere.
 * @example
 * const port: AgentsPort = {
 *   async open(serve) {
 *     tunnel.on('connection', stream => serve(stream, { address: '192.0.2.7', port: 0 }));
 *     return { address: 'tunnel', port: 0 };
 *   },
 *   close: () => tunnel.close(),
 * };
 */
export interface AgentsPort {
  /**
   * Listens, and hands over each connection before its TLS handshake. After `close` it may be called again.
   * @param serve called with each connection, and with the address and port of its other end
   * @returns where it listens; the real port, where the setting says 0
   * @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED
   */
  open(serve: (socket: Duplex, remote: RemoteEnd) => void): Promise<RemoteEnd>;
  /** Takes no new connections. Resolves when those that are open have ended, or after 6 s. What it throws is logged. */
  close(): Promise<void>;
}

/**
 * The agents' TCP port.
 * @param at where to listen; port 0 lets the system choose one
 * @param clock for the time limit of `close`; the system's unless one is given
 * @example
 * const agentsPort = tcpAgentsPort({ address: '0.0.0.0', port: 8250 });
 */
export function tcpAgentsPort({ address, port }: RemoteEnd, clock: Clock = systemClock): AgentsPort {
  let listener: Server | undefined;
  return {
    async open(serve) {
      const server = createServer(
        // A dead machine is noticed after 15 s: after `keepAliveMs`, Node probes ten times, a second apart.
        // Nothing is read of a connection before it is served.
        { pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: MGMT_LIMITS.keepAliveMs },
        socket => {
          const { remoteAddress = 'unknown', remotePort = 0 } = socket;
          serve(socket, { address: withoutMapping(remoteAddress), port: remotePort });
        },
      );
      await listenAt(server, { host: address, port, backlog: MGMT_LIMITS.backlog });
      listener = server;
      const at = server.address();
      return { address, port: typeof at === 'object' && at !== null ? at.port : port };
    },

    close() {
      const server = listener;
      listener = undefined;
      if (server === undefined) return Promise.resolve();
      return new Promise(resolve => {
        const limit = clock.after(MGMT_LIMITS.stopMs, resolve);
        server.close(() => {
          limit.cancel();
          resolve();
        });
      });
    },
  };
}

/** A socket for both families shows an IPv4 address as `::ffff:192.0.2.1`. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

export interface PortKeeperParts {
  readonly port: AgentsPort;
  serve(socket: Duplex, remote: RemoteEnd): void;
  /** The port was closed: connections that are not Ready are to be closed too. */
  onClosed(): void;
  /** The port could not be opened again. It is tried again by the next pass. */
  onCannotOpen(reason: string): void;
  /** The port has failed to close. Nothing that still comes is served. */
  onCannotClose(reason: string): void;
}

/** Keeps the agents' port open or closed, as it should be: a pass brings it there, and tries again what failed. */
export class PortKeeper {
  readonly #parts: PortKeeperParts;
  readonly #turns = new Semaphore();
  /** Where the port listens; undefined: it is closed. */
  #at: RemoteEnd | undefined;
  #failure: string | undefined;

  constructor(parts: PortKeeperParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#at !== undefined;
  }

  /** The port's number; undefined while it is closed. */
  get number(): number | undefined {
    return this.#at?.port;
  }

  /** Opens the port for the first time. @throws FatalError: it cannot be had */
  async open(): Promise<RemoteEnd> {
    return this.#turns.run(() => this.#open());
  }

  /** One pass. Never rejects. @param shouldBeOpen looked at when it is the pass's turn */
  async reconcile(shouldBeOpen: () => boolean): Promise<void> {
    await this.#turns.run(async () => {
      if (shouldBeOpen() === this.isOpen) return;
      if (this.isOpen) {
        this.#close();
        return;
      }
      try {
        await this.#open();
        this.#failure = undefined;
      } catch (error) {
        const reason = reasonOf(error);
        if (reason !== this.#failure) this.#parts.onCannotOpen(reason);
        this.#failure = reason;
      }
    });
  }

  /** For good. Resolves when the connections have ended, or after 6 s. Never rejects. */
  async close(): Promise<void> {
    await this.#turns.run(() => this.#closePort());
  }

  async #open(): Promise<RemoteEnd> {
    this.#at = await this.#parts.port.open((socket, remote) => this.#parts.serve(socket, remote));
    return this.#at;
  }

  /** Ready links stay, and are not waited for. */
  #close(): void {
    void this.#closePort();
    this.#parts.onClosed();
  }

  #closePort(): Promise<void> {
    this.#at = undefined;
    const { port, onCannotClose } = this.#parts;
    return callOut(
      () => port.close(),
      error => onCannotClose(reasonOf(error)),
    );
  }
}
