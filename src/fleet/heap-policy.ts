import { setFlagsFromString } from 'node:v8';

/** What the fleet is doing. */
export interface Activity {
  readonly agents: number;
  /** Agents that run, without a Ready link. */
  readonly notReady: number;
  /** Links that become Ready in a second. */
  readonly perSecond: number;
}

/** With more of them V8 is not to save memory. */
const CALM = { connectsPerSecond: 20, partNotReady: 0.01 } as const;

/**
 * How V8 keeps the heap. Each handshake leaves a lot of garbage, and so does OpenSSL for what the garbage holds: left to itself,
 * V8 keeps as much of it as there are idle agents. To collect it again and again while many agents come would take more
 * than half of the fleet's CPU. So memory is saved only when most of the heap are agents that are idle.
 */
export class HeapPolicy {
  readonly #setFlags: (flags: string) => void;
  #isSaving: boolean | undefined;

  /** @param setFlags sets flags of V8 */
  constructor(setFlags: (flags: string) => void = setFlagsFromString) {
    this.#setFlags = setFlags;
  }

  follow({ agents, notReady, perSecond }: Activity): void {
    const isSaving = perSecond <= CALM.connectsPerSecond && notReady <= agents * CALM.partNotReady;
    if (isSaving === this.#isSaving) return;
    this.#isSaving = isSaving;
    // V8 looks at it at each collection.
    this.#setFlags(isSaving ? '--optimize-for-size' : '--no-optimize-for-size');
  }
}
