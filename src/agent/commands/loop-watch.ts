import type { Clock, Timer } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';

/** How often it looks whether the event loop turns. */
const LOOK_MS = 500;
/** A look that comes this late shows that the event loop stood still: pings and other commands had to wait. */
const STALL_MS = 1_000;
/** So many commands are named. */
const NAMED = 5;

/**
 * Says after the fact that the event loop stood still while commands were in progress: what a resource does in one piece
 * holds up all else in this process, and cannot be interrupted.
 */
export class LoopWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #inProgress = new Map<symbol, string>();
  #due = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** A command begins. @returns to be called when it has ended */
  begin(type: string): () => void {
    const key = Symbol(type);
    this.#inProgress.set(key, type);
    if (this.#timer === undefined) this.#look();
    return () => {
      this.#check();
      this.#inProgress.delete(key);
      if (this.#inProgress.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  #look(): void {
    this.#due = this.#clock.now() + LOOK_MS;
    this.#timer = this.#clock.after(LOOK_MS, () => {
      this.#check();
      this.#look();
    });
  }

  #check(): void {
    const now = this.#clock.now();
    const lateMs = now - this.#due;
    if (lateMs < STALL_MS) return;
    this.#due = now;
    this.#log.warn('The event loop stood still while commands were in progress: does the resource work in one piece?', {
      milliseconds: Math.round(lateMs + LOOK_MS),
      commands: [...new Set(this.#inProgress.values())].slice(0, NAMED),
    });
  }
}
