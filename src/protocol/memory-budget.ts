/**
 * Bytes of memory that many links share. A link takes bytes before it stores them, and gives them back when it has
 * passed them on or has closed.
 * @example
 * const budget = new MemoryBudget(LIMITS.allPacketBytesBeforeReady);
 * const transport = await acceptTls(socket, { ...options, budget });
 */
export class MemoryBudget {
  readonly #bytes: number;
  #taken = 0;

  /** @param bytes how many all links may have taken at the same time */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Bytes that are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** @returns false when too few bytes are left; then none are taken */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#bytes) return false;
    this.#taken += bytes;
    return true;
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#taken -= bytes;
  }
}
