import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import { FrameDecoder } from '../../src/protocol/frame.js';
import { settle } from '../../src/testing/fake-clock.js';

/**
 * A peer with a TLS engine and no idea of frames: the test gets the records of what it encrypts, and puts on the wire
 * whatever it likes.
 */
export class RawPeer {
  readonly socket: Duplex;
  readonly tls: TLSSocket;
  readonly #below: Records;
  /** What came in frames, decrypted. */
  readonly received: Buffer[] = [];

  private constructor(socket: Duplex, below: Records, tls: TLSSocket) {
    this.socket = socket;
    this.#below = below;
    this.tls = tls;
    tls.on('data', (chunk: Buffer) => this.received.push(chunk));
    tls.on('error', () => {});
  }

  static async connect(socket: Duplex): Promise<RawPeer> {
    const below = new Records(socket);
    const tls = connect({ socket: below, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
    await once(tls, 'secureConnect');
    return new RawPeer(socket, below, tls);
  }

  static async accept(socket: Duplex, secureContext: SecureContext): Promise<RawPeer> {
    const below = new Records(socket);
    const tls = new TLSSocket(below, { isServer: true, secureContext });
    await once(tls, 'secure');
    return new RawPeer(socket, below, tls);
  }

  /** What the TLS engine says when `action` is done to it. */
  async records(action: (tls: TLSSocket) => void): Promise<Buffer> {
    await settle();
    this.#below.captured = [];
    action(this.tls);
    await settle();
    return Buffer.concat(this.#below.captured);
  }

  /** The records of `plaintext`. */
  encrypt(plaintext: Uint8Array): Promise<Buffer> {
    return this.records(tls => tls.write(plaintext));
  }
}

/** Towards the socket: raw until the test captures. From the socket: frames taken apart. */
class Records extends Duplex {
  captured: Buffer[] | undefined;
  readonly #socket: Duplex;

  constructor(socket: Duplex) {
    super();
    this.#socket = socket;
    const decoder = new FrameDecoder();
    socket.on('data', (chunk: Buffer) => {
      for (const unit of decoder.push(chunk)) {
        if (unit.kind === 'record') this.push(unit.bytes);
        if (unit.kind === 'frame' && unit.payload.length > 0) this.push(unit.payload);
      }
    });
    socket.on('end', () => this.push(null));
    socket.on('error', () => {});
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    if (this.captured) this.captured.push(chunk);
    else this.#socket.write(chunk);
    callback();
  }
}
