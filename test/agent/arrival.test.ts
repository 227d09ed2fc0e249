import t from 'tap';
import type { AgentState } from '../../src/agent/agent-state.js';
import { purposeOf } from '../../src/agent/arrival.js';
import { AgentPlay } from '../helpers/agent-play.js';

/** Ready on A after a while. */
function readyOnA(list = 'A,B,C'): AgentPlay {
  const play = new AgentPlay(list);
  play.tick();
  play.on({ kind: 'connected', id: 1 });
  play.on({ kind: 'ready', id: 1, update: {} });
  return play;
}

const arrivalOf = ({ state }: AgentPlay): AgentState['arrival'] => state.arrival;

t.test('arrival: the first Ready link is a connect, and nobody knows of a gap', async t => {
  const play = new AgentPlay('A,B');
  play.tick();
  t.equal(play.state.arrival, undefined);
  t.same(purposeOf(play.state), { kind: 'connect', cause: 'started' });
  play.on({ kind: 'connected', id: 1 });
  play.on({ kind: 'ready', id: 1, update: {} });
  t.same(arrivalOf(play), { kind: 'connect', cause: 'started', gapMs: undefined });
  play.on({ kind: 'ready', id: 1, update: {} });
  t.same(arrivalOf(play), { kind: 'connect', cause: 'started', gapMs: undefined }, 'the second Ready is no move');
});

t.test('arrival: after a loss it is a failover, with its cause and the time without a Ready link', async t => {
  const play = readyOnA();
  play.now = 60_000;
  play.on({ kind: 'lost', id: 1, why: 'gone', how: 'reset' });
  t.same(play.state.loss, { at: 60_000, how: 'reset' });
  play.tick(500);
  t.same(purposeOf(play.state), { kind: 'failover', cause: 'reset' });
  play.on({ kind: 'connected', id: 2 });
  play.now += 120;
  play.on({ kind: 'ready', id: 2, update: {} });
  t.same(arrivalOf(play), { kind: 'failover', cause: 'reset', gapMs: 620 });
  t.equal(play.state.loss, undefined);
});

t.test('arrival: a move that a server asks for has no gap; when the old link ends first it is a failover', async t => {
  const play = readyOnA();
  play.on({ kind: 'migrate', id: 1, update: {} });
  t.same(purposeOf(play.state), { kind: 'migrate', cause: 'asked' });
  play.on({ kind: 'connected', id: 2 });
  play.on({ kind: 'ready', id: 2, update: {} });
  t.same(arrivalOf(play), { kind: 'migrate', cause: 'asked', gapMs: 0 });

  const cut = readyOnA();
  cut.on({ kind: 'migrate', id: 1, update: {} });
  cut.on({ kind: 'connected', id: 2 });
  cut.on({ kind: 'lost', id: 1, why: 'gone', how: 'closed' });
  cut.now += 40;
  cut.on({ kind: 'ready', id: 2, update: {} });
  t.same(arrivalOf(cut), { kind: 'failover', cause: 'closed', gapMs: 40 });
});

t.test('arrival: a silent server is left, and the gap begins when it was last heard', async t => {
  const play = readyOnA();
  play.now = 90_000;
  play.on({ kind: 'suspect', id: 1, silentMs: 12_000 });
  play.on({ kind: 'connected', id: 2 });
  play.now += 300;
  play.on({ kind: 'ready', id: 2, update: {} });
  t.same(arrivalOf(play), { kind: 'suspect', cause: 'silent', gapMs: 12_300 });
});

t.test('arrival: the way back, a list without the host, and a row that is lost have kinds of their own', async t => {
  const back = new AgentPlay('A,B');
  back.tick();
  back.on({ kind: 'dial-failed', id: 1, why: 'x', how: 'other' });
  back.on({ kind: 'connected', id: 2 });
  back.on({ kind: 'ready', id: 2, update: { checkIntervalSeconds: 60 } });
  back.tick(60_000);
  back.on({ kind: 'connected', id: 3 });
  back.on({ kind: 'ready', id: 3, update: {} });
  t.same(arrivalOf(back), { kind: 'failback', cause: 'preferred', gapMs: 0 });

  const unlisted = readyOnA();
  unlisted.on({ kind: 'update', id: 1, update: { hosts: ['B', 'C'] }, checkNow: false });
  unlisted.tick(30_000);
  t.same(purposeOf(unlisted.state), { kind: 'left-list', cause: 'list-changed' });

  const forgotten = readyOnA();
  forgotten.on({ kind: 'send-startup', id: 1 });
  t.same(purposeOf(forgotten.state), { kind: 'register', cause: 'row-lost' });

  const renewed = readyOnA();
  renewed.on({ kind: 'credentials', credentials: 'second' });
  t.same(purposeOf(renewed.state), { kind: 'register', cause: 'certificates' });
});
