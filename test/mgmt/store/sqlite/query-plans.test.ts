import { join } from 'node:path';
import Database from 'libsql';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { HOSTS_A_BATCH, type Store } from '../../../../src/mgmt/store/store.js';
import { hostDescription } from '../../../helpers/host-description.js';
import { testFolder } from '../../../helpers/scratch.js';

/** The statements of some calls, each with the lines of its plan. Without statistics SQLite guesses. */
async function plansOf(t: Test, calls: (store: Store) => Promise<unknown>): Promise<Map<string, readonly string[]>> {
  const texts = new Set<string>();
  const { prepare } = Database.prototype;
  Database.prototype.prepare = function (this: Database.Database, text: string) {
    texts.add(text);
    return prepare.call(this, text);
  } as typeof prepare;
  t.teardown(() => {
    Database.prototype.prepare = prepare;
  });
  const file = join(testFolder(t), 'muster.db');
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;
  const store = await openStore(`sqlite:${file}`, parts);
  texts.clear();
  await calls(store);
  await store.close();
  const database = new Database(file);
  const plans = new Map<string, readonly string[]>();
  for (const text of texts) {
    if (!/^(select|update|delete)\b/i.test(text)) continue;
    const values = Array.from(text.matchAll(/\?/g), () => 'x');
    const plan = prepare.call(database, `explain query plan ${text}`).all(values) as { detail: string }[];
    plans.set(
      text,
      plan.map(({ detail }) => detail),
    );
  }
  database.close();
  return plans;
}

t.test('a batch of hosts is found by their ids and guids, never by reading all hosts', async t => {
  const plans = await plansOf(t, async store => {
    const zoneId = await store.zoneId('default');
    const descriptions = Array.from({ length: HOSTS_A_BATCH }, (_, i) => hostDescription(`guid-${i}`, zoneId));
    const known = (await store.registerHosts(descriptions)).map(({ host }) => host);
    await store.registerHosts(descriptions);
    const ids = known.map(({ id }) => id);
    const outcomes = await store.hostsReady(ids.map(id => ({ id, msid: 1, msHostList: `list-${id}`, at: 1 })));
    const epochs = outcomes.map(outcome => (outcome.kind === 'taken' ? outcome.epoch : 0));
    await store.hostsMsHostList(ids.map((id, i) => ({ id, epoch: epochs[i] ?? 0, msHostList: 'list' })));
    await store.hostsById(ids);
    await store.assignHosts(
      ids.map(id => ({ id, preferred: '192.0.2.1' })),
      0,
    );
    await store.hostsDisconnected(ids.map((id, i) => ({ id, msid: 1, epoch: epochs[i] ?? 0, at: 2, reason: 'test' })));
    await store.releaseHosts(1, { at: 3, reason: 'test', cause: 'server-down' });
  });
  let named = 0;
  for (const [text, plan] of plans) {
    const column = /"host".* where .*?"(id|guid|removed_guid)" in \(\?/.exec(text)?.[1];
    if (column === undefined) continue;
    named++;
    const search = plan.find(detail => detail.includes(' host '));
    t.match(search, new RegExp(`[ (]${column}=\\?`), text.replaceAll('?, ', '').slice(0, 100));
  }
  t.ok(named > 8, `${named} statements name hosts`);
});

t.test('hosts are selected page by page through an index, and never sorted', async t => {
  const cases = {
    '{}': [{}, /\(removed=\? AND id>\?\)/],
    zone: [{ zoneId: 1 }, /i_host__data_center_id \(data_center_id=\? AND removed=\? AND id>\?\)/],
    cluster: [{ clusterId: 1 }, /i_host__cluster_by_id \(cluster_id=\? AND removed=\? AND id>\?\)/],
    tag: [{ tag: 'a' }, /host_tag USING .*\(tag=\? AND host_id>\?\)/],
  } as const;
  for (const [name, [selection, expected]] of Object.entries(cases)) {
    const plans = await plansOf(t, store => store.selectHosts(selection));
    t.equal(plans.size, 1, name);
    const [plan = []] = plans.values();
    t.match(plan[0], expected, name);
    t.notMatch(plan.join(), /SCAN|TEMP B-TREE/, name);
  }
  const named = await plansOf(t, store => store.selectHosts({ names: ['a', 'b'] }));
  const searches = [...named.values()].map(([detail]) => detail);
  t.match(searches, [/\(uuid=\?/, /\(guid=\?/, /\(name=\?/]);
});

t.test('the hosts of a tag are found by the tag, and those of a host by both', async t => {
  const plans = await plansOf(t, async store => {
    const host = hostDescription('g1', await store.zoneId('default'), { implicitTags: ['a'] });
    await store.registerHosts([host]);
    await store.registerHosts([{ ...host, implicitTags: ['b'] }]);
    await store.findHosts({ tag: 'a', page: 1, pagesize: 10 });
    await store.removeHost(1, 1);
  });
  const ofTags = [...plans].filter(([text]) => text.includes('"host_tag"'));
  t.ok(ofTags.length >= 3, `${ofTags.length} statements`);
  for (const [text, plan] of ofTags) t.match(plan.join(), /host_tag USING .*\(tag=\?/, text);
});
