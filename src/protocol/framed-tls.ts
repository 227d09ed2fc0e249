import type { Duplex } from 'node:stream';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import { type Clock, systemClock, type Timer } from '../lib/clock.js';
import { codeOf } from '../lib/errors.js';
import { LinkError, ProtocolError } from './errors.js';
import { type Frame, RECORD_TYPE } from './frame.js';
import { FramingStream } from './framing-stream.js';
import { LIMITS } from './limits.js';
import { type MemoryAccount, MemoryBudget } from './memory-budget.js';
import { PacketAssembler } from './packet-assembler.js';
import { READ_RATE, ReadPace, type ReadRate } from './read-pace.js';
import { recordOverhead } from './tls-profile.js';
import type { RemoteEnd, Transport, TransportListener } from './transport.js';

const NOTHING = Buffer.alloc(0);
/** Turns of the event loop from the bytes of a socket to the error that OpenSSL makes of them. */
const TURNS_FOR_ALERT = 3;

/** What both sides of a handshake need. */
export interface FramedTlsOptions {
  /** For the time limits of handshake and close. @default systemClock */
  readonly clock?: Clock;
  /** Certificates, key and TLS versions: see `secureContext`. */
  readonly context: SecureContext;
  /** Milliseconds from the call to the end of the handshake. File: `ssl.handshake.timeout` (seconds). */
  readonly handshakeTimeoutMs: number;
  /** The other end of the socket. The transport passes it on as it is. */
  readonly remote: RemoteEnd;
  /** Memory that all links of a server share. @default one for this link alone */
  readonly budget?: MemoryBudget;
  /** How much of the peer is read. @default LIMITS.readBytesPerSecond, LIMITS.readPacketsPerSecond, and their bursts */
  readonly readRate?: ReadRate;
}

/** What the server's side of a handshake needs. */
export interface FramedTlsServerOptions extends FramedTlsOptions {
  /**
   * Decides about the certificate that the client presents, if any, when the handshake has ended. OpenSSL refuses nobody.
   * What the function throws ends the connection and rejects `acceptTls`. Without the function no certificate is asked for.
   */
  readonly judge?: (peer: TLSSocket) => void;
  /** What was read of the socket before, to find out whether its peer speaks. @default nothing */
  readonly received?: Buffer;
  /** Asked after `judge`: what holds for this peer in the place of `budget` and `readRate`. @default nothing */
  readonly termsFor?: () => PeerTerms | undefined;
  /** The context in the place of `context` for a name that the client asks for (SNI). @default always `context` */
  readonly contextFor?: (name: string) => SecureContext | undefined;
}

/** What may depend on who the peer is. */
export type PeerTerms = Pick<FramedTlsOptions, 'budget' | 'readRate'>;

/** What the client's side of a handshake needs. */
export interface FramedTlsClientOptions extends FramedTlsOptions {
  /** The name or address that was dialled. It is sent as SNI when it is a name with a dot. */
  readonly host: string;
  /**
   * Decides about the server's certificate, before the first packet goes out. OpenSSL's own verdict is in
   * `peer.authorized`; it refuses nobody. What the function throws ends the connection and rejects `connectTls`.
   */
  readonly judge: (peer: TLSSocket) => void;
}

/**
 * Carries out the server's side of the TLS handshake on a connected socket.
 * @param socket a TCP socket, best of a server with `allowHalfOpen`
 * @returns the transport, which does not read before `listen`
 * @example
 * const server = createServer({ allowHalfOpen: true }, async socket => {
 *   const remote = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
 *   const transport = await acceptTls(socket, { context, handshakeTimeoutMs: 30_000, remote });
 * });
 * @throws ProtocolError HANDSHAKE_TIMEOUT, HANDSHAKE_CLOSED, TLS_FAILED, FRAME_*, RECORD_INVALID, the socket's own errors,
 *   and what `options.judge` throws; the socket is destroyed then
 */
export function acceptTls(socket: Duplex, options: FramedTlsServerOptions): Promise<Transport> {
  const { contextFor } = options;
  const start = (below: Duplex) =>
    new TLSSocket(below, {
      isServer: true,
      secureContext: options.context,
      requestCert: options.judge !== undefined,
      rejectUnauthorized: false,
      ...(contextFor && { SNICallback: sniCallback(contextFor) }),
    });
  return handshake(socket, options, 'secure', start, options);
}

/**
 * Carries out the client's side of the TLS handshake on a connected socket.
 * @returns the transport, which does not read before `listen`
 * @example
 * const transport = await connectTls(socket, {
 *   context: secureContext({ ca }),
 *   handshakeTimeoutMs: 30_000,
 *   remote: { address: '192.0.2.1', port: 8250 },
 *   host: 'server-1.example.com',
 *   judge: peer => {
 *     if (!peer.authorized) throw new Error(String(peer.authorizationError));
 *   },
 * });
 * @throws the errors of `acceptTls`, and what `options.judge` throws
 */
export function connectTls(socket: Duplex, options: FramedTlsClientOptions): Promise<Transport> {
  return handshake(
    socket,
    options,
    'secureConnect',
    below =>
      connect({
        socket: below,
        secureContext: options.context,
        // options.judge decides: CloudStack's servers present a CA certificate, which OpenSSL calls INVALID_PURPOSE.
        rejectUnauthorized: false,
        // The names in a certificate are not compared with the host: a server is trusted for its CA.
        checkServerIdentity: anyName,
        ...(/^[^:]*\.[^:]*[a-z][^:]*$/i.test(options.host) && { servername: options.host }),
      }),
    options,
  );
}

/** It stays with the socket: one that is made for each would keep what is around it. */
function anyName(): undefined {}

/** As above: it keeps `contextFor` alone. */
function sniCallback(contextFor: NonNullable<FramedTlsServerOptions['contextFor']>) {
  return (name: string, done: (error: Error | null, context?: SecureContext) => void) => done(null, contextFor(name));
}

function handshake(
  socket: Duplex,
  options: FramedTlsOptions,
  done: 'secure' | 'secureConnect',
  start: (below: Duplex) => TLSSocket,
  { judge, termsFor, received }: Pick<FramedTlsServerOptions, 'judge' | 'termsFor' | 'received'>,
): Promise<Transport> {
  const { clock = systemClock } = options;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      timer.cancel();
      framing.onFailure = () => {};
      socket.destroy();
      tls.destroy();
      reject(error);
    };
    let isSecure = false;
    let hasEnded = false;
    const failClosed = () => fail(new ProtocolError('HANDSHAKE_CLOSED', 'the peer closed during the TLS handshake'));
    const failTls = (cause: Error) => {
      // Node's own error for an end that comes too early.
      if (hasEnded && codeOf(cause) === 'ECONNRESET') failClosed();
      else fail(new ProtocolError('TLS_FAILED', `TLS handshake failed: ${cause.message}`, {}, { cause }));
    };
    const closed = async () => {
      hasEnded = true;
      // An alert that came before the FIN says more, and OpenSSL has it only after the next turns.
      for (let turn = 0; turn < TURNS_FOR_ALERT; turn++) await clock.turn();
      if (!isSecure) failClosed();
    };

    const framing = new FramingStream(socket, fail);
    const tls = start(framing);
    const timer = clock.after(options.handshakeTimeoutMs, () =>
      fail(
        new ProtocolError('HANDSHAKE_TIMEOUT', 'the TLS handshake took too long', { ms: options.handshakeTimeoutMs }),
      ),
    );
    // A server-side TLSSocket over a Duplex emits its errors only as this event.
    tls.on('_tlsError', failTls);
    tls.on('error', failTls);
    socket.once('end', closed);
    socket.once('close', closed);
    tls.once(done, () => {
      isSecure = true;
      timer.cancel();
      socket.off('end', closed);
      socket.off('close', closed);
      tls.off('_tlsError', failTls);
      tls.off('error', failTls);
      try {
        judge?.(tls);
      } catch (error) {
        fail(error as Error);
        return;
      }
      resolve(new FramedTls(socket, framing, tls, clock, { ...options, ...termsFor?.() }));
    });
    // Last: bytes that are no TLS fail at once, and `fail` ends the timer.
    if (received !== undefined) framing.receive(received);
  });
}

/** A `Transport` over a connection whose TLS handshake has ended. */
class FramedTls implements Transport {
  readonly remote: RemoteEnd;
  readonly #clock: Clock;
  readonly #socket: Duplex;
  readonly #framing: FramingStream;
  readonly #tls: TLSSocket;
  #listener: TransportListener | undefined;
  /** open ─close()─▶ closing ─both FINs, or LIMITS.lingerMs─▶ closed */
  #state: 'open' | 'closing' | 'closed' = 'open';
  #failure: Error | undefined;
  #linger: Timer | undefined;
  readonly #memory: MemoryAccount;
  #limit: number = LIMITS.packetBytesBeforeReady;
  #assembler = new PacketAssembler();
  /** Packets that are complete and not passed on yet. */
  readonly #arrived: Buffer[] = [];
  /** What of `#memory` is for packets of the peer. */
  #inboundBytes = 0;
  readonly #pace: ReadPace;
  /** Runs while the peer has had its share, and nothing is read. */
  #pause: Timer | undefined;
  /** The peer has closed; packets that came before may still be there. */
  #hasEnded = false;
  /** Bytes by which a record of application data is longer than its plaintext. */
  readonly #overhead: number;

  constructor(socket: Duplex, framing: FramingStream, tls: TLSSocket, clock: Clock, options: FramedTlsOptions) {
    this.remote = options.remote;
    this.#clock = clock;
    this.#memory = (options.budget ?? new MemoryBudget()).open(() =>
      this.#fail(new LinkError('MEMORY_BUDGET', 'the memory for packets is full, and this link holds most of it')),
    );
    this.#pace = new ReadPace(options.readRate ?? READ_RATE, clock.now());
    this.#socket = socket;
    this.#framing = framing;
    this.#tls = tls;
    framing.onFailure = error => this.#fail(error);
    // Without _writev, Node does not merge two writes: each packet begins a record of its own.
    (tls as { _writev: unknown })._writev = null;
    const onTlsError = (error: Error) =>
      this.#fail(new ProtocolError('TLS_FAILED', `TLS failed: ${error.message}`, {}, { cause: error }));
    tls.on('error', onTlsError);
    tls.on('_tlsError', onTlsError);
    // CloudStack never sends close_notify: a FIN alone is a normal end.
    tls.on('end', () => {
      this.#hasEnded = true;
      this.#passOn();
    });
    socket.on('close', () => this.#finish());
    this.#overhead = recordOverhead(tls.getCipher().name);
    framing.secured(this.#overhead, frame => this.#onFrame(frame));
  }

  get queuedBytes(): number {
    return this.#tls.writableLength;
  }

  listen(listener: TransportListener): void {
    this.#listener = listener;
    if (this.#state === 'closed') {
      listener.onClose(this.#failure);
      return;
    }
    this.#tls.on('data', chunk => this.#assemble(chunk));
    this.#passOn();
  }

  send(packet: Buffer): void {
    if (this.#state !== 'open' || packet.length === 0) return;
    this.#memory.take(packet.length);
    if (!this.#isOpen) return;
    this.#framing.announce(packet.length);
    this.#tls.write(packet, () => {
      this.#memory.give(packet.length);
      if (this.#state === 'closing' && this.#tls.writableLength === 0) this.#socket.end();
    });
  }

  raiseLimits(packetBytes: number): void {
    this.#limit = packetBytes;
    this.#memory.becomeReady();
  }

  charge(bytes: number): void {
    this.#pace.readBytes(bytes, this.#clock.now());
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#linger = this.#clock.after(LIMITS.lingerMs, () => this.destroy());
    if (this.#tls.writableLength === 0) this.#socket.end();
    // What the peer still sends is read and dropped, so that its FIN is seen.
    this.#assembler = new PacketAssembler();
    this.#arrived.length = 0;
    this.#memory.give(this.#inboundBytes);
    this.#inboundBytes = 0;
    this.#endPause();
    this.#tls.removeAllListeners('data').resume();
  }

  destroy(): void {
    this.#finish();
  }

  /** After a call that may have ended the link, where the compiler believes that it is open. */
  get #isOpen(): boolean {
    return this.#state === 'open';
  }

  #onFrame({ records, following }: Frame): ProtocolError | undefined {
    if (this.#state !== 'open') return undefined;
    let bytes = 0;
    for (const { type, length } of records) {
      if (type === RECORD_TYPE.applicationData && length >= this.#overhead) bytes += length - this.#overhead;
      else if (type !== RECORD_TYPE.alert) {
        // A handshake record asks for a renegotiation. OpenSSL would answer each with an alert, without any bound.
        return new ProtocolError('RECORD_INVALID', 'neither data nor an alert in a frame', { type, length });
      }
    }
    if (this.#assembler.growingBytes + bytes > this.#limit) {
      return new ProtocolError('PACKET_TOO_LARGE', 'a packet is too large', { limit: this.#limit });
    }
    this.#pace.readBytes(Math.max(bytes, LIMITS.frameCostBytes), this.#clock.now());
    this.#inboundBytes += bytes;
    this.#memory.take(bytes);
    if (!this.#isOpen) return undefined;
    this.#assembler.frame(bytes, following);
    this.#assemble(NOTHING);
    return undefined;
  }

  #assemble(plaintext: Buffer): void {
    for (const packet of this.#assembler.push(plaintext)) this.#arrived.push(packet);
    this.#passOn();
  }

  /** Passes packets on, as fast as the peer may send, and pauses its socket when it sends faster. */
  #passOn(): void {
    if (this.#pause !== undefined) return;
    while (this.#isOpen && this.#listener !== undefined) {
      const pauseMs = this.#pace.pauseMs(this.#clock.now());
      if (pauseMs > 0) {
        this.#framing.hold();
        this.#pause = this.#clock.after(pauseMs, () => {
          this.#pause = undefined;
          this.#passOn();
        });
        return;
      }
      const packet = this.#arrived.shift();
      if (packet === undefined) break;
      this.#inboundBytes -= packet.length;
      this.#memory.give(packet.length);
      this.#pace.readPacket(this.#clock.now());
      this.#listener.onPacket(packet);
    }
    this.#framing.release();
    if (this.#hasEnded) {
      this.close();
      this.#tell();
    }
  }

  #endPause(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#framing.release();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#finish();
  }

  #finish(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#linger?.cancel();
    this.#pause?.cancel();
    this.#memory.close();
    // The socket first: otherwise TLS writes a close_notify.
    this.#socket.destroy();
    this.#tls.destroy();
    this.#tell();
  }

  #tell(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onClose(this.#failure);
  }
}
