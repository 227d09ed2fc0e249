/** When agents start, at a rate: the first at once, the others evenly behind it. */

/** @returns milliseconds after the start of the fleet. @param index from 0 @param perSecond undefined: all at once */
export function startsAtMs(index: number, perSecond: number | undefined): number {
  return perSecond === undefined ? 0 : (1_000 * index) / perSecond;
}

/** How many agents are to have started so long after the start of the fleet. */
export function startedBy(elapsedMs: number, perSecond: number | undefined, agents: number): number {
  if (perSecond === undefined) return agents;
  return Math.min(agents, Math.floor((elapsedMs * perSecond) / 1_000 + 1e-9) + 1);
}
