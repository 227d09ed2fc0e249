import { setImmediate } from 'node:timers/promises';
import { parseReportedList } from './host-list.js';
import { giveSameLists, type ListSettings } from './list-preview.js';
import { inSlices } from './slices.js';
import { type Change, computeAllInSteps } from './sticky-placement.js';
import { HOSTS_A_BATCH, type HostRow, type Store } from './store/store.js';

type PlacingStore = Pick<Store, 'setPreferred'>;

/**
 * Computes the sticky first server of every host anew, and writes what changes, before the settings that need it hold:
 * whoever reads them finds the rows as they should be. From another algorithm agents are taken over where they are.
 * @returns how many hosts have another first server now
 * @throws StoreError
 */
export async function placeHosts(
  store: PlacingStore,
  rows: readonly HostRow[],
  proposed: ListSettings,
): Promise<number> {
  const agents = rows.map(({ id, preferred, msHostList }) => ({
    hostId: id,
    preferred: preferred ?? parseReportedList(msHostList ?? undefined).servers[0],
  }));
  const { changes, preferred } = await inSlices(
    computeAllInSteps(agents, proposed.servers, proposed.weights),
    setImmediate,
  );
  // Those that stay have it in their row, too: from now on that is what holds.
  const unwritten = rows.flatMap(({ id, preferred: standing }, index) => {
    const first = preferred[index];
    return standing === null && first !== undefined ? [{ id, preferred: first }] : [];
  });
  const moved = changes.map(({ hostId, to }: Change) => ({ id: hostId, preferred: to }));
  const all = [...new Map([...unwritten, ...moved].map(entry => [entry.id, entry])).values()];
  for (let at = 0; at < all.length; at += HOSTS_A_BATCH) await store.setPreferred(all.slice(at, at + HOSTS_A_BATCH));
  return moved.length;
}

/** Whether a change of the settings needs it. */
export function needsPlacing(now: ListSettings, proposed: ListSettings): boolean {
  return proposed.algorithm === 'rendezvous' && !giveSameLists(now, proposed);
}
