import type { Clock } from '../../lib/clock.js';

/** Spreads pieces of work over turns of the event loop, so that sockets and timers are served between them. */
export class TurnLimit {
  readonly #clock: Pick<Clock, 'turn'>;
  readonly #perTurn: number;
  #begun = 0;
  #nextTurn: Promise<void> | undefined;

  /** @param perTurn how many pieces of work may begin in one turn */
  constructor(clock: Pick<Clock, 'turn'>, perTurn: number) {
    this.#clock = clock;
    this.#perTurn = perTurn;
  }

  /** Waits for a turn in which the work may begin: the one that is under way, or a later one. The first that waits is the first. */
  async enter(): Promise<void> {
    while (this.#begun >= this.#perTurn) await this.#nextTurn;
    this.#begun++;
    this.#nextTurn ??= this.#clock.turn().then(() => {
      this.#begun = 0;
      this.#nextTurn = undefined;
    });
  }
}
