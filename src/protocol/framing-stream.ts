import { Duplex } from 'node:stream';
import { ProtocolError } from './errors.js';
import { type Frame, FrameDecoder, FrameEncoder, type Unit } from './frame.js';

/** Is told of each inbound frame, before TLS gets its bytes, and says why it is not taken, if so. */
export type FrameListener = (frame: Frame) => ProtocolError | undefined;

/**
 * What goes to TLS at a time. `NodeBIO` of Node's TLS reads into a buffer of 1,024 bytes on a server; when that is filled, one
 * of 16 kB is made, which stays for the life of the link. A Startup has a little more.
 */
const PIECE_BYTES = 1_023;
/** So much goes to TLS in one piece, and whatever comes after it: the second buffer is there. */
const LARGE_BYTES = 4_096;

/** With so many bytes of records the packets behind them are not waited for. */
const TOGETHER_BYTES = 16_384;

/**
 * The stream between a TLSSocket and its TCP socket. Outbound it writes the handshake's records raw and every later
 * record in a frame. Inbound it takes frames and raw records apart, and gives their bytes to TLS.
 */
export class FramingStream extends Duplex {
  readonly #socket: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #encoder = new FrameEncoder();
  #isHeld = false;
  #pieceBytes = PIECE_BYTES;
  /** Payloads of frames that TLS has not got yet: those of one chunk go to it together. */
  #inbound: Buffer[] = [];
  /** Records in their frames that wait for those of packets behind them: all leave in one write. */
  #outbound: Buffer[] = [];
  #outboundBytes = 0;
  /** Set when the handshake has ended: the cipher's record overhead, and the listener for frames. */
  #secured: { readonly overhead: number; readonly onFrame: FrameListener } | undefined;
  onFailure: (error: Error) => void;

  constructor(socket: Duplex, onFailure: (error: Error) => void) {
    super();
    this.#socket = socket;
    this.onFailure = onFailure;
    // After the peer's FIN, queued packets still go out.
    socket.allowHalfOpen = true;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', error => this.onFailure(error));
    this.on('error', error => this.onFailure(error));
  }

  /**
   * Tells that the handshake has ended.
   * @param overhead bytes by which a record is longer than its plaintext, for the cipher that was agreed on
   */
  secured(overhead: number, onFrame: FrameListener): void {
    this.#secured = { overhead, onFrame };
  }

  /** Announces a packet, before it is written to the TLSSocket. */
  announce(packetBytes: number): void {
    this.#encoder.announce(packetBytes);
  }

  /** Reads nothing more from the socket, until `release`. What was read goes on to TLS. */
  hold(): void {
    this.#isHeld = true;
    this.#socket.pause();
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#socket.resume();
  }

  /** What comes from the socket, or was read of it before. */
  receive(chunk: Buffer): void {
    for (const unit of this.#decoder.push(chunk)) this.#pass(unit);
    this.#handInbound();
  }

  #pass(unit: Unit): void {
    if (unit.kind === 'record') {
      this.#hand(unit.bytes);
    } else if (unit.kind === 'invalid') {
      this.#fail(unit.error);
    } else if (this.#secured === undefined) {
      // TLS got the Finished record before this frame. If it had accepted it, `secured` would have been called.
      this.#fail(new ProtocolError('FRAME_EARLY', 'a frame before the end of the TLS handshake'));
    } else {
      const refusal = this.#secured.onFrame(unit);
      if (refusal !== undefined) this.#fail(refusal);
      else if (unit.payload.length > 0) this.#inbound.push(unit.payload);
    }
  }

  /** What came before is heard still. */
  #fail(error: ProtocolError): void {
    this.#handInbound();
    this.onFailure(error);
  }

  #handInbound(): void {
    const payloads = this.#inbound;
    if (payloads.length === 0) return;
    this.#inbound = [];
    this.#hand(joined(payloads));
  }

  #hand(bytes: Buffer): void {
    if (bytes.length >= LARGE_BYTES) this.#pieceBytes = Number.POSITIVE_INFINITY;
    for (let from = 0; from < bytes.length; from += this.#pieceBytes) {
      const piece = bytes.length <= this.#pieceBytes ? bytes : bytes.subarray(from, from + this.#pieceBytes);
      // A listener may have destroyed the stream.
      if (!this.destroyed && !this.push(piece)) this.#socket.pause();
    }
  }

  override _read(): void {
    if (!this.#isHeld) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    for (const part of this.#encoder.push(chunk, this.#secured?.overhead ?? 0)) {
      this.#outbound.push(part);
      this.#outboundBytes += part.length;
    }
    // TLS encrypts one packet in a turn of the event loop, and a write of each would be a system call of its own.
    if (this.#outbound.length === 0 || (this.#encoder.isExpecting && this.#outboundBytes < TOGETHER_BYTES)) {
      callback();
      return;
    }
    const bytes = joined(this.#outbound);
    this.#outbound = [];
    this.#outboundBytes = 0;
    this.#socket.write(bytes, callback);
  }

  /** Does not end the socket: `FramedTls` sends the FIN, once its queue is empty. */
  override _final(callback: () => void): void {
    callback();
  }
}

function joined(parts: readonly Buffer[]): Buffer {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}
