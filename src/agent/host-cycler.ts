/** The input for the order of one cycle. */
export interface CycleInput {
  /** The host list, in order. */
  readonly hosts: readonly string[];
  /** Hosts of the list that are dialled when all others have failed. */
  readonly avoid: readonly string[];
  /** Hosts whose last dial has failed. They are dialled after those that have not failed. */
  readonly failed: readonly string[];
  /** The hosts of `last.setup.completed.host`, once two full cycles have failed; otherwise empty. */
  readonly fallback: readonly string[];
  /** The host that failed or was lost last. The cycle begins with the one after it. */
  readonly after: string | undefined;
}

/**
 * The order of one full cycle: the hosts of the list from the next one on, first those that have not failed, which a
 * host that was lost belongs to; then the avoided ones, then those of the last list that worked. Each host is in it
 * once. It is empty only when `hosts` is.
 */
export function planCycle({ hosts, avoid, failed, fallback, after }: CycleInput): readonly string[] {
  const start = after === undefined ? 0 : hosts.indexOf(after) + 1;
  const rotated = [...hosts.slice(start), ...hosts.slice(0, start)];
  const wanted = rotated.filter(host => !avoid.includes(host));
  const fresh = wanted.filter(host => !failed.includes(host));
  const avoided = rotated.filter(host => avoid.includes(host));
  return [...new Set([...fresh, ...wanted, ...avoided, ...fallback])];
}
