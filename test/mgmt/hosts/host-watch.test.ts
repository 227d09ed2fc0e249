import t, { type Test } from 'tap';
import { ContestedHosts } from '../../../src/mgmt/hosts/contested-hosts.js';
import { HostWatch } from '../../../src/mgmt/hosts/host-watch.js';
import type { Store } from '../../../src/mgmt/store/store.js';
import { Answer, CheckHealthCommand } from '../../../src/protocol/index.js';
import { contentOf } from '../../../src/testing/fake-agent.js';
import { freshStore, MSID_1, MSID_2 } from '../../helpers/api-bench.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostReady, registerHost } from '../../helpers/one-host.js';
import { testServer } from '../../helpers/test-server.js';

function watch(store: Pick<Store, 'hostVersions' | 'hostsById'>) {
  const seen: string[] = [];
  const watch = new HostWatch(store, {
    onChanged: ({ id, msid }) => void seen.push(`${id} on ${msid}`),
    onRemoved: ({ id }) => void seen.push(`${id} removed`),
  });
  return { watch, seen };
}

t.test('host-watch: the first poll tells nothing, later ones what has changed since', async t => {
  const store = await freshStore(t);
  const zoneId = await store.zoneId('default');
  const { host } = await registerHost(store, hostDescription('g', zoneId));
  const { watch: watcher, seen } = watch(store);
  await watcher.poll();
  t.same(seen, []);
  await hostReady(store, host.id, { msid: MSID_1, msHostList: null, at: 0 });
  await watcher.poll();
  t.equal(seen.at(-1), `1 on ${MSID_1}`);
  await store.removeHost(host.id, 0);
  await watcher.poll();
  t.equal(seen.at(-1), '1 removed');
});

t.test('host-watch: a version of a row is told once, unless the reading failed', async t => {
  const store = await freshStore(t);
  const zoneId = await store.zoneId('default');
  await store.registerHosts([1, 2, 3].map(i => hostDescription(`g${i}`, zoneId)));
  const failing = { hostVersions: store.hostVersions, hostsById: store.hostsById };
  const { watch: watcher, seen } = watch(failing);
  await watcher.poll();
  await watcher.poll();
  t.same(seen, ['1 on null', '2 on null', '3 on null']);
  await watcher.poll();
  t.equal(seen.length, 3);
  await hostReady(store, 2, { msid: MSID_1, msHostList: null, at: 0 });
  await store.removeHost(3, 0);
  failing.hostsById = async () => {
    throw new Error('it failed');
  };
  await t.rejects(watcher.poll(), /it failed/);
  failing.hostsById = store.hostsById;
  await watcher.poll();
  t.same(seen.slice(3), [`2 on ${MSID_1}`, '3 removed']);
  await watcher.poll();
  t.equal(seen.length, 5);
});

t.test('host-watch: more changes than fit in a page are all told', async t => {
  const store = await freshStore(t);
  const zoneId = await store.zoneId('default');
  const { watch: watcher, seen } = watch(store);
  await watcher.poll();
  for (let batch = 0; batch < 5; batch++) {
    await store.registerHosts(Array.from({ length: 500 }, (_, i) => hostDescription(`g${batch}-${i}`, zoneId)));
  }
  await watcher.poll();
  t.equal(new Set(seen).size, 2_500);
});

// ---- two servers with a link of one host

t.test('contested: a link that is another server’s by the row has 30 s to end by itself', async t => {
  const contested = new ContestedHosts();
  contested.note(1, 2, 0);
  contested.note(1, 2, 20_000);
  t.same([...contested.due(29_999)], [], 'the moment of the first sight counts');
  t.same([...contested.due(30_000)], [1]);
  t.same([...contested.due(60_000)], [], 'told once');
});

t.test('contested: a later epoch starts the time anew, and one that is settled is over', async t => {
  const contested = new ContestedHosts();
  contested.note(1, 2, 0);
  contested.note(1, 3, 20_000);
  t.same([...contested.due(49_999)], []);
  t.same([...contested.due(50_000)], [1]);
  contested.note(2, 1, 0);
  contested.settle(2);
  contested.settle(3);
  t.same([...contested.due(60_000)], []);
});

/** A server with one agent that is Ready. */
async function withAgent(t: Test, isUp: (msid: number) => boolean) {
  const bench = await testServer({ isUp });
  t.teardown(() => bench.stop('now'));
  const agent = bench.agent();
  await agent.join();
  await bench.clock.advance(2_000);
  const row = () => bench.row(1);
  const steal = () => bench.store.hostsReady([{ id: 1, msid: MSID_2, msHostList: null, at: 0 }]);
  return { ...bench, agent, row, steal };
}

t.test('contested: an agent that another live server has taken loses its old link, though not at once', async t => {
  const { agent, steal, row, clock } = await withAgent(t, () => true);
  await steal();
  await clock.advance(30_000);
  t.notOk(agent.closed);
  await clock.advance(4_000);
  t.ok(agent.closed);
  t.match(row(), { msid: MSID_2, status: 'Up' }, 'and the new owner keeps the host');
});

t.test('contested: what only a dead server claims is taken back when the agent answers here', async t => {
  const { agent, steal, row, clock } = await withAgent(t, () => false);
  await steal();
  await clock.advance(2_000);
  const asked = agent.waiting.find(({ messages: [message] }) => message && CheckHealthCommand.is(message));
  t.ok(asked);
  t.match(row(), { msid: MSID_2 });
  if (asked) agent.answer(asked, [Answer.encode({ result: true })]);
  await clock.advance(4_000);
  t.match(row(), { msid: 1001, status: 'Up', epoch: 3 });
  await clock.advance(60_000);
  t.notOk(agent.closed);
});

t.test('contested: what somebody let go of, since he thought that this server was dead, is taken back', async t => {
  const { store, row, clock } = await withAgent(t, () => true);
  await store.releaseHosts(1001, { at: 0, reason: 'its management server is down', cause: 'server-down' });
  t.equal(row()?.status, 'Disconnected');
  await clock.advance(4_000);
  t.match(row(), { msid: 1001, status: 'Up' });
});

t.test('host-watch: the agent of a host that was removed is told so, and loses its link', async t => {
  const { agent, store, clock } = await withAgent(t, () => true);
  await store.removeHost(1, 0);
  await clock.advance(2_000);
  const told = agent.received.at(-1);
  t.match(told && contentOf(told), ['ShutdownCommand', { removeHost: true }], 'it is told not to come back');
  t.notOk(agent.closed);
  await clock.advance(3_000);
  t.ok(agent.closed, 'also when it does not answer');
});
