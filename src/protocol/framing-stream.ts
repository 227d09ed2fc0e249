import { Duplex } from 'node:stream';
import { ProtocolError } from './errors.js';
import { type Frame, FrameDecoder, FrameEncoder, type Unit } from './frame.js';

/**
 * The stream between a TLSSocket and its TCP socket. Outbound it writes the handshake's records raw and every later
 * record in a frame. Inbound it takes frames and raw records apart, and gives their bytes to TLS.
 */
export class FramingStream extends Duplex {
  readonly #socket: Duplex;
  readonly #decoder = new FrameDecoder();
  readonly #encoder = new FrameEncoder();
  #isHeld = false;
  /** Set when the handshake has ended: the cipher's record overhead, and the listener for frames. */
  #secured: { readonly overhead: number; readonly onFrame: (frame: Frame) => void } | undefined;
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
   * @param onFrame is called for each inbound frame, before TLS gets its bytes
   */
  secured(overhead: number, onFrame: (frame: Frame) => void): void {
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
  }

  #pass(unit: Unit): void {
    if (unit.kind === 'record') {
      this.#hand(unit.bytes);
    } else if (unit.kind === 'invalid') {
      this.onFailure(unit.error);
    } else if (this.#secured === undefined) {
      // TLS got the Finished record before this frame. If it had accepted it, `secured` would have been called.
      this.onFailure(new ProtocolError('FRAME_EARLY', 'a frame before the end of the TLS handshake'));
    } else {
      this.#secured.onFrame(unit);
      // The listener may have destroyed the stream.
      if (unit.payload.length > 0 && !this.destroyed) this.#hand(unit.payload);
    }
  }

  #hand(bytes: Buffer): void {
    if (!this.push(bytes)) this.#socket.pause();
  }

  override _read(): void {
    if (!this.#isHeld) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const parts = this.#encoder.push(chunk, this.#secured?.overhead ?? 0);
    if (parts.length === 0) callback();
    else this.#socket.write(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts), callback);
  }

  /** Does not end the socket: `FramedTls` sends the FIN, once its queue is empty. */
  override _final(callback: () => void): void {
    callback();
  }
}
