import { type AssignmentAttempt, type AssignmentEntry, assignmentOf, type Store } from '../../src/mgmt/store/store.js';

/** A generation of assignments that is written, and not committed. */
export async function writtenAttempt(
  store: Pick<Store, 'beginAssignment' | 'writeAssignments'>,
  batch: readonly AssignmentEntry[],
): Promise<AssignmentAttempt> {
  const begun = await store.beginAssignment();
  if (!begun.begun) throw new Error('another attempt is under way');
  const attempt = await store.writeAssignments(begun.attempt, batch);
  if (attempt === undefined) throw new Error('another attempt has begun');
  return attempt;
}

/** Assigns hosts anew, as one change without values. */
export async function reassign(
  store: Pick<Store, 'configuration' | 'beginAssignment' | 'writeAssignments' | 'updateConfiguration'>,
  batch: readonly AssignmentEntry[],
): Promise<void> {
  const { version } = await store.configuration();
  const { done } = await store.updateConfiguration(new Map(), version, {
    attempt: await writtenAttempt(store, batch),
  });
  if (!done) throw new Error('another change came in between');
}

/** The assignment that counts, by host id. */
export async function assignments(
  store: Pick<Store, 'configuration' | 'hosts'>,
): Promise<ReadonlyMap<number, string | null>> {
  const { assignmentGeneration } = await store.configuration();
  return new Map((await store.hosts()).map(row => [row.id, assignmentOf(row, assignmentGeneration)]));
}

/** How many hosts each server leads. */
export async function leads(store: Pick<Store, 'configuration' | 'hosts'>): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const server of (await assignments(store)).values()) counts[`${server}`] = (counts[`${server}`] ?? 0) + 1;
  return counts;
}
