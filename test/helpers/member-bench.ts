import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { silentLog } from '../../src/lib/logger.js';
import { Membership, type MembershipParts } from '../../src/mgmt/cluster/membership.js';
import type { JobRow, ServerRow } from '../../src/mgmt/store/store.js';
import { StoreHealth } from '../../src/mgmt/store/store-health.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { openEmptyStore } from './empty-store.js';
import { hostDescription } from './host-description.js';
import { hostReady, registerHost } from './one-host.js';
import { scratchFolder } from './scratch.js';
import { seededRandom } from './seeded-random.js';
import { StoreFaults } from './store-faults.js';

/** A server's membership alone, and its way to the store: `faults.isAway` is what kill -9 looks like to the others. */
export interface Member {
  readonly membership: Membership;
  readonly faults: StoreFaults;
}

/** Memberships over one real store, whose clock is the test's. */
export async function memberBench(t: Test) {
  const clock = new FakeClock();
  const folder = scratchFolder('muster-store-');
  const store = await openEmptyStore(join(folder, 'muster.db'), { clock, random: seededRandom(1), log: silentLog });
  const members: Membership[] = [];
  t.teardown(async () => {
    for (const membership of members) await membership.leave().catch(() => {});
    await store.close();
    rmSync(folder, { recursive: true });
  });
  /** Who took whom down. */
  const down: string[] = [];
  let serial = 1;

  function member(msid: number, more: Partial<MembershipParts> = {}): Member {
    const faults = new StoreFaults();
    const membership = new Membership(faults.over(store), {
      clock,
      random: seededRandom(++serial),
      log: silentLog,
      health: new StoreHealth(silentLog),
      msid,
      address: `192.0.2.${msid % 10}`,
      name: `ms-${msid}`,
      dataDirToken: `token-${msid}`,
      heartbeat: () => ({ intervalMs: 1_500, thresholdMs: 150_000 }),
      onState: () => {},
      onAvoided: () => {},
      onForeign: () => {},
      onSharedAddress: () => {},
      servingPort: () => 8250,
      onServerDown: row => void down.push(`${msid} took ${row.msid} down`),
      ...more,
    });
    members.push(membership);
    return { membership, faults };
  }

  return {
    ...{ clock, store, down, member },
    /** Members that have joined, with these msids. */
    async members(...msids: readonly number[]): Promise<readonly Member[]> {
      const joined = msids.map(msid => member(msid));
      for (const { membership } of joined) await membership.join();
      return joined;
    },
    async row(msid: number): Promise<ServerRow | undefined> {
      return (await store.servers()).find(server => server.msid === msid);
    },
    /** @returns the id of a host that is Up on this server */
    async hostOn(msid: number): Promise<number> {
      const { host } = await registerHost(store, hostDescription('g1', await store.zoneId('default')));
      await hostReady(store, host.id, { msid, msHostList: 'x@static', at: 1 });
      return host.id;
    },
    async jobOf(msid: number, hostId: number | null = null): Promise<JobRow> {
      return store.createJob({ cmd: 'reconnectHost', params: '{}', targetMsid: msid, hostId, createdBy: null });
    },
  };
}
