import t from 'tap';
import { openStore } from '../src/mgmt/store/open-store.js';
import { systemClock } from '../src/lib/clock.js';
import { systemRandom } from '../src/lib/random.js';
import { silentLog } from '../src/lib/logger.js';
import { factsOf } from './helpers/host-facts.js';
import { startMariaDb } from './helpers/mariadb.js';
t.test('storm', { timeout: 600_000 }, async t => {
const m = await startMariaDb(t);
const url = await m.createDatabase();
const env = { clock: systemClock, random: systemRandom, log: silentLog };
const stores = await Promise.all([1,2,3].map(() => openStore(url, env)));
const time = async (what: string, f: () => Promise<unknown>) => { const s = performance.now(); const r = await f(); console.error(what, Math.round(performance.now() - s), 'ms', r); };
const zone = await stores[0]!.zoneId('default');
await time('3000 singles of 3 servers, 32 at once each', async () => {
  const fails: Record<string, number> = {};
  let max = 0;
  await Promise.all(stores.flatMap((s, k) => Array.from({ length: 32 }, async (_, w) => {
    for (let i = w; i < 1000; i += 32) { const a = performance.now(); try { const { host } = await s.registerHost(factsOf(`s${k}-${i}`, zone)); await s.hostReady(host.id, { msid: k + 1, at: 1, msHostList: null }); } catch (e) { const c = String((e as {code: string}).code); fails[c] = (fails[c] ?? 0) + 1; } max = Math.max(max, performance.now() - a); }
  })));
  return { fails, max };
});
const store = stores[0]!;
await time('register 100k', async () => { for (let i = 0; i < 100_000; i += 500) await store.registerHosts(Array.from({length: 500}, (_, k) => factsOf(`g${i+k}`, zone, { cluster: `c${k%10}` }))); });
const ids = (await store.placements()).map(({id}) => id);
await time('ready 100k', async () => { for (let i = 0; i < 100_000; i += 500) await store.hostsReady(ids.slice(i, i + 500).map((id, k) => ({ id, msid: 1 + (k % 3), at: 1000, msHostList: `a${k},b${i}@static` }))); });
const q = async (query: object) => { const r = await store.findHosts({ page: 1, pagesize: 50, ...query }); return [r.count, r.rows.length]; };
await time('first page', () => q({}));
await time('page 1500', () => q({ page: 1500 }));
await time('keyword', () => q({ keyword: 'g9999' }));
await time('name', () => q({ name: 'name of g777' }));
await time('status', () => q({ status: ['Up'] }));
await time('msid', () => q({ msid: 2 }));
await time('cluster', () => q({ clusterId: 3 }));
await time('msid null', () => q({ msid: null }));
await time('config', () => q({ configurationBefore: 3, status: ['Up'] }));
await time('counts', () => store.agentCounts());
await time('hosts()', async () => (await store.hosts()).length);
await time('placements()', async () => (await store.placements()).length);
await time('ring()', async () => (await store.ring(zone)).length);
await time('agentsOfServer', async () => (await store.agentsOfServer(2)).agents.length);
const c = await store.hostsChanged();
await time('hostsChanged', async () => (await store.hostsChanged(c.cursor)).hosts.length);
await time('releaseHosts', () => store.releaseHosts(2, { at: 1, reason: 'x' }));
for (const s of stores) await s.close();
});
