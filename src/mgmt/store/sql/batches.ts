import { HOSTS_A_BATCH } from '../host-store.js';

/** A batch that is too large is a mistake of the caller's. */
export function bounded<T>(batch: readonly T[]): readonly T[] {
  if (batch.length > HOSTS_A_BATCH)
    throw new RangeError(`${batch.length} hosts at once; the limit is ${HOSTS_A_BATCH}`);
  return batch;
}

/** A CASE is gone through for every row of its statement, so that its length counts twice. */
const HOSTS_A_PIECE = 100;

/** Cuts a batch, in its order, into pieces for one statement, in which each host occurs once. */
export function* inPieces<T>(batch: readonly T[], keyOf: (entry: T) => string | number): Generator<readonly T[]> {
  let piece = new Map<string | number, T>();
  for (const entry of batch) {
    const key = keyOf(entry);
    if (piece.size === HOSTS_A_PIECE || piece.has(key)) {
      yield [...piece.values()];
      piece = new Map();
    }
    piece.set(key, entry);
  }
  if (piece.size > 0) yield [...piece.values()];
}
