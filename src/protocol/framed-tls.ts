import { Duplex } from 'node:stream';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../lib/clock.js';
import { LinkError, ProtocolError } from './errors.js';
import { FrameDecoder, FrameEncoder, RECORD_TYPE, type RecordInfo, type Unit } from './frame.js';
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
      tls.disableRenegotiation();
      resolve(new FramedTls(socket, framing, tls, options));
    });
  });
}

/**
 * The Duplex below the TLSSocket. Towards the socket: handshake records raw, all others framed. From the socket: frames
 * and raw records taken apart, their bytes handed to TLS.
 */
class FramingStream extends Duplex {
  readonly #socket: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #encoder = new FrameEncoder();
  /** Set when the handshake is over: the cipher's record overhead, and who hears of frames. */
  #secured:
    | { readonly overhead: number; readonly onFrame: (plaintextBytes: number, following: boolean) => void }
    | undefined;
  /** Frames right behind the peer's Finished wait for our side to see the handshake's end. */
  #held: Unit[] = [];
  onFailure: (error: Error) => void;

  constructor(socket: Duplex, onFailure: (error: Error) => void) {
    super();
    this.#socket = socket;
    this.onFailure = onFailure;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', error => this.onFailure(error));
    this.on('error', error => this.onFailure(error));
  }

  /** The handshake is over, and the cipher known. `onFrame` may throw to end the stream. */
  secured(overhead: number, onFrame: (plaintextBytes: number, following: boolean) => void): void {
    this.#secured = { overhead, onFrame };
    const held = this.#held;
    this.#held = [];
    this.#pass(held);
    if (this.readableFlowing !== false) this.#socket.resume();
  }

  announce(packetBytes: number): void {
    this.#encoder.announce(packetBytes);
  }

  #receive(chunk: Buffer): void {
    let units: Unit[];
    try {
      units = this.#decoder.push(chunk);
    } catch (error) {
      this.onFailure(error as Error);
      return;
    }
    this.#pass(units);
  }

  #pass(units: readonly Unit[]): void {
    for (const [index, unit] of units.entries()) {
      let bytes: Buffer;
      if (unit.kind === 'record') bytes = unit.bytes;
      else if (this.#secured === undefined) {
        this.#held.push(...units.slice(index));
        this.#socket.pause();
        return;
      } else {
        bytes = unit.payload;
        try {
          this.#secured.onFrame(plaintextBytes(unit.records, this.#secured.overhead), unit.following);
        } catch (error) {
          this.onFailure(error as Error);
          return;
        }
      }
      if (bytes.length > 0 && !this.push(bytes)) this.#socket.pause();
    }
  }

  override _read(): void {
    if (this.#held.length === 0) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const parts = this.#encoder.push(chunk, this.#secured?.overhead ?? 0);
    if (parts.length === 0) callback();
    else this.#socket.write(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts), callback);
  }

  /** Peers of this protocol end by FIN alone, which `FramedTls` sends when it is time. */
  override _final(callback: () => void): void {
    callback();
  }
}

function plaintextBytes(records: readonly RecordInfo[], overhead: number): number {
  let bytes = 0;
  for (const { type, length } of records) {
    if (type !== RECORD_TYPE.applicationData) continue;
    if (length < overhead)
      throw new ProtocolError('RECORD_INVALID', 'a TLS record too short for its cipher', { length });
    bytes += length - overhead;
  }
  return bytes;
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

  readonly #assembler = new PacketAssembler();

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
    framing.secured(recordOverhead(tls.getCipher().name), (bytes, following) => this.#onFrame(bytes, following));
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
    if (this.#state !== 'open') return;
    this.#framing.announce(packet.length);
    this.#tls.write(packet, () => {
      if (this.#state === 'closing' && this.#tls.writableLength === 0) this.#socket.end();
    });
  }

  raiseLimits(): void {
    this.#limit = LIMITS.packetBytes;
    this.#budget?.give(this.#assembler.heldBytes);
    this.#budget = undefined;
  }

  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#linger = this.#clock.after(LIMITS.lingerMs, () => this.destroy());
    if (this.#tls.writableLength === 0) this.#socket.end();
    // What the peer still says goes nowhere, but its FIN must be reached.
    this.#tls.removeAllListeners('data').resume();
  }

  destroy(): void {
    this.#finish();
  }

  #onFrame(bytes: number, following: boolean): void {
    if (this.#assembler.growingBytes + bytes > this.#limit) {
      throw new ProtocolError('PACKET_TOO_LARGE', 'a packet is too large', { limit: this.#limit });
    }
    if (this.#budget && !this.#budget.take(bytes)) {
      throw new LinkError('MEMORY_BUDGET', 'unfinished packets of links before Ready fill their memory');
    }
    this.#assembler.frame(bytes, following);
    this.#deliver(NOTHING);
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
    this.#budget?.give(this.#assembler.heldBytes);
    this.#budget = undefined;
    // The socket first: then TLS has nowhere to write a close_notify to.
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
