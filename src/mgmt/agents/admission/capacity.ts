/** A part of the time in which connections came or were served. */
export interface Measurement {
  /** How long it was, in milliseconds. */
  readonly ms: number;
  /** Connections that were served in it. */
  readonly ended: number;
  /** Which part of it the event loop was busy, 0 to 1. */
  readonly utilization: number;
  /** Many were there, and waited for nothing but the server: it could not have served more. */
  readonly isFull: boolean;
}

/** Connections served in a second, before it was measured: a slow machine does more. */
const FIRST_RATE = 200;
const LEAST_RATE = 10;
/**
 * How much a measurement of a full server counts in the average: less when it should have seen but a few connections. It is by chance
 * then how many these are.
 */
const WEIGHT = { most: 0.1, averaged: 50 } as const;
/**
 * A server counts as full when it was for this part of the last measurements, each of which counts this much. For a moment it is when many
 * come at once, whose agents have not answered yet.
 */
const FULL = { part: 0.6, weight: 0.1 } as const;
/** So many connections tell what one costs. */
const ENOUGH = 20;
/** Behind so many, earlier ones count for less. Many may come to their ends together, for which much was done before. */
const REMEMBERED = 4_000;
/** A server that has time to spare could serve more than it does, but not more than four times as many: it has not only an event loop. */
const LEAST_UTILIZATION = 0.25;

/**
 * How many connections a server can serve in a second, as far as that was measured.
 *
 * Its event loop has been busy for so long since the first one came, and so many have ended: that is what one costs. What
 * has begun and not ended is in the time alone, and what else the event loop did is too, so it errs on the lower side, and only raises
 * the rate. A server that is full for a while serves as many as it can: if that is less, the rate falls.
 */
export class Capacity {
  #rate = FIRST_RATE;
  /** Since the first one came. */
  #ended = 0;
  #busyMs = 0;
  /** Which part of the last measurements it was full, 0 to 1. */
  #fullness = 0;
  /** While it is full: how many it serves in a second, on the average of the last measurements. */
  #pace: number | undefined;

  /** Connections a second. */
  get rate(): number {
    return this.#rate;
  }

  measured({ ms, ended, utilization, isFull }: Measurement): void {
    this.#remember(ended, isFull ? ms : ms * Math.max(utilization, LEAST_UTILIZATION));
    const could = this.#ended < ENOUGH ? 0 : (1_000 * this.#ended) / this.#busyMs;
    this.#fullness += FULL.weight * ((isFull ? 1 : 0) - this.#fullness);
    if (this.#fullness < FULL.part) {
      this.#pace = undefined;
      this.#rate = Math.max(this.#rate, could);
      return;
    }
    const former = this.#pace ?? this.#rate;
    const weight = Math.min(WEIGHT.most, (former * ms) / 1_000 / WEIGHT.averaged);
    const pace = Math.max(LEAST_RATE, former + weight * ((1_000 * ended) / ms - former));
    this.#pace = pace;
    this.#rate = Math.min(pace, Math.max(this.#rate, could));
  }

  /** All have been served that had come. */
  rest(): void {
    this.#ended = 0;
    this.#busyMs = 0;
    this.#fullness = 0;
    this.#pace = undefined;
  }

  #remember(ended: number, busyMs: number): void {
    this.#ended += ended;
    this.#busyMs += busyMs;
    if (this.#ended < REMEMBERED) return;
    this.#ended /= 2;
    this.#busyMs /= 2;
  }
}
