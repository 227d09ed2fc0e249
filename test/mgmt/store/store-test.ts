import t, { type Test } from 'tap';
import type { ServerDescription, Store } from '../../../src/mgmt/store/store.js';

/** Makes an empty store and returns what opens it, as often as one likes. What is open is closed when the test ends. */
export type FreshStore = (t: Test) => Promise<() => Promise<Store>>;

/** A test of the contract: one store is open, and others on the same data can be. */
export function storeTest(kind: string, fresh: FreshStore) {
  return (name: string, check: (t: Test, store: Store, open: () => Promise<Store>) => Promise<void>) =>
    t.test(`${kind}: ${name}`, async t => {
      const open = await fresh(t);
      await check(t, await open(), open);
    });
}

export async function closedWith(t: Test, opening: Promise<Store>): Promise<Store> {
  const store = await opening;
  t.teardown(() => store.close());
  return store;
}

export const MSID_A = 2 ** 47 + 1;
export const MSID_B = 7;

/** Of a server as it describes itself. */
export const serverDescription = (msid: number, more: Partial<ServerDescription> = {}): ServerDescription => ({
  msid,
  name: `server ${msid}`,
  version: '0.1.0',
  serviceIp: '192.0.2.1',
  osDistribution: 'Debian GNU/Linux 12',
  kernelVersion: '6.1.0',
  lastBootTime: 1_700_000_000_000,
  ...more,
});
