/** One at a time, in the order of arrival. */
export class Line {
  #tail: Promise<void> = Promise.resolve();

  /** Resolves when it is the caller's turn; the function it gives ends that turn. */
  async enter(): Promise<() => void> {
    const ahead = this.#tail;
    let leave = () => {};
    this.#tail = new Promise(resolve => {
      leave = resolve;
    });
    await ahead;
    return leave;
  }
}
