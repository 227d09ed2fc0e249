import { countOf } from '../load/quantity.js';
import type { Who } from './fault.js';

/**
 * The agents that a fault happens to.
 * @param running their numbers
 * @param random uniform in [0, 1)
 */
export function chosen(
  who: Who,
  running: readonly number[],
  guidOf: (agent: number) => string,
  random: () => number,
): readonly number[] {
  if ('guid' in who) return running.filter(agent => guidOf(agent) === who.guid);
  const count = countOf(who, running.length);
  const left = [...running];
  // Of a shuffle, as much as is needed.
  for (let index = 0; index < count; index++) {
    const other = index + Math.floor(random() * (left.length - index));
    [left[index], left[other]] = [left[other] as number, left[index] as number];
  }
  return left.slice(0, count);
}
