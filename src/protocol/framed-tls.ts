import type { Duplex } from 'node:stream';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../lib/clock.js';
import { LinkError, ProtocolError } from './errors.js';
import { type Frame, RECORD_TYPE } from './frame.js';
import { FramingStream } from './framing-stream.js';
import { LIMITS } from './limits.js';
import type { MemoryBudget } from './memory-budget.js';
import { PacketAssembler } from './packet-assembler.js';
import { recordOverhead } from './tls-profile.js';
import type { RemoteEnd, Transport, TransportListener } from './transport.js';

const NOTHING = Buffer.alloc(0);

export interface FramedTlsOptions {
  readonly clock: Clock;
  readonly context: SecureContext;
  /** From the first byte to the end of the handshake. File: `ssl.handshake.timeout` (seconds). */
  readonly handshakeTimeoutMs: number;
  /** Where the socket's other end is; taken from the socket where it knows. */
  readonly remote: RemoteEnd;
  /** What all links before Ready share for unfinished packets. Without one, only the packet's own bound holds. */
  readonly budget?: MemoryBudget;
}

export interface FramedTlsClientOptions extends FramedTlsOptions {
  /** Sent as SNI where it is a dotted name. */
  readonly host: string;
  /** Looks at the server before the first byte goes out; what it throws refuses the server. */
  readonly judge: (peer: TLSSocket) => void;
}

/**
 * The server's side of the handshake.
 * @throws ProtocolError HANDSHAKE_TIMEOUT, HANDSHAKE_CLOSED, TLS_FAILED, FRAME_*, RECORD_INVALID; the socket is
 *   destroyed then
 */
export function acceptTls(socket: Duplex, options: FramedTlsOptions): Promise<Transport> {
  return handshake(socket, options, 'secure', below => {
    return new TLSSocket(below, { isServer: true, secureContext: options.context });
  });
}

/**
 * The client's side of the handshake.
 * @throws as `acceptTls`, and what `options.judge` throws
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
        // The judge decides: real servers present a CA certificate, which OpenSSL calls INVALID_PURPOSE.
        rejectUnauthorized: false,
        // Identity is the CA: the judge hears of the chain alone, whatever names are in the certificate.
        checkServerIdentity: () => undefined,
        ...(/^[^:]*\.[^:]*[a-z][^:]*$/i.test(options.host) && { servername: options.host }),
      }),
    options.judge,
  );
}

function handshake(
  socket: Duplex,
  options: FramedTlsOptions,
  done: 'secure' | 'secureConnect',
  start: (below: Duplex) => TLSSocket,
  judge?: (peer: TLSSocket) => void,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      timer.cancel();
      framing.onFailure = () => {};
      socket.destroy();
      tls.destroy();
      reject(error);
    };
    const failTls = (cause: Error) =>
      fail(new ProtocolError('TLS_FAILED', `TLS handshake failed: ${cause.message}`, {}, { cause }));
    const closed = () => fail(new ProtocolError('HANDSHAKE_CLOSED', 'the peer closed during the TLS handshake'));

    const framing = new FramingStream(socket, fail);
    const tls = start(framing);
    const timer = options.clock.after(options.handshakeTimeoutMs, () =>
      fail(
        new ProtocolError('HANDSHAKE_TIMEOUT', 'the TLS handshake took too long', { ms: options.handshakeTimeoutMs }),
      ),
    );
    // A server-side TLSSocket over a Duplex keeps its errors to itself but for this event.
    tls.on('_tlsError', failTls);
    tls.on('error', failTls);
    socket.once('end', closed);
    socket.once('close', closed);
    tls.once(done, () => {
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
      resolve(new FramedTls(socket, framing, tls, options));
    });
  });
}

/** A `Transport` over a finished handshake. */
class FramedTls implements Transport {
  readonly remote: RemoteEnd;
  readonly #clock: Clock;
  readonly #socket: Duplex;
  readonly #framing: FramingStream;
  readonly #tls: TLSSocket;
  #listener: TransportListener | undefined;
  /** open ─close()─▶ closing ─both FINs, or too long─▶ closed */
  #state: 'open' | 'closing' | 'closed' = 'open';
  #failure: Error | undefined;
  #linger: Timer | undefined;
  #budget: MemoryBudget | undefined;
  #limit: number = LIMITS.packetBytesBeforeReady;
  #assembler = new PacketAssembler();
  /** How much longer a record of application data is than its plaintext. */
  readonly #overhead: number;

  constructor(socket: Duplex, framing: FramingStream, tls: TLSSocket, options: FramedTlsOptions) {
    this.remote = options.remote;
    this.#clock = options.clock;
    this.#budget = options.budget;
    this.#socket = socket;
    this.#framing = framing;
    this.#tls = tls;
    framing.onFailure = error => this.#fail(error);
    // One write of a packet is never merged with another, or the records would not end where packets do.
    (tls as { _writev: unknown })._writev = null;
    const onTlsError = (error: Error) =>
      this.#fail(new ProtocolError('TLS_FAILED', `TLS failed: ${error.message}`, {}, { cause: error }));
    tls.on('error', onTlsError);
    tls.on('_tlsError', onTlsError);
    // Without close_notify, which these peers never send, a FIN is a normal end.
    tls.on('end', () => {
      this.close();
      this.#tell();
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
    this.#tls.on('data', chunk => this.#deliver(chunk));
  }

  send(packet: Buffer): void {
    if (this.#state !== 'open' || packet.length === 0) return;
    this.#framing.announce(packet.length);
    this.#tls.write(packet, () => {
      if (this.#state === 'closing' && this.#tls.writableLength === 0) this.#socket.end();
    });
  }

  raiseLimits(): void {
    this.#limit = LIMITS.packetBytes;
    this.#returnBudget();
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#linger = this.#clock.after(LIMITS.lingerMs, () => this.destroy());
    if (this.#tls.writableLength === 0) this.#socket.end();
    // What the peer still says goes nowhere, but its FIN must be reached.
    this.#returnBudget();
    this.#assembler = new PacketAssembler();
    this.#tls.removeAllListeners('data').resume();
  }

  destroy(): void {
    this.#finish();
  }

  #onFrame({ records, following }: Frame): void {
    if (this.#state !== 'open') return;
    let bytes = 0;
    for (const { type, length } of records) {
      if (type === RECORD_TYPE.applicationData && length >= this.#overhead) bytes += length - this.#overhead;
      else if (type !== RECORD_TYPE.alert) {
        // A handshake record would be a renegotiation, each answered by an alert that no bound counts.
        this.#fail(new ProtocolError('RECORD_INVALID', 'neither data nor an alert in a frame', { type, length }));
        return;
      }
    }
    if (this.#assembler.growingBytes + bytes > this.#limit) {
      this.#fail(new ProtocolError('PACKET_TOO_LARGE', 'a packet is too large', { limit: this.#limit }));
    } else if (this.#budget && !this.#budget.take(bytes)) {
      this.#fail(new LinkError('MEMORY_BUDGET', 'unfinished packets of links before Ready fill their memory'));
    } else {
      this.#assembler.frame(bytes, following);
      this.#deliver(NOTHING);
    }
  }

  #deliver(plaintext: Buffer): void {
    const packets = this.#assembler.push(plaintext);
    for (const packet of packets) this.#budget?.give(packet.length);
    for (const packet of packets) {
      if (this.#state === 'open') this.#listener?.onPacket(packet);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#finish();
  }

  #finish(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#linger?.cancel();
    this.#returnBudget();
    // The socket first: then TLS has nowhere to write a close_notify to.
    this.#socket.destroy();
    this.#tls.destroy();
    this.#tell();
  }

  #returnBudget(): void {
    this.#budget?.give(this.#assembler.heldBytes);
    this.#budget = undefined;
  }

  #tell(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onClose(this.#failure);
  }
}
