/** A part of the time in which connections came or were served. */
export interface Measurement {
  /** How long it was, in milliseconds. */
  readonly ms: number;
  /** Connections that have ended in it, served or not. One under way counts in parts, as it goes on. */
  readonly ended: number;
  /** Those that have become Ready in it. */
  readonly ready: number;
  /** Which part of it the server was busy: its event loop, or its store, 0 to 1. */
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
/** So many that have become Ready, over so long, tell what one costs. */
const ENOUGH = { ready: 20, ms: 1_000 } as const;
/** What was longer ago counts half. Many may become Ready together, for which much was done before. */
const REMEMBERED_MS = 20_000;
/** A server that has time to spare could serve more than it does, but not more than four times as many: it has not only an event loop. */
const LEAST_UTILIZATION = 0.25;

/**
 * How many connections a server can bring to Ready in a second, as far as that was measured.
 *
 * It has been busy for so long, and so many have become Ready: that is what one costs. Those that have not, and what else
 * the event loop has done, are in the time alone, so nobody raises the rate who does not become Ready. A server that is full for
 * a while serves as many as it can: if that is less, the rate falls.
 */
export class ConnectionRate {
  #perSecond = FIRST_RATE;
  #ready = 0;
  #busyMs = 0;
  /** In which any have become Ready. */
  #readyMs = 0;
  #rememberedMs = 0;
  /** Which part of the last measurements it was full, 0 to 1. */
  #fullness = 0;
  /** While it is full: how many end in a second, on the average of the last measurements. */
  #pace: number | undefined;

  get perSecond(): number {
    return this.#perSecond;
  }

  measured({ ms, ended, ready, utilization, isFull }: Measurement): void {
    this.#remember(ms, ready, ms * (isFull ? 1 : utilization));
    this.#fullness += FULL.weight * ((isFull ? 1 : 0) - this.#fullness);
    if (this.#fullness < FULL.part) {
      this.#pace = undefined;
      this.#perSecond = Math.max(this.#perSecond, this.#could);
      return;
    }
    const former = this.#pace ?? this.#perSecond;
    const weight = Math.min(WEIGHT.most, (former * ms) / 1_000 / WEIGHT.averaged);
    const pace = Math.max(LEAST_RATE, former + weight * ((1_000 * ended) / ms - former));
    this.#pace = pace;
    this.#perSecond = Math.min(pace, Math.max(this.#perSecond, this.#could));
  }

  /** Nothing is measured from now on, until the next connection comes. */
  rest(): void {
    this.#fullness = 0;
    this.#pace = undefined;
  }

  /** By what one has cost; 0: that is not known. */
  get #could(): number {
    if (this.#ready < ENOUGH.ready || this.#readyMs < ENOUGH.ms) return 0;
    return (1_000 * this.#ready) / Math.max(this.#busyMs, LEAST_UTILIZATION * this.#readyMs);
  }

  #remember(ms: number, ready: number, busyMs: number): void {
    this.#ready += ready;
    this.#busyMs += busyMs;
    if (ready > 0) this.#readyMs += ms;
    this.#rememberedMs += ms;
    if (this.#rememberedMs < REMEMBERED_MS) return;
    this.#ready /= 2;
    this.#busyMs /= 2;
    this.#readyMs /= 2;
    this.#rememberedMs /= 2;
  }
}
