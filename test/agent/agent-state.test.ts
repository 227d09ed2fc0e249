import t from 'tap';
import { initialState, nextDue, readyLink } from '../../src/agent/agent-state.js';
import { next } from '../../src/agent/agent-step.js';
import { linkEventsOf } from '../../src/agent/link-events.js';
import { AgentPlay, hostList, listed, PLAY_RULES, upFor } from '../helpers/agent-play.js';

const LAST = 'persist last.setup.completed.host';

// ---- the cycle

t.test('cycle: dials the list in order, at once after each failure', async t => {
  const play = new AgentPlay('A,B,C');
  t.equal(play.dueIn, 0, 'the first tick is due at once');
  t.same(play.tick(), ['dial 1 A']);
  t.same(play.failed(1), ['dial 2 B']);
  t.same(play.connected(2), ['proceed 2']);
  t.equal(play.dueIn, undefined, 'while a dial is beyond TCP nothing waits for time');
  t.same(play.tick(60_000), [], 'and a tick changes nothing');
  t.same(play.failed(2), ['dial 3 C']);
  t.same(play.failed(3), []);
  t.equal(play.kind, 'waiting');
});

t.test('cycle: starts behind the host that was lost', async t => {
  const play = upFor('A,B,C', 10_000);
  t.same(play.lost(1), []);
  t.same(play.tickWhenDue(), ['dial 2 B']);
  play.ready(2);
  play.now += 10_000;
  play.lost(2);
  t.same(play.tickWhenDue(), ['dial 3 C']);
  t.same(play.failed(3), ['dial 4 A']);
  t.same(play.failed(4), ['dial 5 B'], 'the lost one comes last');
});

t.test('cycle: a new one starts behind the host that failed last', async t => {
  const play = new AgentPlay('A,B,C');
  play.on({ kind: 'tick' });
  play.state = { ...play.state, avoid: ['A'], remaining: ['C', 'A'] };
  play.failed(1);
  play.failed(2);
  play.failed(3);
  t.same(play.tickWhenDue(), ['dial 4 B'], 'A failed last, as the avoided one');
});

t.test('cycle: avoided hosts come last, all of them in order when all are avoided', async t => {
  const play = upFor('A,B,C', 10_000, { avoid: ['B'] });
  play.lost(1);
  t.same(play.tickWhenDue(), ['dial 2 C']);
  t.same(play.failed(2), ['dial 3 A']);
  t.same(play.failed(3), ['dial 4 B']);

  const all = upFor('A,B,C', 10_000, { avoid: ['A', 'B', 'C'] });
  all.lost(1);
  t.same(all.tickWhenDue(), ['dial 2 B']);
});

t.test('cycle: the latest avoid list replaces the former, and a missing one changes nothing', async t => {
  const play = upFor('A,B,C', 10_000, { avoid: ['B'] });
  play.update(1, {});
  t.same(play.state.avoid, ['B']);
  play.update(1, { avoid: ['C'] });
  t.same(play.state.avoid, ['C']);
  play.update(1, { avoid: [] });
  t.same(play.state.avoid, []);
});

t.test('regression: cycle: hosts to avoid come last also in a cycle that was planned before', async t => {
  // A link that does not last goes on with the cycle in which it came.
  const play = new AgentPlay('A,B,C,D');
  play.on({ kind: 'tick' });
  play.ready(1);
  play.update(1, { avoid: ['B'] });
  play.now += 1_000;
  play.lost(1);
  t.same(play.tickWhenDue(), ['dial 2 C']);
  t.same(play.failed(2), ['dial 3 D']);
});

t.test('cycle: an avoid list is never written', async t => {
  const play = upFor('A,B,C', 10_000);
  t.same(play.update(1, { avoid: ['B', 'C'] }), []);
});

t.test('cycle: hosts of the last list that worked are tried after two full cycles, and that is said once', async t => {
  const play = new AgentPlay('X,Y', 'A,X,B');
  const dialled: string[] = [];
  for (let at = 0, id = 1; at < 4; at++) {
    for (let [dial] = play.tickWhenDue(); dial !== undefined; [dial] = play.failed(id++)) {
      dialled.push(dial.replace(/^dial \d+ /, ''));
    }
    dialled.push('-');
  }
  t.equal(dialled.join(''), 'XY-XY-XYAB-XYAB-');
  t.equal(play.logged().filter(line => line.includes('last list that worked')).length, 1);
});

t.test('cycle: a list that is itself the last one that worked brings no others, and says nothing of them', async t => {
  const play = new AgentPlay('A,B', 'A,B');
  for (let id = 1; id <= 8; id += 2) {
    play.tickWhenDue();
    play.failed(id);
    play.failed(id + 1);
  }
  t.same(
    play.logged().filter(line => line.includes('last list that worked')),
    [],
  );
});

t.test('cycle: on a host of the last list the agent is up, and leaves for its own list before long', async t => {
  const play = new AgentPlay('X', 'A');
  play.tick();
  play.failed(1);
  play.tickWhenDue();
  play.failed(2);
  t.same(play.tickWhenDue(), ['dial 3 X']);
  t.same(play.failed(3), ['dial 4 A']);
  t.same(play.ready(4), [], 'the list that does not work is not noted as one that does');
  t.equal(play.kind, 'up');
  t.equal(play.dueIn, 15_000, 'half of 30 s');
  t.same(play.tickWhenDue(), ['dial 5 X unlike 4']);
});

t.test('cycle: a refusal counts as a failure of that host, and is an error in the log', async t => {
  const play = new AgentPlay('A,B');
  play.tick();
  t.same(play.failed(1, 'wrong zone', 'agent-refused'), ['dial 2 B']);
  t.match(play.logged(), [/^error Cannot connect to host: A/]);
  play.failed(2);
  t.match(play.logged()[0], /^warn Cannot connect to host: B/);
});

// ---- backoff

t.test('backoff: full jitter up to the base, doubling with every full cycle, 60 s at most', async t => {
  for (const [random, expected] of [
    [0, [0, 0, 0, 0, 0, 0, 0]],
    [0.5, [2_500, 5_000, 10_000, 20_000, 30_000, 30_000, 30_000]],
    [0.999, [4_995, 9_990, 19_980, 39_960, 59_940, 59_940, 59_940]],
  ] as const) {
    const play = new AgentPlay('A');
    play.random = random;
    const waits: (number | undefined)[] = [];
    play.tick();
    for (let id = 1; id <= expected.length; id++) {
      play.failed(id);
      waits.push(play.dueIn);
      play.tickWhenDue();
    }
    t.same(waits, expected, `random ${random}`);
  }
});

t.test('backoff: nothing is dialled before its end', async t => {
  const play = new AgentPlay('A');
  play.tick();
  play.failed(1);
  t.same(play.tick(2_499), []);
  t.same(play.tick(1), ['dial 2 A']);
});

t.test('backoff: 30 s of Ready end it, a shorter time does not', async t => {
  for (const [ms, failures] of [
    [29_999, 3],
    [30_000, 0],
  ] as const) {
    const play = new AgentPlay('A');
    play.tick();
    for (let id = 1; id <= 3; id++) {
      play.failed(id);
      play.tickWhenDue();
    }
    play.ready(4);
    t.equal(play.state.failures, 3, 'Ready alone does not end it');
    play.now += ms;
    play.lost(4);
    t.equal(play.state.failures, failures, `after ${ms} ms`);
  }
});

t.test('regression: backoff: 30 s of Ready end it also when the link is lost during a move', async t => {
  const play = new AgentPlay('A,B');
  play.tick();
  for (let id = 1; id <= 6; id += 2) {
    play.failed(id);
    play.failed(id + 1);
    play.tickWhenDue();
  }
  play.ready(7);
  play.now += 30_000;
  play.migrate(7);
  play.lost(7);
  t.equal(play.state.failures, 0);
});

// ---- failover

t.test('failover: the first attempt after a loss comes within failover.spread.ms', async t => {
  for (const [random, ms] of [
    [0, 0],
    [0.5, 250],
    [0.999, 499.5],
  ] as const) {
    const play = upFor('A,B', 10_000);
    play.random = random;
    play.lost(1);
    t.equal(play.dueIn, ms);
  }
  const play = upFor('A,B', 10_000);
  play.rules = { ...PLAY_RULES, failoverSpreadMs: 0 };
  play.lost(1);
  t.equal(play.dueIn, 0);
});

t.test(
  'failover: a server that has many agents tells over how long they spread; another one that tells less',
  async t => {
    const play = upFor('A,B', 10_000);
    play.random = 0.5;
    play.on({ kind: 'ready', id: 1, update: { spreadMs: 8_000 } });
    play.on({ kind: 'update', id: 1, update: { avoid: ['C'] }, checkNow: false });
    play.lost(1);
    t.equal(play.dueIn, 4_000);
    play.tickWhenDue();
    play.on({ kind: 'ready', id: 2, update: { spreadMs: 100 } });
    play.tick(10_000);
    play.lost(2);
    t.equal(play.dueIn, 250, 'failover.spread.ms is the least');
  },
);

t.test('failover: says what operators grep for', async t => {
  const play = upFor('A,B', 10_000);
  play.lost(1);
  t.same(play.logged(), ['warn Lost connection to host: A', 'info Reconnecting to host: B']);
  play.tickWhenDue();
  play.ready(2);
  t.same(play.logged(), ['info Connected to the host: B']);
});

t.test('failover: a link of less than 5 s is one more failure of its host in the same cycle', async t => {
  const play = new AgentPlay('A,B');
  play.tick();
  play.ready(1);
  play.now += 4_999;
  play.lost(1);
  t.ok((play.dueIn ?? 0) <= 500, 'the next one of the cycle comes soon');
  t.same(play.tickWhenDue(), ['dial 2 B']);
  play.ready(2);
  play.now += 4_999;
  play.lost(2);
  t.equal(play.state.failures, 1, 'both are sick: the cycle has failed');
  t.equal(play.dueIn, 2_500, 'so there is a backoff');
  t.same(play.tickWhenDue(), ['dial 3 A']);
});

t.test('failover: a link of 5 s starts a new cycle', async t => {
  const play = new AgentPlay('A,B');
  play.tick();
  play.ready(1);
  play.now += 5_000;
  play.lost(1);
  play.tickWhenDue();
  t.same(play.state.remaining, ['A'], 'B is dialled, and A is worth a try again');
});

t.test('failover: a young link of a single host is redialled only after the backoff', async t => {
  const play = new AgentPlay('A');
  play.random = 0.999;
  play.tick();
  const waits: (number | undefined)[] = [];
  for (let id = 1; id <= 3; id++) {
    play.ready(id);
    play.now += 100;
    play.lost(id);
    waits.push(play.dueIn);
    play.tickWhenDue();
  }
  t.same(waits, [4_995, 9_990, 19_980]);
});

t.test(
  'regression: failover: a young link lost right after a new list dials none that the list does not name',
  async t => {
    const play = new AgentPlay('A,B,C');
    play.tick();
    play.ready(1, listed('C,X@static'));
    play.now += 1_000;
    play.lost(1);
    t.same(play.tickWhenDue(), ['dial 2 C'], 'of the old list only C is left');
    t.same(play.failed(2), ['dial 3 X']);
    t.same(play.failed(3), []);
  },
);

t.test('regression: failover: a young link lost right after the first list goes on with that list at once', async t => {
  const play = new AgentPlay('localhost');
  play.tick();
  play.ready(1, listed('A,B@static'));
  play.now += 1_000;
  play.lost(1);
  t.equal(play.dueIn, 250, 'A and B have not failed yet');
  t.same(play.tickWhenDue(), ['dial 2 A']);
});

// ---- lists

t.test('list: one that differs is kept and written with its algorithm; an equal one is neither', async t => {
  const play = new AgentPlay('localhost');
  play.tick();
  t.same(play.ready(1, listed('A,B,localhost@roundrobin')), [
    'persist host=A,B,localhost@roundrobin',
    `${LAST}=A,B,localhost@roundrobin`,
  ]);
  t.match(play.logged(), [/Connected/, 'info Processed new management server list: A,B,localhost@roundrobin']);
  t.same(play.update(1, listed('A,B,localhost@roundrobin')), []);
  t.same(play.update(1, { hosts: [], algorithm: 'static' }), [], 'an empty list is none');
  t.same(play.update(1, { algorithm: 'static' }), [], 'an algorithm alone is none');
  t.same(play.update(1, listed('A,B,localhost@static')), [
    'persist host=A,B,localhost@static',
    `${LAST}=A,B,localhost@static`,
  ]);
});

t.test('list: the last one that worked is noted once a host of it is Ready, not before', async t => {
  const play = new AgentPlay('A,B', 'Z');
  play.tick();
  t.same(play.ready(1), [`${LAST}=A,B`]);
  t.same(play.ready(1), [], 'once');
  t.same(play.update(1, listed('X,Y')), ['persist host=X,Y'], 'A is not in it');
  play.tickWhenDue();
  t.same(play.ready(2), [`${LAST}=X,Y`]);
});

t.test('list: nobody moves because of a new one but at the check', async t => {
  const play = upFor('A,B,C', 10_000, { checkIntervalSeconds: 60 });
  t.same(play.update(1, listed('B,C,A')), ['persist host=B,C,A', `${LAST}=B,C,A`]);
  t.equal(play.kind, 'up');
  t.equal(play.dueIn, 57_000, 'half of the jitter of 10 %');
  t.same(play.tickWhenDue(), ['dial 2 B unlike 1']);
});

t.test(
  'list: an agent whose host has left it moves after a uniform 0 to 30 s, to any host of the new list',
  async t => {
    for (const [random, ms] of [
      [0, 0],
      [0.5, 15_000],
      [0.999, 29_970],
    ] as const) {
      const play = upFor('A,B', 10_000);
      play.random = random;
      play.update(1, listed('X,Y,Z', { avoid: ['X'] }));
      t.equal(play.dueIn, ms);
      t.same(play.tickWhenDue(), ['dial 2 Y unlike 1']);
      t.same(play.failed(2), ['dial 3 Z unlike 1']);
      t.same(play.failed(3), ['dial 4 X unlike 1']);
      t.same(play.failed(4), []);
      t.equal(play.kind, 'up', 'it stays where it is when none takes it');
      t.equal(play.dueIn, 60_000 + ms, 'and tries again');
      t.same(play.tickWhenDue(), ['dial 5 Y unlike 1']);
    }
  },
);

t.test('list: the same list again does not put off the leaving', async t => {
  const play = upFor('A,B', 10_000);
  play.update(1, listed('X,Y'));
  play.now += 14_000;
  play.update(1, listed('X,Y', { avoid: [] }));
  play.ready(1, listed('X,Y'));
  t.equal(play.dueIn, 1_000);
});

t.test('list: a host that comes back into it is not left', async t => {
  const play = upFor('A,B', 10_000);
  play.update(1, listed('X,Y'));
  play.update(1, listed('X,A'));
  t.equal(play.dueIn, undefined);
});

t.test('regression: list: a move goes on to no host that a new list does not name', async t => {
  const play = upFor('A,B', 10_000);
  play.update(1, listed('X,Y,Z'));
  t.same(play.tickWhenDue(), ['dial 2 X unlike 1']);
  play.update(1, listed('X,Z'));
  t.same(play.failed(2), ['dial 3 Z unlike 1'], 'not Y');
});

t.test('list: a word from an earlier link changes nothing', async t => {
  const play = upFor('A,B', 10_000);
  play.migrate(1);
  play.ready(2);
  t.equal(play.kind, 'settling');
  const before = play.state;
  t.same(play.update(1, listed('X,Y', { avoid: ['B'], checkIntervalSeconds: 5 }), true), []);
  t.same(play.ready(1, listed('X,Y')), []);
  t.same(play.migrate(1, listed('X,Y')), []);
  t.same(play.on({ kind: 'shutdown', id: 1, removeHost: true }), []);
  t.same(play.state, before);
});

// ---- the preferred-host check

t.test('check: off by default, and with 0', async t => {
  t.equal(upFor('A,B', 0).dueIn, undefined);
  t.equal(upFor('A,B', 0, { checkIntervalSeconds: 0 }).dueIn, undefined);
});

t.test('check: the interval is jittered by −10 % to 0', async t => {
  for (const [random, ms] of [
    [0, 100_000],
    [0.5, 95_000],
    [0.999, 90_010],
  ] as const) {
    const play = new AgentPlay('A,B');
    play.random = random;
    play.tick();
    play.ready(1, { checkIntervalSeconds: 100 });
    t.equal(play.dueIn, ms, `random ${random}`);
  }
});

t.test('check: the interval of the file beats the server, and its 0 is off', async t => {
  for (const [fileMs, due] of [
    [10_000, 9_500],
    [0, undefined],
  ] as const) {
    const play = new AgentPlay('A,B');
    play.rules = { ...PLAY_RULES, checkIntervalMs: fileMs };
    play.tick();
    play.ready(1);
    t.equal(play.dueIn, due, 'also when the server says nothing');
    play.update(1, { checkIntervalSeconds: 100 });
    t.equal(play.dueIn, due);
  }
});

t.test('check: a changed interval arms it anew, 0 disarms it, an avoid list alone leaves it', async t => {
  const play = upFor('A,B', 0, { checkIntervalSeconds: 100 });
  play.now += 50_000;
  play.update(1, { avoid: [] });
  t.equal(play.dueIn, 45_000);
  play.update(1, { checkIntervalSeconds: 10 });
  t.equal(play.dueIn, 9_500);
  play.update(1, { checkIntervalSeconds: 0 });
  t.equal(play.dueIn, undefined);
  play.update(1, { checkIntervalSeconds: 20 });
  t.equal(play.dueIn, 19_000);
});

t.test('check: on the preferred host it goes on quietly', async t => {
  const play = upFor('A,B', 0, { checkIntervalSeconds: 100 });
  t.same(play.tickWhenDue(), []);
  t.equal(play.dueIn, 95_000);
});

/** Up on B of A,B,C (or so), where the check is due every 100 s. */
function awayFromHome(list = 'A,B,C', more = {}) {
  const play = new AgentPlay(list, list);
  play.tick();
  play.failed(1);
  play.ready(2, { checkIntervalSeconds: 100, ...more });
  play.logged();
  return play;
}

t.test('check: goes back by a new link first, and says so', async t => {
  const play = awayFromHome();
  t.same(play.tickWhenDue(), ['dial 3 A unlike 2']);
  t.match(play.state.phase, { kind: 'moving', link: { host: 'B' }, move: { reason: 'failback' } });
  t.same(play.ready(3), [], 'the old link stays until the second Ready');
  t.match(play.state.phase, { kind: 'settling', link: { host: 'A' }, old: { host: 'B' } });
  t.same(play.logged(), ['info Connected to the host: A']);
  t.same(play.ready(3), ['ping 3', 'retire 2']);
  t.match(play.state.phase, { kind: 'up', link: { host: 'A' } });
});

t.test('check: when the preferred host does not get as far as Ready, the agent stays and asks again later', async t => {
  const play = awayFromHome();
  play.tickWhenDue();
  play.now += 3_000;
  t.same(play.failed(3), [], 'no other host is tried');
  t.match(play.state.phase, { kind: 'up', link: { id: 2, host: 'B' } });
  t.equal(play.dueIn, 92_000, 'counted from the check');
  t.same(play.tickWhenDue(), ['dial 4 A unlike 2']);
});

t.test('check: an avoided preferred host is not dialled, unless all are avoided', async t => {
  const play = awayFromHome('A,B,C', { avoid: ['A'] });
  t.same(play.tickWhenDue(), []);
  t.equal(play.dueIn, 95_000, 'the next one comes in its time');
  const all = awayFromHome('A,B,C', { avoid: ['C', 'B', 'A'] });
  t.same(all.tickWhenDue(), ['dial 3 A unlike 2']);
});

t.test('check: waits while commands are in progress', async t => {
  const play = awayFromHome();
  play.busy = true;
  t.same(play.tickWhenDue(), []);
  t.equal(play.dueIn, 1_000);
  t.same(play.tickWhenDue(), []);
  play.busy = false;
  t.same(play.tickWhenDue(), ['dial 3 A unlike 2']);
});

t.test('check: a server that asks for one now gets it, even where the interval is 0', async t => {
  for (const checkIntervalSeconds of [0, 100]) {
    const play = awayFromHome('A,B,C', { checkIntervalSeconds });
    play.update(2, {}, true);
    t.equal(play.dueIn, 0);
    t.same(play.tick(), ['dial 3 A unlike 2']);
    play.failed(3);
    t.equal(play.dueIn, checkIntervalSeconds === 0 ? 57_000 : 95_000, 'until one has succeeded');
  }
});

t.test('check: with shuffle it runs until one has succeeded, and again for the next list', async t => {
  const play = awayFromHome('A,B,C@shuffle');
  play.tickWhenDue();
  play.failed(3);
  t.same(play.tickWhenDue(), ['dial 4 A unlike 2'], 'one that failed does not count');
  play.ready(4);
  play.ready(4);
  t.equal(play.dueIn, undefined, 'one succeeded');
  play.update(4, { checkIntervalSeconds: 50 });
  t.equal(play.dueIn, undefined, 'and a new interval does not start it again');
  play.update(4, listed('A,B,C@shuffle'));
  t.equal(play.dueIn, undefined, 'nor does the same list');
  play.update(4, listed('B,A,C@shuffle'));
  t.equal(play.dueIn, 47_500);
  play.tickWhenDue();
  play.ready(5);
  play.tick(5_000);
  t.equal(play.dueIn, undefined, '4.13 sends one Ready only');
});

t.test('check: with shuffle, one that finds the agent at its preferred host has succeeded', async t => {
  const play = upFor('A,B@shuffle', 0, { checkIntervalSeconds: 100 });
  t.equal(play.dueIn, 95_000);
  play.tickWhenDue();
  t.equal(play.dueIn, undefined);
  play.lost(1);
  play.tickWhenDue();
  play.ready(2);
  t.equal(play.dueIn, undefined, 'also after a failover');
  play.update(2, {}, true);
  t.equal(play.dueIn, 0, 'a server may still ask for one');
});

t.test('regression: check: with shuffle, a way back that is lost while it settles has not succeeded', async t => {
  const play = awayFromHome('A,B@shuffle');
  play.tickWhenDue();
  play.ready(3);
  play.lost(3);
  t.match(play.state.phase, { kind: 'up', link: { id: 2, host: 'B' } });
  t.equal(play.dueIn, 190_000, 'and the next one is later, because this one did not last');
});

t.test('check: one that fell due during a move comes after it', async t => {
  const play = awayFromHome();
  play.suspect(2);
  play.now += 200_000;
  play.on({ kind: 'heard', id: 2 });
  t.equal(play.kind, 'up');
  t.ok((play.dueIn ?? 0) <= 0);
  t.same(play.tick(), ['dial 4 A unlike 2']);
});

// ---- moves

t.test('move: the old link retires 5 s after the first Ready when there is no second', async t => {
  const play = awayFromHome();
  play.tickWhenDue();
  play.ready(3);
  t.equal(play.dueIn, 5_000);
  t.same(play.tick(4_999), []);
  t.same(play.tick(1), ['ping 3', 'retire 2']);
});

t.test('move: an old link lost while moving makes the dial the failover', async t => {
  const play = awayFromHome();
  play.now += 10_000;
  play.suspect(2);
  t.match(play.state.phase, { kind: 'moving', dial: { id: 3, host: 'C' } });
  play.logged();
  t.same(play.lost(2), []);
  t.match(play.state.phase, { kind: 'joining', dials: [{ id: 3, host: 'C' }] });
  t.same(play.logged(), ['warn Lost connection to host: B', 'info Reconnecting to host: C']);
  t.same(play.failed(3), ['dial 4 B'], 'the lost one before A, which has failed');
  t.same(play.failed(4), ['dial 5 A']);
  t.same(play.ready(5), []);
  t.equal(play.kind, 'up');
});

t.test('regression: move: a young link lost while moving does not make its host worth a try again', async t => {
  const play = new AgentPlay('A,B');
  play.tick();
  play.ready(1);
  play.now += 1_000;
  play.migrate(1);
  play.lost(1);
  t.same(play.failed(2), [], 'A has failed in this cycle already');
  t.equal(play.kind, 'waiting');
  t.equal(play.state.failures, 1);
});

t.test('move: a new link lost while settling brings back the old one', async t => {
  const play = awayFromHome();
  play.tickWhenDue();
  play.ready(3);
  const input = { rules: PLAY_RULES, now: play.now, random: () => 0, busy: false };
  const { effects } = next(play.state, { kind: 'lost', id: 3, why: 'cut', how: 'closed' }, input);
  t.match(effects, [{ kind: 'log', fields: { host: 'A', reason: 'cut', stays: 'B' } }], 'the log says where it stays');
  t.same(play.lost(3), []);
  t.match(play.state.phase, { kind: 'up', link: { id: 2, host: 'B' } });
  t.equal(readyLink(play.state)?.id, 2);
});

t.test('move: an old link lost while settling is not missed', async t => {
  const play = awayFromHome();
  play.tickWhenDue();
  play.ready(3);
  t.same(play.lost(2), ['ping 3']);
  t.match(play.state.phase, { kind: 'up', link: { id: 3, host: 'A' } });
  t.same(play.ready(3), [], 'nothing is left to retire');
});

t.test('move: both links lost while settling is a failover', async t => {
  const play = awayFromHome();
  play.tickWhenDue();
  play.ready(3);
  play.lost(3);
  play.lost(2);
  t.equal(play.kind, 'waiting');
  t.equal(play.dueIn, 250);
});

t.test('move: after it all hosts are worth a try again', async t => {
  const play = awayFromHome();
  play.tickWhenDue();
  play.ready(3);
  play.ready(3);
  play.now += 1_000;
  play.lost(3);
  t.same(play.tickWhenDue(), ['dial 4 B'], 'a young link, and yet there are others');
});

t.test('migrate: tries every other host that is not avoided, as transferred, then says why it stays', async t => {
  const play = upFor('A,B,C,D', 10_000);
  t.same(play.migrate(1, { avoid: ['A', 'C'] }), ['dial 2 B unlike 1 transferred']);
  t.match(play.state.phase, { kind: 'moving', move: { reason: 'migrate' } });
  t.same(play.failed(2), ['dial 3 D unlike 1 transferred']);
  play.logged();
  t.same(play.failed(3), []);
  t.equal(play.kind, 'up');
  t.match(play.logged(), [/^warn Cannot move to host: D/, /^error Cannot migrate/]);
});

t.test('migrate: takes the list that comes with it', async t => {
  const play = upFor('A,B', 10_000);
  t.same(play.migrate(1, listed('C,A,B@static', { avoid: ['A'] })), [
    'persist host=C,A,B@static',
    `${LAST}=C,A,B@static`,
    'dial 2 C unlike 1 transferred',
  ]);
});

t.test('migrate: with every other host avoided it stays, and says so', async t => {
  const play = upFor('A,B', 10_000);
  t.same(play.migrate(1, { avoid: ['B'] }), []);
  t.equal(play.kind, 'up');
  t.match(play.logged(), [/^error Cannot migrate/]);
});

t.test('migrate: takes the place of another move', async t => {
  const play = awayFromHome('A,B,C');
  play.tickWhenDue();
  t.same(play.migrate(2, { avoid: ['A', 'B'] }), ['drop 3', 'dial 4 C unlike 2 transferred']);
});

t.test('migrate: from a new link that still settles lets the old one go first', async t => {
  const play = awayFromHome('A,B,C');
  play.tickWhenDue();
  play.ready(3);
  t.same(play.migrate(3, { avoid: ['A'] }), ['ping 3', 'retire 2', 'drop 2', 'dial 4 B unlike 3 transferred']);
});

t.test('regression: move: while the link before it retires no other begins that can wait', async t => {
  const moved = () => {
    const play = awayFromHome('A,B,C');
    play.retiresAtOnce = false;
    play.tickWhenDue();
    play.ready(3);
    t.same(play.ready(3), ['ping 3', 'retire 2']);
    return play;
  };
  const certificates = moved();
  t.same(certificates.on({ kind: 'credentials', credentials: 'second' }), []);
  t.not(certificates.dueIn, 0, 'and it does not look again and again');
  certificates.on({ kind: 'retired', id: 2 });
  t.equal(certificates.dueIn, 0);
  t.same(certificates.tick(), ['dial 4 A']);

  const leaving = moved();
  leaving.update(3, listed('B,C'));
  t.same(leaving.tick(30_000), []);
  leaving.on({ kind: 'retired', id: 2 });
  t.same(leaving.tick(), ['dial 4 B unlike 3']);

  const lost = moved();
  t.same(lost.on({ kind: 'send-startup', id: 3 }), []);

  const back = moved();
  back.update(3, listed('C,A,B'), true);
  t.same(back.tick(), []);
  back.on({ kind: 'retired', id: 2 });
  t.same(back.tickWhenDue(), ['ping 3', 'dial 4 C unlike 3']);

  const silent = moved();
  t.same(silent.suspect(3), ['drop 2', 'dial 4 B unlike 3'], 'what cannot wait takes its place');
  silent.on({ kind: 'retired', id: 2 });
  t.equal(silent.kind, 'moving');
});

t.test(
  'suspect: a silent server is left for the next host, by a new link first, and avoided ones come last',
  async t => {
    const play = upFor('A,B,C', 10_000, { avoid: ['B'] });
    t.same(play.suspect(1), ['dial 2 C unlike 1']);
    t.equal(readyLink(play.state)?.id, 1);
    t.same(play.suspect(1), [], 'once more changes nothing while it moves');
    t.same(play.failed(2), ['dial 3 B unlike 1']);
    t.same(play.failed(3), []);
    t.equal(play.kind, 'up');
    t.same(play.suspect(1), ['dial 4 C unlike 1'], 'still silent: once more');
    t.same(play.ready(4), []);
    t.same(play.ready(4), ['ping 4', 'retire 1']);
  },
);

t.test('suspect: the agent stays if the server speaks meanwhile', async t => {
  const play = upFor('A,B', 10_000);
  play.suspect(1);
  t.same(play.on({ kind: 'heard', id: 1 }), ['drop 2']);
  t.match(play.state.phase, { kind: 'up', link: { id: 1 } });
});

t.test('suspect: a server that speaks ends no other move', async t => {
  const play = upFor('A,B', 10_000);
  play.migrate(1);
  t.same(play.on({ kind: 'heard', id: 1 }), []);
  t.equal(play.kind, 'moving');
});

t.test('suspect: without another host the agent stays, and says so', async t => {
  const play = upFor('A', 10_000);
  t.same(play.suspect(1), []);
  t.equal(play.kind, 'up');
  t.match(play.logged(), [/^warn Management server is silent: A/]);
});

t.test('register: a server that has lost our row gets a new link, to itself', async t => {
  const play = upFor('A,B', 10_000);
  t.same(play.on({ kind: 'send-startup', id: 1 }), ['dial 2 A'], 'not unlike: it is meant to be the same server');
  t.same(play.on({ kind: 'send-startup', id: 1 }), [], 'not twice');
  t.same(play.lost(1), [], 'the server closes the old link before it says Ready');
  t.match(play.state.phase, { kind: 'joining', dials: [{ id: 2, host: 'A' }] });
  t.same(play.state.remaining, ['B'], 'the host under way is not tried twice in a cycle');
  play.ready(2);
  t.match(play.state.phase, { kind: 'up', link: { id: 2, host: 'A' } });
});

t.test('register: is ignored while moving or settling, and from a link that is not ours', async t => {
  const play = upFor('A,B', 10_000);
  t.same(play.on({ kind: 'send-startup', id: 7 }), []);
  play.migrate(1);
  t.same(play.on({ kind: 'send-startup', id: 1 }), []);
  play.ready(2);
  t.same(play.on({ kind: 'send-startup', id: 1 }), []);
});

t.test('same server: on the way back it means that we are there', async t => {
  const play = awayFromHome('localhost,127.0.0.1@shuffle');
  play.tickWhenDue();
  t.same(play.sameServer(3), []);
  t.match(play.state.phase, { kind: 'up', link: { id: 2, host: 'localhost' } });
  t.equal(play.dueIn, undefined, 'a check that succeeded');
});

t.test('same server: of a list without our name for it, it means that we need not leave', async t => {
  const play = upFor('localhost', 10_000, { checkIntervalSeconds: 100 });
  play.update(1, listed('X,127.0.0.1@shuffle'));
  t.same(play.tick(30_000), ['dial 2 X unlike 1']);
  t.same(play.failed(2), ['dial 3 127.0.0.1 unlike 1']);
  t.same(play.sameServer(3), [`${LAST}=X,127.0.0.1@shuffle`]);
  t.match(play.state.phase, { kind: 'up', link: { id: 1, host: '127.0.0.1' }, leaveAt: undefined });
  t.not(play.dueIn, undefined, 'it is not the preferred host, so no check has succeeded');
});

t.test('same server: is no place to migrate to, nor to leave a silent server for', async t => {
  const play = upFor('A,B,C', 10_000);
  play.migrate(1);
  t.same(play.sameServer(2), ['dial 3 C unlike 1 transferred']);
  t.same(play.failed(3), []);
  play.suspect(1);
  t.same(play.sameServer(4), ['dial 5 C unlike 1']);
  t.same(play.sameServer(5), []);
  t.equal(play.kind, 'up');
});

t.test('same server: as that of a link just lost it is one more failure', async t => {
  const play = upFor('A,B,C', 10_000);
  play.suspect(1);
  play.lost(1);
  t.same(play.sameServer(2), ['dial 3 C']);
});

// ---- the end

t.test('shutdown: the agent stays idle, whatever happens then', async t => {
  const play = upFor('A,B', 10_000, { checkIntervalSeconds: 100 });
  t.same(play.on({ kind: 'shutdown', id: 1, removeHost: false }), ['quiesce 1']);
  t.same(play.state.phase, { kind: 'idle', reason: 'shutdown' });
  t.match(play.logged(), [/^error Agent stays idle: the management server shut it down; .* until it is restarted$/]);
  t.equal(play.dueIn, undefined);
  const before = play.state;
  play.tick(3_600_000);
  play.lost(1);
  play.ready(1);
  t.equal(play.state, before);
});

t.test('shutdown: removeHost blanks zone, pod and cluster', async t => {
  const play = upFor('A,B', 10_000);
  t.same(play.on({ kind: 'shutdown', id: 1, removeHost: true }), ['quiesce 1', 'persist zone= pod= cluster=']);
  t.same(play.state.phase, { kind: 'idle', reason: 'removed' });
  t.match(play.logged(), [/this host was removed .* set zone, pod and cluster and start the agent$/], 'regression');
});

t.test('shutdown: a dial under way is dropped, a link that was being left goes', async t => {
  const moving = upFor('A,B', 10_000);
  moving.migrate(1);
  t.same(moving.on({ kind: 'shutdown', id: 1, removeHost: false }), ['quiesce 1', 'drop 2']);
  const settling = upFor('A,B', 10_000);
  settling.migrate(1);
  settling.ready(2);
  t.same(settling.on({ kind: 'shutdown', id: 2, removeHost: false }), ['quiesce 2', 'retire 1']);
});

t.test('idle: an agent without a zone never dials', async t => {
  const state = initialState({
    list: hostList('A,B'),
    lastCompleted: undefined,
    credentials: 'first',
    idle: 'removed',
  });
  t.equal(nextDue(state), undefined);
  const env = { rules: PLAY_RULES, now: 1e9, random: () => 0, busy: false };
  t.same(next(state, { kind: 'tick' }, env), { state, effects: [] });
});

t.test('unknown: events of dials and links that are not known change nothing, in any phase', async t => {
  const plays = {
    waiting: new AgentPlay('A,B'),
    joining: new AgentPlay('A,B'),
    up: upFor('A,B', 10_000),
    moving: upFor('A,B', 10_000),
    settling: upFor('A,B', 10_000),
    idle: upFor('A,B', 10_000),
  };
  plays.joining.tick();
  plays.moving.migrate(1);
  plays.settling.migrate(1);
  plays.settling.ready(2);
  plays.idle.on({ kind: 'shutdown', id: 1, removeHost: false });
  const wrong: string[] = [];
  for (const [kind, play] of Object.entries(plays)) {
    if (play.kind !== kind) wrong.push(`${play.kind} is not ${kind}`);
    const before = play.state;
    for (const id of [0, -1, 99]) {
      const update = listed('X,Y', { avoid: ['A'], checkIntervalSeconds: 1 });
      const done = [
        ...play.ready(id, update),
        ...play.failed(id),
        ...play.lost(id),
        ...play.update(id, update, true),
        ...play.migrate(id, update),
        ...play.suspect(id),
        ...play.sameServer(id),
        ...play.on({ kind: 'heard', id }),
        ...play.on({ kind: 'send-startup', id }),
        ...play.on({ kind: 'shutdown', id, removeHost: true }),
      ];
      if (play.state !== before || done.length > 0) wrong.push(`${kind}: ${id} → ${done}`);
    }
  }
  t.same(wrong, []);
});

// ---- what listeners are told

t.test('events: a link that is Ready, lost, or replaced is told, with its hosts', async t => {
  const play = upFor('A,B', 10_000);
  const up = play.state;
  const before = new AgentPlay('A,B').state;
  const lost = { kind: 'lost', id: 1, why: 'cut', how: 'closed' } as const;
  t.same(linkEventsOf(before, up, { kind: 'tick' }), [{ name: 'ready', event: { host: 'A' } }]);
  t.same(linkEventsOf(up, up, { kind: 'tick' }), []);
  play.lost(1);
  t.same(linkEventsOf(up, play.state, lost), [{ name: 'lost', event: { host: 'A', reason: 'cut' } }]);
  const link = { id: 2, host: 'B', since: 0, isFailback: false, credentials: '' };
  const moved = { ...up, phase: { kind: 'up', link, leaveAt: undefined } } as const;
  t.same(linkEventsOf(up, moved, { kind: 'tick' }), [{ name: 'moved', event: { from: 'A', to: 'B' } }]);
  const idle = { ...up, phase: { kind: 'idle', reason: 'shutdown' } } as const;
  t.same(linkEventsOf(up, idle, { kind: 'shutdown', id: 1, removeHost: false }), [
    { name: 'lost', event: { host: 'A', reason: 'shutdown' } },
    { name: 'idle', event: { reason: 'shutdown' } },
  ]);
});
