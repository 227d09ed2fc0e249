import t from 'tap';
import { MemoryData, MemoryStore } from '../../../bench/memory-store.js';
import { CheckHealthAnswer, type Packet } from '../../../src/protocol/index.js';
import { contentOf, type FakeAgent } from '../../../src/testing/fake-agent.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { testServer } from '../../helpers/test-server.js';

const G = 'g-LibvirtComputingResource';
const ONE = { guid: G, instanceId: 'p1', name: 'kvm-1', privateIpAddress: '192.0.2.50' };
const TWO = { guid: G, instanceId: 'p2', name: 'kvm-2', privateIpAddress: '192.0.2.51' };

/** What the server sends until it has answered the Startup, in a Ready's place: why it refuses. */
async function refusalOf(newcomer: FakeAgent): Promise<unknown> {
  await newcomer.receive();
  const [type, fields] = contentOf(await newcomer.receive());
  return type === 'ReadyCommand' ? fields._details : `a ${type}`;
}

async function answerHealth(agent: FakeAgent): Promise<void> {
  const packet: Packet = await agent.receive();
  const [type] = contentOf(packet);
  if (type !== 'CheckHealthCommand') throw new Error(`the server sent ${type}`);
  agent.answer(packet, [CheckHealthAnswer.encode({ result: true })]);
}

t.test(
  'guid guard: the agent that is established answers and stays; the newcomer is refused, and one event says so',
  async t => {
    const { agent, clock, lines, events, row, registry } = await testServer();
    const established = agent('192.0.2.50');
    await established.join(ONE);
    const before = row(1);
    t.match(before, { instanceId: 'p1', linkAddress: '192.0.2.50' });
    for (let again = 0; again < 5; again++) {
      const newcomer = agent('192.0.2.51');
      newcomer.startup(TWO);
      await settle();
      await answerHealth(established);
      t.match(await refusalOf(newcomer), /^guid g-\w+ is in use by the agent at 192\.0\.2\.50 \(process p1\)$/);
      newcomer.close();
      await clock.advance(5_000);
    }
    t.notOk(established.closed);
    t.equal(registry.size, 1);
    t.strictSame(row(1), before, 'a newcomer that is refused changes nothing in the row');
    const fights = () => events.filter(({ type }) => type === 'AGENT.GUID.FIGHT');
    t.match(fights(), [
      { level: 'ERROR', description: /192\.0\.2\.50 \(process p1\), and 192\.0\.2\.51 \(process p2\)/ },
    ]);
    t.equal(fights().length, 1);
    t.equal(lines.filter(({ level }) => level === 'error').length, 1);
    for (let minute = 0; minute < 60; minute++) {
      established.ping();
      await clock.advance(60_000);
    }
    const newcomer = agent('192.0.2.51');
    newcomer.startup(TWO);
    await settle();
    while (contentOf(established.waiting[0] as Packet)[0] === 'PingAnswer') await established.receive();
    await answerHealth(established);
    t.match(await refusalOf(newcomer), /in use/);
    t.equal(fights().length, 2, 'said again after an hour');
  },
);

t.test(
  'regression: guid guard: however many claim a guid at once, its agent is asked once, and not again for 3 s',
  async t => {
    const { agent, clock } = await testServer();
    const established = agent('192.0.2.50');
    await established.join(ONE);
    const claim = (count: number) =>
      Array.from({ length: count }, (_, i) => {
        const one = agent('192.0.2.51');
        one.startup({ ...TWO, instanceId: `p${i + 2}` });
        return one;
      });
    const refused = async (newcomers: readonly FakeAgent[]) => {
      for (const one of newcomers) t.match(await refusalOf(one), /in use/);
    };
    const first = claim(50);
    await settle();
    await answerHealth(established);
    await refused(first);
    await refused(claim(50));
    await clock.advance(2_000);
    await refused(claim(1));
    t.equal(established.waiting.length, 0);
    await clock.advance(1_000);
    const later = claim(2);
    await settle();
    await answerHealth(established);
    await refused(later);
  },
);

t.test(
  'regression: guid guard: the server that has the link is asked once as well, and again when there was no answer',
  async t => {
    const data = new MemoryData();
    const clock = new FakeClock();
    const a = await testServer({ store: new MemoryStore(data), clock });
    const answers: ((hasAnswered: boolean) => void)[] = [];
    const b = await testServer({
      store: new MemoryStore(data),
      clock,
      msid: 1002,
      answersElsewhere: () => new Promise<boolean>(resolve => answers.push(resolve)),
    });
    await a.agent('192.0.2.50').join(ONE);
    await clock.advance(2_000);
    const claim = async (instanceId: string) => {
      const one = b.agent('192.0.2.51');
      one.startup({ ...TWO, instanceId });
      await settle();
      return one;
    };
    const both = [await claim('p2'), await claim('p3')];
    t.equal(answers.length, 1);
    answers[0]?.(true);
    for (const one of both) t.match(await refusalOf(one), /in use/);
    await clock.advance(3_000);
    await claim('p4');
    t.equal(answers.length, 2);
    answers[1]?.(false);
    await settle();
    await claim('p5');
    t.equal(answers.length, 3);
  },
);

t.test('guid guard: an agent that does not answer is gone, and the newcomer is the same machine come back', async t => {
  const { agent, clock, events, row } = await testServer();
  const established = agent('192.0.2.50');
  await established.join(ONE);
  const newcomer = agent('192.0.2.51');
  const joined = newcomer.join(TWO);
  await clock.advance(2_000);
  await joined;
  t.ok(established.closed);
  t.match(row(1), { status: 'Up', epoch: 2, name: 'kvm-2', instanceId: 'p2', linkAddress: '192.0.2.51' });
  t.equal(events.filter(({ type }) => type === 'AGENT.GUID.FIGHT').length, 0);
});

t.test('regression: guid guard: an honest agent that crashes five times in a minute is never refused', async t => {
  const { agent, clock } = await testServer();
  for (let crash = 0; crash < 6; crash++) {
    const one = agent('192.0.2.50');
    await one.join({ ...ONE, instanceId: `p${crash}` });
    one.close();
    await clock.advance(10_000);
  }
  const last = agent('192.0.2.50');
  await last.join(ONE);
  t.notOk(last.closed);
});

t.test('regression: guid guard: one process whose address changes is never refused', async t => {
  const { agent, clock, registry } = await testServer();
  for (const address of ['192.0.2.50', '192.0.2.51', '198.51.100.7', '192.0.2.50', '192.0.2.51', '192.0.2.52']) {
    await agent(address).join(ONE);
    await clock.advance(1_000);
  }
  t.equal(registry.size, 1);
});

t.test('guid guard: agents without an instanceId are told apart by their address', async t => {
  const { agent } = await testServer();
  const established = agent('192.0.2.50');
  await established.join({ guid: G });
  const again = agent('192.0.2.50');
  await again.join({ guid: G });
  t.ok(established.closed, 'the same one, on a new link');
  const newcomer = agent('192.0.2.51');
  newcomer.startup({ guid: G });
  await settle();
  await answerHealth(again);
  t.match(await refusalOf(newcomer), /in use by the agent at 192\.0\.2\.50$/);
});

t.test('guid guard: a link of another server is asked through it, and not while the store is away', async t => {
  const data = new MemoryData();
  const clock = new FakeClock();
  const a = await testServer({ store: new MemoryStore(data), clock });
  const asked: unknown[] = [];
  let answers = true;
  const b = await testServer({
    store: new MemoryStore(data),
    clock,
    msid: 1002,
    answersElsewhere: async host => {
      asked.push(host);
      return answers;
    },
  });
  await a.agent('192.0.2.50').join(ONE);
  await clock.advance(2_000);
  const before = data.hosts.get(1);
  const clone = b.agent('192.0.2.51');
  clone.startup(TWO);
  t.match(await refusalOf(clone), /in use by the agent at 192\.0\.2\.50 \(process p1\)/);
  t.match(asked, [{ hostId: 1, uuid: before?.uuid, msid: 1001 }]);
  t.strictSame(data.hosts.get(1), before);
  t.equal(b.events.filter(({ type }) => type === 'AGENT.GUID.FIGHT').length, 1);
  await b.agent('192.0.2.50').join(ONE);
  t.equal(asked.length, 1, 'the process itself, which moves, is not asked about');
  await clock.advance(2_000);
  answers = false;
  const c = await testServer({
    store: new MemoryStore(data),
    clock,
    msid: 1003,
    answersElsewhere: async () => answers,
  });
  await c.agent('192.0.2.51').join(TWO);
  t.match(data.hosts.get(1), { msid: 1003, instanceId: 'p2' }, 'the former link does not answer');
});

t.test('regression: guid guard: an agent that has gone to another server a moment ago is asked there', async t => {
  const data = new MemoryData();
  const clock = new FakeClock();
  const a = await testServer({ store: new MemoryStore(data), clock, answersElsewhere: async () => true });
  const b = await testServer({ store: new MemoryStore(data), clock, msid: 1002 });
  const former = a.agent('192.0.2.50');
  await former.join(ONE);
  await clock.advance(2_000);
  await b.agent('192.0.2.50').join(ONE);
  former.close();
  await settle();
  const clone = a.agent('192.0.2.51');
  clone.startup(TWO);
  t.match(await refusalOf(clone), /in use by the agent at 192\.0\.2\.50 \(process p1\)/);
  t.match(data.hosts.get(1), { msid: 1002, instanceId: 'p1' });
});

t.test(
  'regression: guid guard: an agent that comes while its former server is asked in vain is asked here',
  async t => {
    const data = new MemoryData();
    const clock = new FakeClock();
    const a = await testServer({ store: new MemoryStore(data), clock });
    let answer = (_: boolean) => {};
    const b = await testServer({
      store: new MemoryStore(data),
      clock,
      msid: 1002,
      answersElsewhere: () =>
        new Promise<boolean>(resolve => {
          answer = resolve;
        }),
    });
    await a.agent('192.0.2.50').join(ONE);
    await clock.advance(2_000);
    const clone = b.agent('192.0.2.51');
    clone.startup(TWO);
    await settle();
    const established = b.agent('192.0.2.50');
    await established.join(ONE);
    answer(false);
    await settle();
    await answerHealth(established);
    t.match(await refusalOf(clone), /in use by the agent at 192\.0\.2\.50 \(process p1\)/);
    t.match(data.hosts.get(1), { msid: 1002, instanceId: 'p1' });
  },
);

t.test(
  'regression: guid guard: an agent that goes to a third server while one is asked in vain is asked there',
  async t => {
    const data = new MemoryData();
    const clock = new FakeClock();
    const a = await testServer({ store: new MemoryStore(data), clock });
    const asked: number[] = [];
    const c = await testServer({ store: new MemoryStore(data), clock, msid: 1003 });
    const b = await testServer({
      store: new MemoryStore(data),
      clock,
      msid: 1002,
      answersElsewhere: async ({ msid }) => {
        asked.push(msid);
        if (msid === 1001) await c.agent('192.0.2.50').join(ONE);
        return msid === 1003;
      },
    });
    await a.agent('192.0.2.50').join(ONE);
    await clock.advance(2_000);
    const clone = b.agent('192.0.2.51');
    clone.startup(TWO);
    t.match(await refusalOf(clone), /in use by the agent at 192\.0\.2\.50 \(process p1\)/);
    t.same(asked, [1001, 1003]);
  },
);

t.test('guid guard: of a link of another server nothing is asked while the store is away', async t => {
  const data = new MemoryData();
  const clock = new FakeClock();
  const a = await testServer({ store: new MemoryStore(data), clock });
  const b = await testServer({ store: new MemoryStore(data), clock, msid: 1002, answersElsewhere: async () => true });
  await a.agent('192.0.2.50').join(ONE);
  await clock.advance(2_000);
  b.store.outage = 'STORE_UNAVAILABLE';
  await clock.advance(2_000);
  const { startupAnswer } = await b.agent('192.0.2.51').join(TWO);
  t.match(contentOf(startupAnswer)[1], { hostId: 1 });
});
