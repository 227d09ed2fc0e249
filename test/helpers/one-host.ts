import { readHosts } from '../../src/mgmt/store/pages.js';
import type {
  HostDescription,
  HostDisconnectedEntry,
  HostListEntry,
  HostReadyEntry,
  HostRow,
  HostStore,
} from '../../src/mgmt/store/store.js';

// The store's batches, with one entry each.

export async function registerHost<R>(
  store: { registerHosts(batch: readonly HostDescription[]): Promise<readonly R[]> },
  host: HostDescription,
): Promise<R> {
  const [registration] = await store.registerHosts([host]);
  if (registration === undefined) throw new Error('a host that was registered has no row');
  return registration;
}

/** @returns the new epoch; undefined: it was not taken */
export async function hostReady(
  store: Pick<HostStore, 'hostsReady'>,
  id: number,
  ready: Omit<HostReadyEntry, 'id'>,
): Promise<number | undefined> {
  const [outcome] = await store.hostsReady([{ id, ...ready }]);
  return outcome?.kind === 'taken' ? outcome.epoch : undefined;
}

export async function hostDisconnected(
  store: Pick<HostStore, 'hostsDisconnected'>,
  id: number,
  disconnected: Omit<HostDisconnectedEntry, 'id'>,
): Promise<boolean | undefined> {
  return (await store.hostsDisconnected([{ id, ...disconnected }]))[0];
}

export async function hostMsHostList(
  store: Pick<HostStore, 'hostsMsHostList'>,
  id: number,
  list: Omit<HostListEntry, 'id'>,
): Promise<boolean | undefined> {
  return (await store.hostsMsHostList([{ id, ...list }]))[0];
}

/** All columns of all hosts by ascending id, where `hosts` has pages of those for serving agents. */
export async function wholeHosts(store: Pick<HostStore, 'findHosts'>): Promise<readonly HostRow[]> {
  const { rows } = await readHosts(query => store.findHosts(query), { page: 1, pagesize: 1_000_000 });
  return rows.toSorted((one, other) => one.id - other.id);
}
