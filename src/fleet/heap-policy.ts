import { setFlagsFromString } from 'node:v8';

/** What the agents of a fleet do in a second. */
export interface Activity {
  /** TCP connections that they try to open. */
  readonly dials: number;
  /** Their links that become Ready. */
  readonly connects: number;
}

/** With more dials or connects in a second V8 is not to save memory. */
const CALM_PER_SECOND = 20;

/**
 * How V8 keeps the heap. Each handshake leaves a lot of garbage, and so does OpenSSL for what the garbage holds: left to itself,
 * V8 keeps as much of it as there are idle agents. To collect it again and again while many agents come would take a third
 * to a half of the fleet's CPU. So memory is saved only when most of the heap are agents that are idle.
 */
export class HeapPolicy {
  readonly #setFlags: (flags: string) => void;
  #isSaving: boolean | undefined;

  /** @param setFlags sets flags of V8 */
  constructor(setFlags: (flags: string) => void = setFlagsFromString) {
    this.#setFlags = setFlags;
  }

  follow({ dials, connects }: Activity): void {
    const isSaving = Math.max(dials, connects) <= CALM_PER_SECOND;
    if (isSaving === this.#isSaving) return;
    this.#isSaving = isSaving;
    // V8 looks at it at each collection.
    this.#setFlags(isSaving ? '--optimize-for-size' : '--no-optimize-for-size');
  }
}
