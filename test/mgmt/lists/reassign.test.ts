import t, { type Test } from 'tap';
import { type AssignmentEntry, HOSTS_A_BATCH } from '../../../src/mgmt/store/store.js';
import { apiBench, MSID_1 } from '../../helpers/api-bench.js';
import { assignments } from '../../helpers/assign.js';
import { hostDescription } from '../../helpers/host-description.js';
import { wholeHosts } from '../../helpers/one-host.js';

type Bench = Awaited<ReturnType<typeof apiBench>>;
const ALGORITHM = 'indirect.agent.lb.algorithm';

/** The first server of each host's list as its agent has it, and as its row says for rendezvous. */
async function placesOf({ store }: Bench) {
  const assigned = await assignments(store);
  return (await wholeHosts(store)).map(({ id, msHostList }) => ({
    id,
    preferred: assigned.get(id),
    reported: msHostList?.split(/[,@]/)[0],
  }));
}

/** Hosts with lists of an algorithm's making: evenly over the servers. */
async function addSpread({ store }: Bench, count: number, servers: readonly string[]): Promise<void> {
  const zoneId = await store.zoneId('default');
  for (let from = 0; from < count; from += HOSTS_A_BATCH) {
    const size = Math.min(HOSTS_A_BATCH, count - from);
    const descriptions = Array.from({ length: size }, (_, i) => hostDescription(`guid-${from + i}`, zoneId));
    const hosts = (await store.registerHosts(descriptions)).map(({ host }) => host);
    await store.hostsReady(
      hosts.map(({ id }) => {
        const first = servers[id % servers.length] ?? '';
        const list = [first, ...servers.filter(server => server !== first)];
        return { id, msid: MSID_1, msHostList: `${list.join(',')}@roundrobin`, at: 0 };
      }),
    );
  }
}

async function set(bench: Bench, name: string, value: string) {
  const { status, body } = await bench.call('updateConfiguration', { name, value, forced: 'true' });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.configuration;
}

/** Every row as a preview said that it would be. */
async function checkPreviewed(t: Test, bench: Bench, change: { host?: string; algorithm?: string }): Promise<void> {
  const { body } = await bench.call('previewHostList', { ...change, pagesize: -1 });
  const { moves, agents } = body.hostlistpreview ?? body[Object.keys(body)[0] ?? ''];
  const [name, value] = change.host === undefined ? [ALGORITHM, change.algorithm ?? ''] : ['host', change.host];
  const before = await placesOf(bench);
  const { agentsmoving } = await set(bench, name, value);
  t.equal(agentsmoving, moves, 'as many move as previewed');
  const rows = await wholeHosts(bench.store);
  const assigned = await assignments(bench.store);
  const uuids = new Map(rows.map(({ id, uuid }) => [uuid, assigned.get(id)]));
  const differing = agents.filter(
    ({ hostid, preferredhost }: { hostid: string; preferredhost: string }) => uuids.get(hostid) !== preferredhost,
  );
  t.same(differing, [], 'each goes where it was previewed');
  t.equal(before.length, rows.length);
}

t.test('place-hosts: from another algorithm nobody moves who need not', async t => {
  const bench = await apiBench(t);
  await set(bench, ALGORITHM, 'roundrobin');
  await addSpread(bench, 60, ['192.0.2.1', '192.0.2.2']);
  const { agentsmoving } = await set(bench, ALGORITHM, 'rendezvous');
  t.equal(agentsmoving, 0);
  const moved = (await placesOf(bench)).filter(({ preferred, reported }) => preferred !== reported);
  t.same(moved, [], 'and every row says where its host is');
});

t.test('place-hosts: what is uneven moves, and no more than that', async t => {
  const bench = await apiBench(t);
  await addSpread(bench, 100, ['192.0.2.1']);
  const { agentsmoving } = await set(bench, ALGORITHM, 'rendezvous');
  t.equal(agentsmoving, 47, '53 may stay');
  const moved = (await placesOf(bench)).filter(({ preferred, reported }) => preferred !== reported);
  t.equal(moved.length, 47);
});

t.test('place-hosts: a change does what previewHostList said', async t => {
  const bench = await apiBench(t);
  await addSpread(bench, 120, ['192.0.2.1', '192.0.2.2']);
  await checkPreviewed(t, bench, { algorithm: 'rendezvous' });
  await checkPreviewed(t, bench, { host: '192.0.2.1,192.0.2.2,192.0.2.3' });
  await checkPreviewed(t, bench, { host: '192.0.2.1,192.0.2.3' });
});

t.test(
  'regression: back to rendezvous, agents are taken over where they are, whatever their rows said before',
  async t => {
    const bench = await apiBench(t);
    await addSpread(bench, 60, ['192.0.2.1', '192.0.2.2']);
    await set(bench, ALGORITHM, 'rendezvous');
    await set(bench, ALGORITHM, 'roundrobin');
    // Meanwhile the agents have got lists of that: each of them the other server first.
    await bench.store.hostsReady(
      [...(await assignments(bench.store))].map(([id, preferred]) => ({
        id,
        msid: MSID_1,
        msHostList: `${preferred === '192.0.2.1' ? '192.0.2.2,192.0.2.1' : '192.0.2.1,192.0.2.2'}@roundrobin`,
        at: 0,
      })),
    );
    const preview = await bench.call('previewHostList', { algorithm: 'rendezvous' });
    const { agentsmoving } = await set(bench, ALGORITHM, 'rendezvous');
    t.equal(agentsmoving, 0);
    t.match(JSON.stringify(preview.body), /"moves":0/);
    const moved = (await placesOf(bench)).filter(({ preferred, reported }) => preferred !== reported);
    t.same(moved, []);
  },
);

t.test('place-hosts: rows are written in batches, before the settings hold', async t => {
  const bench = await apiBench(t);
  await addSpread(bench, 1_100, ['192.0.2.1']);
  const batches: (readonly AssignmentEntry[])[] = [];
  const order: string[] = [];
  const { writeAssignments, updateConfiguration } = bench.store;
  bench.store.writeAssignments = async (attempt, batch) => {
    batches.push(batch);
    order.push('rows');
    return writeAssignments(attempt, batch);
  };
  bench.store.updateConfiguration = async (...args) => {
    order.push('settings');
    return updateConfiguration(...args);
  };
  await set(bench, ALGORITHM, 'rendezvous');
  t.same(
    batches.map(({ length }) => length),
    [500, 500, 100],
  );
  t.same(order, ['rows', 'rows', 'rows', 'settings']);
  t.equal(new Set(batches.flat().map(({ id }) => id)).size, 1_100, 'each host once');
});

t.test('place-hosts: without rendezvous no row is touched', async t => {
  const bench = await apiBench(t);
  await addSpread(bench, 10, ['192.0.2.1']);
  await set(bench, ALGORITHM, 'roundrobin');
  await set(bench, 'host', '192.0.2.2,192.0.2.1');
  t.same(new Set((await placesOf(bench)).map(({ preferred }) => preferred)), new Set([null]));
});
