/** Where the id stands among ids in ascending order; the number of ids when it is not among them. */
export function indexOfId(ids: readonly number[], id: number): number {
  const index = placeOfId(ids, id);
  return ids[index] === id ? index : ids.length;
}

/** Puts the id at its place among ids in ascending order, unless it is there. */
export function addId(ids: number[], id: number): void {
  const index = placeOfId(ids, id);
  if (ids[index] !== id) ids.splice(index, 0, id);
}

function placeOfId(ids: readonly number[], id: number): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
