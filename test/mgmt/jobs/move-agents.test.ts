import t from 'tap';
import type { Attache } from '../../../src/mgmt/agents/attache.js';
import { askToMigrate, type MoveReport, moveAgents } from '../../../src/mgmt/jobs/move-agents.js';
import { SILENT_SERVER_METERS } from '../../../src/mgmt/metrics/server-metrics.js';
import {
  MigrateAgentConnectionAnswer,
  MigrateAgentConnectionCommand,
  UnsupportedAnswer,
} from '../../../src/protocol/index.js';
import type { FakeAgent } from '../../../src/testing/fake-agent.js';
import { settle, turnOfLoop } from '../../../src/testing/fake-clock.js';
import { obeys, type Reply, yes } from '../../helpers/obedient-agent.js';
import { setConfiguration } from '../../helpers/set-configuration.js';
import { ANY_NUMBER, testServer } from '../../helpers/test-server.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;

/** Moments at which agents were asked, by the first server of what they were told. */
interface Asked {
  readonly at: number;
  readonly target: string;
}

interface BenchOptions {
  readonly algorithm?: string;
  readonly rate?: number;
  readonly tries?: number;
  readonly timeoutMs?: number;
}

/** Server A with agents, and a drain of it under way. */
async function bench(options: BenchOptions = {}) {
  const server = await testServer({
    configuration: { ...ANY_NUMBER, 'indirect.agent.lb.algorithm': options.algorithm ?? 'static' },
    avoided: [A],
  });
  const { clock, lines, lists } = server;
  const listFor = ({ host, held }: Attache) => lists.listFor(host, { held });
  const cancel = new AbortController();
  const b = {
    ...server,
    cancel,
    up: new Set<string>([B, C]),
    rate: options.rate ?? 100,
    arriving: 0,
    asked: [] as Asked[],
    progress: [] as string[],
    report: undefined as MoveReport | undefined,
    /** Agents that do what the test says: by default they move 50 ms after they were asked. */
    async agents(count: number, replyOf: (agent: FakeAgent) => Reply = agent => moves(agent)) {
      const agents: FakeAgent[] = [];
      for (let i = 0; i < count; i++) {
        const agent = server.agent();
        await agent.join({ guid: `g${agents.length}-${server.registry.size}` });
        obeys(agent, replyOf(agent));
        agents.push(agent);
      }
      return agents;
    },
    start() {
      const addressFor = (attache: Attache) => {
        const { hosts, avoid } = listFor(attache);
        return hosts.find(address => !avoid.includes(address) && b.up.has(address));
      };
      return moveAgents(
        {
          clock,
          meters: SILENT_SERVER_METERS,
          log: { error() {}, warn() {}, info() {}, debug() {}, child: () => undefined as never },
          staying: () => [...server.registry],
          arriving: () => b.arriving,
          target(attache) {
            const address = addressFor(attache);
            return address === undefined ? { none: 'no other server of its list is Up' } : { address };
          },
          isUp: address => b.up.has(address),
          ask: attache => {
            b.asked.push({ at: clock.now(), target: addressFor(attache) ?? '' });
            return askToMigrate(attache, listFor(attache));
          },
          rate: () => b.rate,
          onProgress: text => void b.progress.push(text),
        },
        {
          timeoutMs: options.timeoutMs ?? 600_000,
          signal: cancel.signal,
          ...(options.tries !== undefined && { tries: options.tries }),
        },
      ).then(report => {
        b.report = report;
        return report;
      });
    },
    lines,
  };
  const moves = (agent: FakeAgent): Reply => {
    return (command, packet) => {
      if (MigrateAgentConnectionCommand.is(command)) clock.after(50, () => agent.close());
      return yes(command, packet);
    };
  };
  return b;
}

t.test('drain: all are asked by MigrateAgentConnection, with their list and whom to avoid, and it ends', async t => {
  const b = await bench();
  const [agent] = await b.agents(3);
  const draining = b.start();
  await b.clock.advance(1_000);
  t.same(await draining, { moved: 3, left: [] });
  const asked = agent?.received.at(-1);
  t.equal(asked?.flags, 0x23);
  t.match(asked?.messages, [
    {
      type: 'com.cloud.agent.api.MigrateAgentConnectionCommand',
      fields: { msList: [A, B, C], avoidMsList: [A], lbAlgorithm: 'static', lbCheckInterval: 0, wait: 60 },
    },
  ]);
  await b.stop('now');
  t.equal(b.clock.pending, 0, 'no timer is left');
});

t.test('drain: no target gets more agents a second than the rate, and each has its own', async t => {
  const b = await bench({ algorithm: 'roundrobin', rate: 20 });
  await b.agents(90);
  const draining = b.start();
  await b.clock.advance(10_000);
  t.match(await draining, { moved: 90, left: [] });
  // Roundrobin: A,B,C and B,C,A go to B, C,A,B to C.
  t.same(
    [B, C].map(target => b.asked.filter(asked => asked.target === target).length),
    [60, 30],
  );
  const tooSoon = [B, C].flatMap(target => {
    const at = b.asked.filter(asked => asked.target === target).map(asked => asked.at);
    return at.slice(1).filter((moment, i) => moment - (at[i] ?? 0) < 50 - 1e-6);
  });
  t.same(tooSoon, []);
  t.equal(b.asked.filter(({ at }) => at < 1_000).length, 40, 'twenty a second to each of the two');
  t.match(b.progress[0], /^\d+ agents have moved, \d+ are left \((?:[^:]+: \d+(?:, )?)+\)$/);
});

t.test('regression: another rate holds from then on', async t => {
  const b = await bench({ rate: 10 });
  await b.agents(60);
  const draining = b.start();
  await b.clock.advance(2_000);
  t.ok(b.asked.length <= 21);
  b.rate = 1_000;
  await b.clock.advance(1_000);
  t.match(await draining, { moved: 60 });
});

t.test('drain: whoever stays is asked again, though not before 15 s are over', async t => {
  const b = await bench({ timeoutMs: 50_000 });
  await b.agents(1, () => yes);
  const draining = b.start();
  await b.clock.advance(50_000);
  t.match(await draining, { moved: 0, left: [{ why: 'it was asked, and stayed' }] });
  t.same(
    b.asked.map(({ at }) => Math.floor(at / 5_000) * 5_000),
    [0, 15_000, 30_000, 45_000],
  );
});

t.test('drain: what is left is named with its reason', async t => {
  const b = await bench({ timeoutMs: 90_000 });
  const replies: Reply[] = [
    yes,
    () => MigrateAgentConnectionAnswer.encode({ result: false, details: 'no other management server' }),
    () => MigrateAgentConnectionAnswer.encode({ result: false }),
    () => UnsupportedAnswer.encode({ result: false, details: 'Unsupported command issued' }),
    () => undefined,
  ];
  for (const [i, reply] of replies.entries()) {
    const agent = b.agent();
    await agent.join({ guid: `g${i}`, name: `kvm-${i}` });
    obeys(agent, reply);
  }
  const draining = b.start();
  await b.clock.advance(90_000);
  const { moved, left } = await draining;
  t.equal(moved, 0);
  t.same(
    left.map(({ name, why }) => `${name}: ${why}`),
    [
      'kvm-0: it was asked, and stayed',
      'kvm-1: it says: no other management server',
      'kvm-2: it says: no',
      'kvm-3: it says: Unsupported command issued',
      'kvm-4: it has not answered yet',
    ],
  );
  t.ok(left.every(({ hostid }) => /^[0-9a-f-]{36}$/.test(hostid)));
});

t.test('regression: an agent that is silent is said to be silent, and not asked a second time before', async t => {
  const b = await bench({ timeoutMs: 72_000 });
  await b.agents(1, () => () => undefined);
  const draining = b.start();
  await b.clock.advance(69_000);
  t.equal(b.asked.length, 1);
  await b.clock.advance(3_000);
  t.match(await draining, { left: [{ why: /no answer to MigrateAgentConnectionCommand within 70000 ms/ }] });
});

t.test('drain: with nowhere to go it says so, and goes on when somebody is Up again', async t => {
  const b = await bench({ timeoutMs: 60_000 });
  await b.agents(5);
  b.up.clear();
  const draining = b.start();
  await b.clock.advance(20_000);
  t.equal(b.asked.length, 0);
  b.up.add(C);
  await b.clock.advance(6_000);
  t.same(await draining, { moved: 5, left: [] });
});

t.test('drain: those that had nowhere to go until the end are named', async t => {
  const b = await bench({ timeoutMs: 10_000 });
  await b.agents(2);
  b.up.clear();
  const draining = b.start();
  await b.clock.advance(10_000);
  t.match(await draining, { moved: 0, left: [{ why: 'no other server of its list is Up' }, {}] });
});

t.test('regression: when the target dies, nobody is sent there any more', async t => {
  const b = await bench({ rate: 10 });
  await b.agents(50);
  const draining = b.start();
  await b.clock.advance(1_000);
  b.up.delete(B);
  const before = b.asked.length;
  await b.clock.advance(10_000);
  t.match(await draining, { moved: 50 });
  t.same(new Set(b.asked.slice(before).map(({ target }) => target)), new Set([C]));
});

t.test('regression: agents are told the list that holds in the moment in which they are asked', async t => {
  const b = await bench({ rate: 10 });
  const agents = await b.agents(40);
  const draining = b.start();
  await b.clock.advance(1_000);
  await setConfiguration(b.store, 'host', `${C},${A}`);
  await b.poller.poll();
  const moment = b.clock.now();
  await b.clock.advance(10_000);
  t.match(await draining, { moved: 40 });
  const lists = agents.map(({ received }) => {
    const asked = received.filter(({ messages: [command] }) => command?.type.includes('Migrate'));
    return String(asked.at(-1)?.messages[0]?.fields.msList);
  });
  const late = b.asked.findIndex(({ at }) => at > moment + 250);
  t.same(new Set(lists.slice(late)), new Set([`${C},${A}`]));
});

t.test('drain: it ends when the time is out, and nobody is asked any more', async t => {
  const b = await bench({ rate: 2, timeoutMs: 5_000 });
  await b.agents(100);
  const draining = b.start();
  await b.clock.advance(5_000);
  const { moved, left } = await draining;
  t.equal(moved + left.length, 100);
  t.ok(moved >= 9 && moved <= 11, `${moved} moved`);
  t.match(left.at(-1), { why: 'it was not asked yet' });
  const asked = b.asked.length;
  await b.clock.advance(60_000);
  t.equal(b.asked.length, asked);
});

t.test('drain: a cancel ends it at once', async t => {
  const b = await bench({ rate: 2 });
  await b.agents(20);
  const draining = b.start();
  await b.clock.advance(1_100);
  b.cancel.abort();
  await settle();
  t.match(b.report, { moved: 3 });
  t.equal((await draining).left.length, 17);
  const asked = b.asked.length;
  await b.clock.advance(30_000);
  t.equal(b.asked.length, asked);
  await b.stop('now');
  t.equal(b.clock.pending, 0);
});

t.test('drain: who becomes Ready in the midst of it goes as well, and it waits for those on their way', async t => {
  const b = await bench();
  await b.agents(1);
  b.arriving = 1;
  b.start();
  await b.clock.advance(3_000);
  t.equal(b.report, undefined, 'one is on its way still');
  await b.agents(1);
  b.arriving = 0;
  await b.clock.advance(1_000);
  t.same(b.report, { moved: 2, left: [] });
});

t.test('drain: with a number of tries it ends when all had them, and the time to go', async t => {
  const b = await bench({ tries: 3 });
  await b.agents(2, () => yes);
  await b.agents(1);
  b.start();
  await b.clock.advance(44_000);
  t.equal(b.report, undefined);
  await b.clock.advance(3_000);
  t.match(b.report, { moved: 1, left: [{}, {}] });
  t.equal(b.asked.length, 7);
});

t.test('drain: an agent that has taken the list and stays is known to have it', async t => {
  const b = await bench({ timeoutMs: 1_000 });
  await b.agents(1, () => () => MigrateAgentConnectionAnswer.encode({ result: false }));
  const [attache] = [...b.registry];
  const before = attache?.held;
  b.start();
  await b.clock.advance(1_000);
  t.not(attache?.held, before);
  t.same(attache?.held?.avoid, [A]);
});

t.test('drain: 4,000 agents go in the time that the rate allows, and the event loop is never held up', async t => {
  const b = await bench({ algorithm: 'shuffle', rate: 1_000 });
  const joining = [];
  for (let i = 0; i < 4_000; i++) {
    const agent = b.agent();
    joining.push(
      agent.join({ guid: `g${i}` }).then(() =>
        obeys(agent, (command, packet) => {
          b.clock.after(50, () => agent.close());
          return yes(command, packet);
        }),
      ),
    );
  }
  await Promise.all(joining);
  // Lists that are computed without anybody else getting a turn.
  let computed = 0;
  let most = 0;
  const { listFor } = b.lists;
  b.lists.listFor = (...args) => {
    most = Math.max(most, ++computed);
    return listFor.apply(b.lists, args);
  };
  let isOver = false;
  const turn = () => {
    computed = 0;
    if (!isOver) void turnOfLoop().then(turn);
  };
  const draining = b.start();
  turn();
  // Two targets, 1,000 a second each, of equal shares.
  await b.clock.advance(2_600);
  isOver = true;
  t.match(await draining, { moved: 4_000, left: [] });
  t.ok(most <= 1_000, `${most} lists in one turn`);
});
