import { setFlagsFromString } from 'node:v8';
import type { Clock, Timer } from '../lib/clock.js';
import type { Ledger } from './measure/ledger.js';

export interface HeapPolicyParts {
  readonly ledger: Pick<Ledger, 'dials' | 'connects'>;
  readonly clock: Clock;
  /** Sets flags of V8. @default node:v8 */
  setFlags?(flags: string): void;
}

/** With more dials or connects in a second V8 is not to save memory. */
const CALM_PER_SECOND = 20;
const LOOK_MS = 1_000;

/**
 * How V8 keeps the heap. Each handshake leaves a lot of garbage, and so does OpenSSL for what the garbage holds: left to itself,
 * V8 keeps as much of it as there are idle agents. To collect it again and again while many agents come would take a third
 * to a half of the fleet's CPU. So memory is saved only when most of the heap are agents that are idle.
 */
export class HeapPolicy {
  readonly #parts: HeapPolicyParts;
  #isSaving: boolean | undefined;
  #timer: Timer | undefined;

  constructor(parts: HeapPolicyParts) {
    this.#parts = parts;
  }

  start(): void {
    const { ledger, clock, setFlags = setFlagsFromString } = this.#parts;
    const [dials, connects, at] = [ledger.dials, ledger.connects, clock.now()];
    this.#timer = clock.after(LOOK_MS, () => {
      const most = Math.max(ledger.dials - dials, ledger.connects - connects);
      const isSaving = (1_000 * most) / (clock.now() - at) <= CALM_PER_SECOND;
      // V8 looks at it at each collection.
      if (isSaving !== this.#isSaving) setFlags(isSaving ? '--optimize-for-size' : '--no-optimize-for-size');
      this.#isSaving = isSaving;
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
