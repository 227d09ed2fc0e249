import t from 'tap';
import { MemoryData, MemoryStore } from '../../../bench/memory-store.js';
import { silentLog } from '../../../src/lib/logger.js';
import { type ListedAgent, Propagation } from '../../../src/mgmt/lists/propagation.js';
import { Answer, FLAG, SetupMSListAnswer, UnsupportedAnswer } from '../../../src/protocol/index.js';
import { contentOf, type FakeAgent } from '../../../src/testing/fake-agent.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { reassign } from '../../helpers/assign.js';
import { obeys, type Reply } from '../../helpers/obedient-agent.js';
import { ANY_NUMBER, testServer } from '../../helpers/test-server.js';
import { until } from '../../helpers/until.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
const ALGORITHM = 'indirect.agent.lb.algorithm';
const INTERVAL = 'indirect.agent.lb.check.interval';

type Bench = Awaited<ReturnType<typeof testServer>>;

async function joined(bench: Bench, guid: string, fields: Parameters<FakeAgent['join']>[0] = {}, reply?: Reply) {
  const agent = bench.agent();
  const { ready2 } = await agent.join({ guid, ...fields });
  return { agent, ready2, ...withTold(obeys(agent, reply)) };
}

function withTold(obedience: ReturnType<typeof obeys>) {
  return { obedience, told: obedience.told };
}

const silent: Reply = () => undefined;
const refusing: Reply = () => SetupMSListAnswer.encode({ result: false, details: 'not I' });

t.test('propagation: a change of host is told to the agents by SetupMSList, with all fields', async t => {
  const bench = await testServer();
  const { agent, told } = await joined(bench, 'g1');
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(2_000);
  t.strictSame(told, [
    [
      'SetupMSListCommand',
      {
        msList: [B, A],
        avoidMsList: [],
        lbAlgorithm: 'static',
        lbCheckInterval: 0,
        triggerHostLb: false,
        contextMap: {},
        wait: 60,
        bypassHostMaintenance: false,
      },
    ],
  ]);
  const packet = agent.received.at(-1);
  t.equal(packet?.flags, 0x23);
  t.equal((packet?.flags ?? 0) & FLAG.inSequence, 0);
  t.match(bench.row(1), { msHostList: `${B},${A}@static`, epoch: 1 });
});

t.test('propagation: exactly those are told whose list changes', async t => {
  const bench = await testServer({ configuration: { [ALGORITHM]: 'roundrobin' } });
  const agents = [];
  for (const guid of ['g1', 'g2', 'g3', 'g4']) agents.push(await joined(bench, guid));
  // static: A,B,C is what every third had already, but under another name.
  await bench.store.setConfiguration('zones', 'default,other');
  await bench.store.setConfiguration('ping.interval', '30');
  await bench.clock.advance(4_000);
  t.same(
    agents.map(({ told }) => told.length),
    [0, 0, 0, 0],
    'nothing that concerns them',
  );
  await bench.store.setConfiguration(ALGORITHM, 'static');
  await bench.clock.advance(2_000);
  t.same(
    agents.map(({ told }) => told.map(([, { msList, lbAlgorithm }]) => [msList, lbAlgorithm])),
    Array.from({ length: 4 }, () => [[[A, B, C], 'static']]),
  );
});

t.test('propagation: a list that a change leaves as it is is not told', async t => {
  const bench = await testServer({ configuration: { [ALGORITHM]: 'rendezvous' } });
  const agents = [];
  for (let i = 1; i <= 8; i++) agents.push(await joined(bench, `g${i}`));
  await settle();
  await bench.store.setConfiguration('indirect.agent.lb.weights', '192.0.2.77=3');
  await bench.clock.advance(2_000);
  t.equal(agents.flatMap(({ told }) => told).length, 0);
  const led = agents.map((_, i) => bench.row(i + 1)?.preferred);
  await reassign(bench.store, [{ id: 1, preferred: led[0] === A ? B : A }]);
  await bench.clock.advance(2_000);
  t.same(
    agents.map(({ told }) => told.length),
    [1, 0, 0, 0, 0, 0, 0, 0],
    'only the one that was placed anew',
  );
});

t.test('propagation: the interval reaches all; that of a cluster its own agents, and beats the global one', async t => {
  const data = new MemoryData();
  data.clusters.push({ id: 1, uuid: 'u', name: 'own', zoneId: 1, podId: 1, checkIntervalSeconds: 15 });
  const bench = await testServer({ store: new MemoryStore(data), configuration: { [INTERVAL]: '60' } });
  const inside = await joined(bench, 'g1', { cluster: 'own' });
  const outside = await joined(bench, 'g2');
  t.match(contentOf(inside.ready2)[1], { lbCheckInterval: 15 });
  t.match(contentOf(outside.ready2)[1], { lbCheckInterval: 60 });
  await bench.clock.advance(10_000);
  const intervals = () => [inside, outside].map(({ told }) => told.map(([, { lbCheckInterval }]) => lbCheckInterval));
  t.same(intervals(), [[], []], 'no value flips between Ready and a push');
  await bench.store.setConfiguration(INTERVAL, '90');
  await bench.clock.advance(2_000);
  t.same(intervals(), [[], [90]]);
  data.clusters[0] = { ...(data.clusters[0] as (typeof data.clusters)[0]), checkIntervalSeconds: 0 };
  data.version++;
  await bench.clock.advance(2_000);
  t.same(intervals(), [[0], [90]]);
  data.clusters[0] = { ...(data.clusters[0] as (typeof data.clusters)[0]), checkIntervalSeconds: null };
  data.version++;
  await bench.clock.advance(2_000);
  t.same(intervals(), [[0, 90], [90]], 'without one of its own the global one holds');
});

t.test('propagation: whom to avoid is told when a server goes into maintenance, and again when it is back', async t => {
  const bench = await testServer();
  const { told, agent } = await joined(bench, 'g1');
  bench.lists.avoid([C]);
  await settle();
  t.match(told, [['SetupMSListCommand', { avoidMsList: [C], msList: [A, B, C], triggerHostLb: false }]]);
  agent.ping();
  await settle();
  t.match(told.at(-1), ['PingAnswer', { avoidMsList: [C] }]);
  const late = await joined(bench, 'g2');
  t.match(contentOf(late.ready2)[1], { avoidMsHostList: [C] });
  bench.lists.avoid([]);
  await settle();
  t.match(told.at(-1), ['SetupMSListCommand', { avoidMsList: [] }]);
  t.match(late.told, [['SetupMSListCommand', { avoidMsList: [] }]]);
});

t.test('regression: an equal shuffle stays in the agent’s own order when it is told something else', async t => {
  const bench = await testServer({ configuration: { [ALGORITHM]: 'shuffle' } });
  const agents = [];
  for (let i = 1; i <= 12; i++) agents.push(await joined(bench, `g${i}`, { msHostList: `${C},${B},${A}@shuffle` }));
  await bench.store.setConfiguration('ping.interval', '30');
  await bench.clock.advance(2_000);
  bench.lists.avoid([B]);
  await settle();
  const lists = agents.map(({ told }) => told.map(([, { msList }]) => String(msList)));
  t.same(new Set(lists.flat()), new Set([`${C},${B},${A}`]));
  t.same(
    lists.map(({ length }) => length),
    lists.map(() => 1),
  );
});

t.test('propagation: an agent that was away gets it at Ready', async t => {
  const bench = await testServer();
  const { agent } = await joined(bench, 'g1');
  agent.close();
  await settle();
  await bench.store.setConfiguration('host', `${C},${A}`);
  await bench.clock.advance(2_000);
  const { ready2, told } = await joined(bench, 'g1', { msHostList: `${A},${B},${C}@static` });
  t.match(contentOf(ready2)[1], { msHostList: [C, A], lbAlgorithm: 'static' });
  await bench.clock.advance(10_000);
  t.same(told, [], 'and not once more');
});

t.test('regression: what changes between Ready 2 and its answer is told behind it', async t => {
  const bench = await testServer();
  const agent = bench.agent();
  agent.startup();
  agent.hostId = 1n;
  await agent.receive();
  agent.answerReady(await agent.receive());
  const ready2 = await agent.receive();
  await bench.store.setConfiguration('host', `${C},${B}`);
  await bench.clock.advance(2_000);
  t.same(agent.waiting, []);
  agent.answerReady(ready2);
  const { told } = obeys(agent);
  await settle();
  t.match(told, [['SetupMSListCommand', { msList: [C, B] }]]);
  t.equal(told.length, 1);
});

t.test('propagation: a refusal is tried again, then listed; the next change clears it', async t => {
  const bench = await testServer();
  const { told, obedience } = await joined(bench, 'g1', {}, refusing);
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(2_000);
  t.equal(told.length, 1);
  t.match(bench.linkStatus(), [{ lag: 'the agent refused its list: not I' }]);
  await bench.clock.advance(5_000);
  t.equal(told.length, 2);
  await bench.clock.advance(15_000);
  t.equal(told.length, 3);
  await bench.clock.advance(60_000);
  t.equal(told.length, 4);
  await bench.clock.advance(60_000);
  t.equal(told.length, 4, 'then it is left alone');
  t.equal(bench.lines.filter(({ message }) => message === 'An agent has not taken its new list').length, 4);
  obedience.reply = () => SetupMSListAnswer.encode({ result: true });
  await bench.store.setConfiguration('host', `${C},${A}`);
  await bench.clock.advance(2_000);
  t.equal(told.length, 5);
  t.match(bench.linkStatus(), [{ lag: undefined }]);
  t.match(bench.row(1), { msHostList: `${C},${A}@static` });
});

t.test('propagation: an agent that knows no such command is a laggard, whatever its answer is', async t => {
  const bench = await testServer();
  const replies = [
    UnsupportedAnswer.encode({ result: false, details: 'Unsupported command' }),
    Answer.encode({ result: false }),
    undefined,
  ];
  for (const [i, answer] of replies.entries()) await joined(bench, `g${i}`, {}, () => answer);
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(75_000);
  const lags = [...bench.linkStatus()].map(({ lag }) => lag ?? '');
  t.match(lags, [/Unsupported command/, /refused its list/, /no answer to SetupMSListCommand within 70000 ms/]);
});

t.test('regression: an agent is no laggard any more once what it would not take has been taken back', async t => {
  const bench = await testServer();
  await joined(bench, 'g1', {}, refusing);
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(90_000);
  t.type([...bench.linkStatus()][0]?.lag, 'string');
  await bench.store.setConfiguration('host', `${A},${B},${C}`);
  await bench.clock.advance(2_000);
  t.equal([...bench.linkStatus()][0]?.lag, undefined);
});

t.test('regression: what changes while the last attempt is on its way is told behind it', async t => {
  const bench = await testServer();
  const { told, obedience } = await joined(bench, 'g1', {}, refusing);
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(62_000);
  t.equal(told.length, 3);
  obedience.reply = silent;
  await bench.clock.advance(20_000);
  t.equal(told.length, 4, 'the last one');
  await bench.store.setConfiguration('host', `${C},${A}`);
  await bench.clock.advance(2_000);
  t.equal(told.length, 4);
  obedience.reply = () => SetupMSListAnswer.encode({ result: true });
  await bench.clock.advance(70_000);
  t.match(told.slice(4), [['SetupMSListCommand', { msList: [C, A] }]]);
  t.equal(told.length, 5);
});

t.test('propagation: an agent that leaves and returns in the midst of it has the new list once', async t => {
  const bench = await testServer();
  const first = await joined(bench, 'g1', {}, silent);
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(2_000);
  t.equal(first.told.length, 1);
  first.agent.close();
  await settle();
  const again = await joined(bench, 'g1', { msHostList: `${A},${B},${C}@static` });
  t.match(contentOf(again.ready2)[1], { msHostList: [B, A] });
  await bench.clock.advance(100_000);
  t.same(again.told, []);
  t.equal([...bench.linkStatus()][0]?.lag, undefined);
  t.equal(bench.lines.filter(({ message }) => message === 'An agent has not taken its new list').length, 0);
});

t.test('regression: agents that are silent do not keep the others waiting', async t => {
  const bench = await testServer();
  const silents = [];
  for (let i = 0; i < 600; i++) silents.push(await joined(bench, `silent-${i}`, {}, silent));
  const late = await joined(bench, 'late');
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(10_000);
  t.equal(silents.filter(({ told }) => told.length === 1).length, 600);
  t.equal(late.told.length, 1, 'within 10 s');
  await bench.stop('now');
  await settle();
  t.equal(bench.clock.pending, 0);
});

t.test('propagation: never more than 256 agents are being told at once', async t => {
  const bench = await testServer({ configuration: ANY_NUMBER });
  let inside = 0;
  let most = 0;
  for (let i = 0; i < 700; i++) {
    const { agent } = await joined(bench, `g${i}`, {}, (_, packet) => {
      inside++;
      most = Math.max(most, inside);
      bench.clock.after(20, () => {
        inside--;
        agent.answer(packet, [SetupMSListAnswer.encode({ result: true })]);
      });
      return undefined;
    });
  }
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(3_000);
  t.equal(most, 256);
  t.equal(inside, 0);
});

t.test('propagation: no more than 32 agents begin to be told in one turn of the event loop', async t => {
  let endTurn = () => {};
  const clock = new (class extends FakeClock {
    override turn(): Promise<void> {
      return new Promise(resolve => (endTurn = resolve));
    }
  })();
  let change = () => {};
  let asked = 0;
  const held = { hosts: [A], algorithm: 'static', checkIntervalSeconds: 0, avoid: [], configurationVersion: 1 };
  const agents = Array.from(
    { length: 90 },
    (_, index): ListedAgent => ({
      host: { id: index, uuid: '', name: '', zoneId: 1, clusterId: 1 },
      link: { closed: undefined },
      held,
      lag: undefined,
      ask: () => new Promise<never>(() => void asked++),
    }),
  );
  new Propagation<ListedAgent>({
    clock,
    log: silentLog,
    lists: { listFor: () => ({ ...held, hosts: [B] }), onChange: listener => (change = listener) },
    agents,
    onAcknowledged() {},
  });
  change();
  for (const expected of [32, 64, 90]) {
    await settle();
    t.equal(asked, expected);
    endTurn();
  }
});

t.test('propagation: 10,000 agents are told within seconds, and the store sees few writes', async t => {
  const bench = await testServer({ configuration: ANY_NUMBER });
  const agents: Awaited<ReturnType<typeof joined>>[] = [];
  // All at once.
  const starting = [];
  for (let i = 0; i < 10_000; i++) starting.push(joined(bench, `g${i}`).then(agent => agents.push(agent)));
  await Promise.all(starting);
  await settle();
  t.equal(bench.registry.size, 10_000);
  const calls = (name: string) => bench.store.calls.filter(call => call === name).length;
  // How many come together in one batch depends on the turns of the event loop; about 40 do.
  t.ok(calls('hostsReady') < 300, `${calls('hostsReady')} writes of Ready`);
  bench.store.calls.length = 0;
  await bench.store.setConfiguration('host', `${B},${A},${C}`);
  await bench.clock.advance(10_000);
  await until(() => agents.every(({ told }) => told.length > 0));
  await settle();
  t.equal(agents.filter(({ told }) => told.length !== 1).length, 0, 'each once');
  t.ok(calls('hostsMsHostList') <= 100, `${calls('hostsMsHostList')} writes of lists`);
  const stale = [...bench.store.data.hosts.values()].filter(({ msHostList }) => msHostList !== `${B},${A},${C}@static`);
  t.equal(stale.length, 0);
});

t.test('propagation: what was acknowledged while the store is away is written when it is back, once', async t => {
  const bench = await testServer();
  const { told } = await joined(bench, 'g1', { msHostList: `${A},${B},${C}@static` });
  await bench.store.setConfiguration('host', `${B},${A},${C}`);
  await bench.poller.poll();
  bench.store.outage = 'STORE_UNAVAILABLE';
  await settle();
  t.equal(told.length, 1);
  await bench.clock.advance(20_000);
  bench.store.calls.length = 0;
  bench.store.outage = undefined;
  await bench.clock.advance(4_000);
  t.match(bench.row(1), { msHostList: `${B},${A},${C}@static`, status: 'Up', epoch: 1 });
  t.ok(bench.store.calls.filter(call => call === 'hostsMsHostList').length <= 1);
  t.equal(bench.ownership.unwritten, 0);
});

t.test('regression: a list that is acknowledged before the Ready is written goes out with it', async t => {
  const bench = await testServer();
  await joined(bench, 'g1');
  bench.store.outage = 'STORE_UNAVAILABLE';
  await bench.clock.advance(2_000);
  const again = await joined(bench, 'g1', { msHostList: `${A},${B},${C}@static` });
  const [attache] = [...bench.registry];
  if (attache?.held === undefined) throw new Error('nobody is there');
  // As if it had another one: told at once, and acknowledged, while its Ready waits for the store.
  attache.held = { ...attache.held, hosts: [C] };
  bench.propagation.compare();
  await settle();
  t.equal(again.told.length, 1);
  t.equal(bench.ownership.unwritten, 1);
  bench.store.outage = undefined;
  bench.store.calls.length = 0;
  await bench.clock.advance(2_000);
  t.match(bench.row(1), { msHostList: `${A},${B},${C}@static`, epoch: 2, status: 'Up' });
  t.same(
    bench.store.calls.filter(call => call.startsWith('hosts') && call !== 'hosts' && call !== 'hostsById'),
    ['hostsReady'],
  );
});

t.test('regression: a poll that began earlier does not bring an older configuration back', async t => {
  const bench = await testServer();
  const { told } = await joined(bench, 'g1');
  const { store, lists, poller } = bench;
  const { hosts } = store;
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  let calls = 0;
  store.hosts = async after => {
    if (calls++ === 0) await held;
    return hosts.call(store, after);
  };
  await store.setConfiguration('host', `${B},${A}`);
  const early = poller.poll();
  await settle();
  await store.setConfiguration('host', `${C},${A}`);
  const late = poller.poll();
  await settle();
  release();
  await Promise.all([early, late]);
  await settle();
  t.same(lists.configuration.values.host, [C, A]);
  t.same(told.map(([, { msList }]) => msList).at(-1), [C, A]);
});

t.test('propagation: when the server stops nobody waits any more', async t => {
  const bench = await testServer();
  await joined(bench, 'g1', {}, refusing);
  await joined(bench, 'g2', {}, silent);
  await bench.store.setConfiguration('host', `${B},${A}`);
  await bench.clock.advance(3_000);
  await bench.stop('now');
  await settle();
  t.equal(bench.clock.pending, 0);
});
