import type { Planned } from './schedule.js';

/**
 * Finds a short plan that fails as well: leaves out halves, quarters and so on, down to single faults.
 * @param fails runs a world with these faults
 * @param attempts worlds that may be run
 */
export async function shrink(
  faults: readonly Planned[],
  fails: (faults: readonly Planned[]) => Promise<boolean>,
  attempts = 200,
): Promise<readonly Planned[]> {
  let shortest = faults;
  let left = attempts;
  for (let size = Math.ceil(shortest.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < shortest.length && left > 0; ) {
      const rest = [...shortest.slice(0, at), ...shortest.slice(at + size)];
      left--;
      if (await fails(rest)) shortest = rest;
      else at += size;
    }
  }
  return shortest;
}
