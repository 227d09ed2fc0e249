import type { Clock } from '../../lib/clock.js';
import { runInTurns } from '../../lib/interruptible.js';
import { parseReportedList } from '../../protocol/host-list.js';
import { HOSTS_A_BATCH, type HostRow, type Store } from '../store/store.js';
import { assignAllInSteps } from './assign.js';
import { giveSameLists, type ListSettings } from './preview.js';

type PlacingStore = Pick<Store, 'setPreferred'>;

/**
 * Computes the assignments of all hosts anew, and writes those that change. An operator asks for it.
 * @returns how many hosts have another assignment now
 * @throws StoreError
 */
export async function placeHosts(
  store: PlacingStore,
  rows: readonly HostRow[],
  settings: ListSettings,
  clock: Pick<Clock, 'turn'>,
): Promise<number> {
  const agents = rows.map(({ id, preferred, msHostList }) => ({
    hostId: id,
    preferred: preferred ?? parseReportedList(msHostList ?? undefined).hosts[0],
  }));
  const { changes, preferred } = await runInTurns(assignAllInSteps(agents, settings.servers, settings.weights), clock);
  await writePlaces(store, rows, preferred);
  return changes.length;
}

/**
 * Writes the assignment of each host, before the settings that need it: a server that reads the new settings finds the
 * assignments there. Hosts that stay where they are get an assignment as well.
 * @param firsts the assigned servers, in the order of the rows
 * @throws StoreError
 */
export async function writePlaces(
  store: PlacingStore,
  rows: readonly HostRow[],
  firsts: readonly (string | undefined)[],
): Promise<void> {
  const changed = rows.flatMap(({ id, preferred: standing }, index) => {
    const preferred = firsts[index];
    return preferred !== undefined && preferred !== standing ? [{ id, preferred }] : [];
  });
  for (let at = 0; at < changed.length; at += HOSTS_A_BATCH) {
    await store.setPreferred(changed.slice(at, at + HOSTS_A_BATCH));
  }
}

/** Whether assignments have to be written before a change of the settings. */
export function needsPlacing(now: ListSettings, proposed: ListSettings): boolean {
  return proposed.algorithm === 'rendezvous' && !giveSameLists(now, proposed);
}
