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
  /** Set when the handshake is over: the cipher's record overhead, and who hears of frames. */
  #secured: { readonly overhead: number; readonly onFrame: (frame: Frame) => void } | undefined;
  onFailure: (error: Error) => void;

  constructor(socket: Duplex, onFailure: (error: Error) => void) {
    super();
    this.#socket = socket;
    this.onFailure = onFailure;
    // The peer's FIN must not end our side before what is queued has gone out.
    socket.allowHalfOpen = true;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', error => this.onFailure(error));
    this.on('error', error => this.onFailure(error));
  }

  /** The handshake is over, and the cipher known. `onFrame` hears of each frame ahead of its bytes. */
  secured(overhead: number, onFrame: (frame: Frame) => void): void {
    this.#secured = { overhead, onFrame };
  }

  announce(packetBytes: number): void {
    this.#encoder.announce(packetBytes);
  }

  #receive(chunk: Buffer): void {
    for (const unit of this.#decoder.push(chunk)) this.#pass(unit);
  }

  #pass(unit: Unit): void {
    if (unit.kind === 'record') {
      this.#hand(unit.bytes);
    } else if (unit.kind === 'invalid') {
      this.onFailure(unit.error);
    } else if (this.#secured === undefined) {
      // Finished was handed on before this frame, and has told us so by now if TLS accepted it.
      this.onFailure(new ProtocolError('FRAME_EARLY', 'a frame before the end of the TLS handshake'));
    } else {
      this.#secured.onFrame(unit);
      // Whoever heard of the frame may have ended the stream.
      if (unit.payload.length > 0 && !this.destroyed) this.#hand(unit.payload);
    }
  }

  #hand(bytes: Buffer): void {
    if (!this.push(bytes)) this.#socket.pause();
  }

  override _read(): void {
    this.#socket.resume();
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
