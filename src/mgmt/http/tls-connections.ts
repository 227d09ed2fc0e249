import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock.js';

export interface TlsConnectionsParts {
  readonly clock: Clock;
  /** For the next connection. */
  context(): SecureContext;
  /** Answers a client that does not speak TLS, and ends its connection. */
  refusePlain(socket: Socket): void;
}

/** From the accepted connection to the end of the handshake. */
const HANDSHAKE_MS = 10_000;
/** The first byte of a TLS handshake: the type of its record. */
const HANDSHAKE_RECORD = 0x16;

/** Carries out TLS on each connection of an HTTP server before the server reads it. What TLS needs is made at the first byte. */
export class TlsConnections {
  readonly #parts: TlsConnectionsParts;
  readonly #arriving = new Set<Socket>();
  /** By what HTTP is spoken on. */
  readonly #tcp = new WeakMap<Socket, Socket>();

  /** @param server its connections are secured from now on */
  constructor(server: Server, parts: TlsConnectionsParts) {
    this.#parts = parts;
    // Node's own reads requests from whatever stream it is given.
    const readers = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) =>
      this.#arrive(socket, tls => readers.map(read => read.call(server, tls))),
    );
  }

  /** The TCP connection below that on which HTTP is spoken. */
  tcpOf(socket: Socket): Socket {
    return this.#tcp.get(socket) ?? socket;
  }

  /** Ends the connections whose handshake has not ended. */
  close(): void {
    for (const socket of this.#arriving) socket.destroy();
  }

  #arrive(socket: Socket, serve: (tls: TLSSocket) => void): void {
    this.#arriving.add(socket);
    const timer = this.#parts.clock.after(HANDSHAKE_MS, () => socket.destroy());
    const arrived = () => {
      timer.cancel();
      this.#arriving.delete(socket);
    };
    socket.once('close', arrived);
    socket.on('error', () => socket.destroy());
    socket.once('readable', () => {
      const first: Buffer | null = socket.read();
      if (first === null) return;
      if (first[0] !== HANDSHAKE_RECORD) {
        this.#parts.refusePlain(socket);
        return;
      }
      socket.unshift(first);
      this.#secure(socket, tls => {
        arrived();
        serve(tls);
      });
    });
  }

  #secure(socket: Socket, serve: (tls: TLSSocket) => void): void {
    const tls = new TLSSocket(socket, { isServer: true, secureContext: this.#parts.context() });
    this.#tcp.set(tls, socket);
    const end = () => {
      tls.destroy();
      socket.destroy();
    };
    // A server-side TLSSocket of one's own emits its errors as this event only.
    tls.on('_tlsError', end);
    tls.on('error', end);
    tls.on('close', end);
    tls.once('secure', () => serve(tls));
  }
}
