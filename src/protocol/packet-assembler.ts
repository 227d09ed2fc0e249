const EMPTY = Buffer.alloc(0);
const SMALLEST_ROOM = 4096;

/**
 * Joins plaintext to packets. TLS gives plaintext without telling which record it comes from. The frames below tell,
 * before the plaintext comes, how many bytes they carry, and which frame is the last of its packet.
 * @example
 * const assembler = new PacketAssembler();
 * assembler.frame(100, true);
 * assembler.frame(20, false);
 * const packets = assembler.push(plaintext); // one packet, once 120 bytes have come
 */
export class PacketAssembler {
  /** The lengths of the packets whose last frame has come, the oldest first. */
  readonly #ended: number[] = [];
  /** Bytes of the packet whose last frame has not come yet. */
  #growing = 0;
  /** The plaintext of the oldest packet while it is incomplete, in one buffer. */
  #room = EMPTY;
  #filled = 0;

  /** Bytes of the packet whose last frame has not come yet. */
  get growingBytes(): number {
    return this.#growing;
  }

  /**
   * Announces the plaintext of one frame. `push` returns a packet without any bytes as well.
   * @param bytes of plaintext in the frame
   * @param following whether the next frame continues the packet
   */
  frame(bytes: number, following: boolean): void {
    this.#growing += bytes;
    if (following) return;
    this.#ended.push(this.#growing);
    this.#growing = 0;
  }

  /**
   * Takes plaintext, in chunks of any size. An empty chunk returns a packet whose last frame was empty.
   * @returns the packets that are complete now
   */
  push(chunk: Buffer): Buffer[] {
    const packets: Buffer[] = [];
    let rest = chunk;
    for (;;) {
      const length = this.#ended[0];
      if (length === undefined || this.#filled + rest.length < length) break;
      if (this.#filled === 0) {
        packets.push(rest.subarray(0, length));
        rest = rest.subarray(length);
      } else {
        const missing = length - this.#filled;
        this.#keep(rest.subarray(0, missing));
        packets.push(this.#room.subarray(0, length));
        rest = rest.subarray(missing);
        this.#room = EMPTY;
        this.#filled = 0;
      }
      this.#ended.shift();
    }
    if (rest.length > 0) this.#keep(rest);
    return packets;
  }

  #keep(bytes: Buffer): void {
    const need = this.#filled + bytes.length;
    if (this.#room.length < need) {
      const room = Buffer.allocUnsafe(Math.max(SMALLEST_ROOM, need, 2 * this.#room.length));
      this.#room.copy(room, 0, 0, this.#filled);
      this.#room = room;
    }
    bytes.copy(this.#room, this.#filled);
    this.#filled = need;
  }
}
