/** Whether two lists have the same members, in whatever order and however often each. */
export function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  const members = new Set(one);
  return members.size === new Set(other).size && other.every(member => members.has(member));
}
