import t, { type Test } from 'tap';
import { CONSTANT, type StormAgent, WaitingAgent } from '../../bench/storm/agents.js';
import { CrowdAgent, type CrowdEvent } from '../../bench/storm/real/crowd-agent.js';
import { Tally } from '../../bench/storm/real/tally.js';
import type { AgentEvent, Effect } from '../../src/agent/agent-events.js';
import { secureContext } from '../../src/protocol/index.js';
import { FakeServer, testCertificate } from '../../src/testing/index.js';
import { until } from '../helpers/until.js';

const HOST = '127.0.0.1';

/** Dials once, and again when it is told to. */
class OnceAgent implements StormAgent {
  readonly #agent = new WaitingAgent([HOST], CONSTANT, () => 0);
  readonly handshakeLimitMs = 30_000;
  readonly heard: AgentEvent[] = [];
  dueAt: number | undefined = 0;

  on(event: AgentEvent, now: number): readonly Effect[] {
    this.heard.push(event);
    this.dueAt = undefined;
    return this.#agent.on(event, now);
  }
}

async function benchOf(t: Test) {
  const server = new FakeServer(HOST, secureContext(await testCertificate()));
  const port = await server.listen();
  t.teardown(() => server.close());
  const noted: CrowdEvent[] = [];
  const decisions = new OnceAgent();
  const context = secureContext({});
  const agent = new CrowdAgent(decisions, {
    ...{ guid: 'guid-1', address: '127.1.0.1', port, context },
    note: what => noted.push(what),
  });
  return { server, noted, decisions, agent };
}

t.test('crowd: an agent becomes Ready, is told of the spread, and loses its server', async t => {
  const { server, noted, decisions, agent } = await benchOf(t);
  server.pingAnswer = { muster: { spreadMs: 1_250 } };
  agent.start();
  await until(() => noted.includes('ready'));
  t.equal(agent.host, HOST);
  await agent.ping();
  t.match(decisions.heard.at(-1), { kind: 'update', update: { spreadMs: 1_250 } });
  server.die();
  await until(() => noted.includes('lost'));
  t.equal(agent.host, undefined);
  t.same(noted, ['dialled', 'ready', 'lost']);
  t.same(
    decisions.heard.map(({ kind }) => kind),
    ['tick', 'connected', 'ready', 'ready', 'update', 'lost'],
  );
});

t.test('crowd: what a server refuses and what it closes are told apart', async t => {
  const closed = await benchOf(t);
  closed.server.behaviour = 'close';
  closed.agent.start();
  await until(() => closed.noted.length === 2);
  t.same(closed.noted, ['dialled', 'closed']);
  t.match(closed.decisions.heard.at(-1), { kind: 'dial-failed', how: 'other' });
  const refused = await benchOf(t);
  await refused.server.close();
  refused.agent.start();
  await until(() => refused.noted.length === 2);
  t.same(refused.noted, ['dialled', 'refused']);
  t.match(refused.decisions.heard.at(-1), { kind: 'dial-failed', how: 'connection-refused' });
});

t.test('crowd: a storm ends when all that are due are Ready, and counts what they did', async t => {
  const tally = new Tally([0, 1]);
  t.equal(tally.agents, 2);
  const ended = tally.end(60_000);
  const happenings: readonly (readonly [number, CrowdEvent])[] = [
    ...([
      [0, 'dialled'],
      [0, 'gave-up'],
      [0, 'dialled'],
      [0, 'ready'],
      [1, 'dialled'],
      [1, 'refused'],
    ] as const),
    ...([
      [1, 'dialled'],
      [1, 'closed'],
      [1, 'dialled'],
      [0, 'lost'],
      [1, 'ready'],
      [2, 'dialled'],
    ] as const),
    ...([
      [0, 'dialled'],
      [0, 'ready'],
    ] as const),
  ];
  for (const [agent, what] of happenings) tally.note(agent, what);
  t.match(await ended, { attempts: { mean: 3, most: 3 }, repeated: 1, refused: 1, closed: 1, notReady: 0 });
});

t.test('crowd: a storm ends when its time is over, with those that are not Ready', async t => {
  const tally = new Tally([0, 1]);
  tally.note(0, 'dialled');
  tally.note(0, 'ready');
  t.match(await tally.end(0), { notReady: 1, attempts: { most: 1 } });
});
