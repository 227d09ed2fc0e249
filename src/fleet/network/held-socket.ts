import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../lib/clock.js';

/** Makes a socket read nothing, or only so much, whoever resumes it meanwhile. */
export class HeldSocket {
  readonly #socket: Socket;
  readonly #clock: Clock;
  #isHeld = false;
  #bytesPerSecond: number | undefined;
  /** Until the bytes that were read have had their time. */
  #rest: Timer | undefined;
  readonly #onData = (chunk: Buffer) => this.#read(chunk.length);

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    // In the place of the method that the reader of the socket calls.
    socket.resume = () => socket;
    socket.on('data', this.#onData);
    socket.pause();
    socket.once('close', () => this.#rest?.cancel());
  }

  /** @returns whether it is as any socket again: nothing is done to it any more */
  set(isHeld: boolean, bytesPerSecond: number | undefined): boolean {
    this.#isHeld = isHeld;
    this.#bytesPerSecond = bytesPerSecond;
    this.#rest?.cancel();
    this.#rest = undefined;
    if (isHeld) this.#socket.pause();
    else if (bytesPerSecond !== undefined) this.#flow();
    else {
      this.#socket.off('data', this.#onData);
      Reflect.deleteProperty(this.#socket, 'resume');
      this.#socket.resume();
      return true;
    }
    return false;
  }

  #read(bytes: number): void {
    const rate = this.#bytesPerSecond;
    if (rate === undefined) return;
    this.#socket.pause();
    this.#rest = this.#clock.after((1_000 * bytes) / rate, () => {
      this.#rest = undefined;
      if (!this.#isHeld) this.#flow();
    });
  }

  #flow(): void {
    Object.getPrototypeOf(this.#socket).resume.call(this.#socket);
  }
}
