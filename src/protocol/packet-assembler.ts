const EMPTY = Buffer.alloc(0);
const SMALLEST_ROOM = 4096;

/**
 * Packets from plaintext. TLS gives plaintext without saying which record it came from; the frames below say, ahead of
 * it, how many bytes they carry and which of them ends a packet.
 */
export class PacketAssembler {
  /** Lengths of the packets whose last frame has come, oldest first. */
  readonly #ended: number[] = [];
  /** Bytes of the packet whose last frame has not come yet. */
  #growing = 0;
  /** Plaintext of the oldest packet, while it is incomplete. One buffer, however small the pieces come. */
  #room = EMPTY;
  #filled = 0;

  /** Bytes of packets that frames have announced and `push` has not returned yet. */
  get heldBytes(): number {
    return this.#ended.reduce((sum, length) => sum + length, this.#growing);
  }

  /** Bytes of the packet that is still growing. */
  get growingBytes(): number {
    return this.#growing;
  }

  /** A frame with `bytes` of plaintext is on its way. Empty packets are none. */
  frame(bytes: number, following: boolean): void {
    this.#growing += bytes;
    if (following || this.#growing === 0) return;
    this.#ended.push(this.#growing);
    this.#growing = 0;
  }

  /** @returns the packets that are whole now; with an empty chunk those that a last, empty frame has ended */
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
