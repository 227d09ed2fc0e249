/** What one cycle through the hosts is made from. */
export interface CycleInput {
  /** The host list, in order. */
  readonly hosts: readonly string[];
  /** Advice: not before all others have failed. */
  readonly avoid: readonly string[];
  /** The hosts of `last.setup.completed.host`, once two full cycles have failed; else empty. */
  readonly fallback: readonly string[];
  /** The host that was tried or lost last: the cycle starts behind it. */
  readonly after: string | undefined;
}

/**
 * The order of one full cycle: the list from the next host on, with the avoided ones last, and then hosts of the last
 * list that worked. Each host once; never empty when `hosts` is not.
 */
export function planCycle({ hosts, avoid, fallback, after }: CycleInput): readonly string[] {
  const start = after === undefined ? 0 : hosts.indexOf(after) + 1;
  const rotated = [...hosts.slice(start), ...hosts.slice(0, start)];
  const wanted = rotated.filter(host => !avoid.includes(host));
  const avoided = rotated.filter(host => avoid.includes(host));
  return [...new Set([...wanted, ...avoided, ...fallback])];
}
