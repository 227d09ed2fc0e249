import t from 'tap';
import { readyDueAt } from '../../src/agent/agent-state.js';
import { LIMITS } from '../../src/protocol/index.js';
import { AgentPlay, listed, upFor } from '../helpers/agent-play.js';

// ---- many hosts at a time

t.test('joining: the next host is dialled 250 ms after the last, while none is connected', async t => {
  const play = new AgentPlay('A,B,C');
  t.same(play.tick(), ['dial 1 A']);
  t.equal(play.dueIn, 250);
  t.same(play.tick(249), []);
  t.same(play.tick(1), ['dial 2 B']);
  t.same(play.tick(250), ['dial 3 C']);
  t.equal(play.dueIn, undefined, 'all are under way');
});

t.test('joining: the first TCP connection goes on, and the others end; their hosts have not failed', async t => {
  const play = new AgentPlay('A,B,C');
  play.tick();
  play.tick(250);
  t.same(play.connected(2), ['drop 1', 'proceed 2']);
  t.equal(play.dueIn, undefined);
  t.same(play.connected(1), [], 'too late');
  t.same(play.failed(2), ['dial 3 A'], 'A has its turn again');
  t.same(play.tick(250), ['dial 4 C']);
  t.same(play.failed(4), [], 'A is still under way');
  t.same(play.failed(3), []);
  t.equal(play.kind, 'waiting', 'each host has failed once');
  t.equal(play.state.failures, 1);
});

t.test('joining: the failure of the last dial brings the next at once, that of an earlier one does not', async t => {
  const play = new AgentPlay('A,B,C,D');
  play.tick();
  play.tick(250);
  t.same(play.failed(1), []);
  t.equal(play.dueIn, 250);
  t.same(play.failed(2), ['dial 3 C']);
});

t.test(
  'regression: joining: of 60 hosts of which 59 answer nothing, the one that works is reached in 15 s',
  async t => {
    const hosts = Array.from({ length: 60 }, (_, index) => `h${index}`);
    const play = new AgentPlay(hosts.join());
    const failAt = new Map<number, number>();
    let dialled = play.tick();
    for (;;) {
      for (const effect of dialled) failAt.set(Number(effect.split(' ')[1]), play.now + LIMITS.connectMs);
      if (dialled.some(effect => effect.endsWith(' h59'))) break;
      dialled = play.tick(play.dueIn ?? 0);
      for (const [id, at] of failAt) {
        if (at <= play.now && failAt.delete(id)) dialled.push(...play.failed(id));
      }
    }
    t.ok(play.now <= 15_000, `${play.now} ms`);
    t.ok(failAt.size <= 20, `${failAt.size} at a time`);
  },
);

t.test('joining: while there is a Ready link, hosts are dialled one after another', async t => {
  const play = upFor('A,B,C', 10_000);
  t.same(play.migrate(1), ['dial 2 B unlike 1 transferred']);
  t.equal(play.dueIn, undefined);
  play.lost(1);
  t.equal(play.dueIn, 250, 'not any more');
  t.same(play.tick(250), ['dial 3 C']);
});

t.test('joining: a name goes on with its next address, and other hosts come beside it again', async t => {
  const play = new AgentPlay('A,B');
  play.tick();
  play.connected(1);
  t.same(play.on({ kind: 'address-failed', id: 1, why: 'closed' }), []);
  t.equal(play.dueIn, 250);
  t.same(play.tick(250), ['dial 2 B']);
  t.same(play.connected(1), ['drop 2', 'proceed 1']);
});

t.test('regression: cycle: the host just lost is tried again before hosts that have failed', async t => {
  const play = new AgentPlay('A,B,C');
  play.tick();
  play.failed(1);
  play.failed(2);
  play.ready(3);
  play.now += 10_000;
  play.lost(3);
  t.same(play.tickWhenDue(), ['dial 4 C']);
  t.same(play.failed(4), ['dial 5 A']);
});

// ---- backoff

t.test('backoff: a cycle in which every host has refused at once counts a quarter', async t => {
  const play = new AgentPlay('A,B');
  play.random = 1;
  const waits: (number | undefined)[] = [];
  for (let id = 1; id <= 18; id += 2) {
    play.tickWhenDue();
    play.failed(id, 'refused', 'connection-refused');
    play.failed(id + 1, 'refused', 'connection-refused');
    waits.push(play.dueIn);
  }
  t.same(waits, [5_000, 5_000, 5_000, 5_000, 10_000, 10_000, 10_000, 10_000, 20_000]);
});

t.test('backoff: agents of a server that restarts come back over the time that it has told', async t => {
  const play = upFor('A', 60_000, { spreadMs: 2_000 });
  play.random = 1;
  const waits: (number | undefined)[] = [];
  play.lost(1);
  for (let id = 2; id <= 6; id++) {
    play.tickWhenDue();
    play.failed(id, 'refused', 'connection-refused');
    waits.push(play.dueIn);
  }
  play.tickWhenDue();
  play.failed(7);
  waits.push(play.dueIn);
  t.same(waits, [2_000, 2_000, 2_000, 2_000, 4_000, 20_000], 'one that does not answer is no restart');
});

t.test('backoff: one host that fails in another way makes the cycle count', async t => {
  const play = new AgentPlay('A,B');
  play.tick();
  play.failed(1, 'refused', 'connection-refused');
  play.failed(2);
  t.equal(play.state.failures, 1);
  play.tickWhenDue();
  play.failed(3, 'refused', 'connection-refused');
  play.failed(4, 'refused', 'connection-refused');
  t.equal(play.state.failures, 1.25, 'the next cycle is judged by itself');
});

// ---- how long a server may take until Ready

/** From now on; undefined when no server has answered Startup. */
function readyIn(play: AgentPlay): number | undefined {
  const at = readyDueAt(play.state);
  return at === undefined ? undefined : at - play.now;
}

t.test(
  'ready: without a link a host has a minute while others are untried, and a quarter of an hour as the last',
  async t => {
    const play = new AgentPlay('A,B');
    play.tick();
    play.connected(1);
    t.equal(readyIn(play), undefined);
    play.startupAnswered(1);
    t.equal(readyIn(play), LIMITS.readyWithOthersMs);
    t.same(play.tick(LIMITS.readyWithOthersMs - 1), []);
    t.same(play.tick(1), ['give-up 1']);
    t.equal(play.dueIn, undefined, 'once');
    t.same(play.failed(1), ['dial 2 B']);
    play.connected(2);
    play.startupAnswered(2);
    t.equal(readyIn(play), LIMITS.readyMs);
  },
);

t.test('ready: beside a link that is well it has its time; a silent link, or none, is judged anew', async t => {
  const play = upFor('A,B,C', 100_000);
  play.migrate(1, { avoid: ['C'] });
  play.connected(2);
  play.startupAnswered(2);
  t.equal(readyIn(play), LIMITS.readyMs);
  play.now += 30_000;
  t.same(play.suspect(1), []);
  t.equal(readyIn(play), 30_000, 'C may be well');
  play.on({ kind: 'heard', id: 1 });
  t.equal(readyIn(play), LIMITS.readyMs - 30_000);
  play.lost(1);
  t.equal(readyIn(play), 30_000);
  play.failed(2);
  t.equal(play.kind, 'joining');
});

t.test('ready: a failback that fails while the link is silent goes on to the other hosts', async t => {
  const play = new AgentPlay('A,B,C', 'A,B,C');
  play.tick();
  play.failed(1);
  play.ready(2, { checkIntervalSeconds: 100 });
  t.same(play.tickWhenDue(), ['dial 3 A unlike 2']);
  play.suspect(2);
  t.same(play.failed(3), ['dial 4 C unlike 2']);
  t.match(play.state.phase, { move: { reason: 'suspect' } });
});

// ---- moves

t.test(
  'moves: a failback that does not last is said once, and the time to the next doubles up to 30 minutes',
  async t => {
    const play = new AgentPlay('A,B', 'A,B');
    play.random = 0;
    play.tick();
    play.failed(1);
    play.ready(2, { checkIntervalSeconds: 100 });
    play.logged();
    const waits: (number | undefined)[] = [];
    for (let id = 2; id < 18; id += 2) {
      waits.push(play.dueIn);
      t.same(play.tickWhenDue(), [`dial ${id + 1} A unlike ${id}`]);
      play.ready(id + 1);
      play.ready(id + 1);
      play.now += 10_000;
      play.lost(id + 1);
      play.tickWhenDue();
      play.ready(id + 2);
    }
    t.same(waits, [100_000, 200_000, 400_000, 800_000, 1_600_000, 1_800_000, 1_800_000, 1_800_000]);
    t.equal(play.logged().filter(line => line.includes('did not last')).length, 1);
  },
);

t.test('moves: a failback that lasts brings back the usual time', async t => {
  const play = new AgentPlay('A,B', 'A,B');
  play.random = 0;
  play.tick();
  play.failed(1);
  play.ready(2, { checkIntervalSeconds: 100 });
  for (const [id, lastsMs, dueIn] of [
    [3, 10_000, 200_000],
    [5, 299_000, 400_000],
    [7, 400_000, 100_000],
    [9, 300_000, 100_000],
  ] as const) {
    play.tickWhenDue();
    play.ready(id);
    play.ready(id);
    play.now += lastsMs;
    play.lost(id);
    play.tickWhenDue();
    play.ready(id + 1);
    t.equal(play.dueIn, dueIn, `after one of ${lastsMs} ms`);
  }
});

t.test('moves: a way back ends when its host is avoided, or is no longer the preferred one', async t => {
  for (const update of [{ avoid: ['A'] }, listed('C,A,B'), listed('B,C')]) {
    const play = upFor('A,B,C', 60_000, { checkIntervalSeconds: 100 });
    play.lost(1);
    play.tickWhenDue();
    play.ready(2);
    play.tickWhenDue();
    t.match(play.state.phase, { kind: 'moving', dial: { id: 3, host: 'A' } });
    t.ok(play.update(2, update).includes('drop 3'), JSON.stringify(update));
    t.equal(play.kind, 'up');
  }
});

t.test('moves: an agent does not leave a host that is in the list again', async t => {
  const play = upFor('A,B', 10_000);
  play.update(1, listed('X,Y'));
  t.same(play.tickWhenDue(), ['dial 2 X unlike 1']);
  t.ok(play.update(1, listed('X,A')).includes('drop 2'));
  t.match(play.state.phase, { kind: 'up', leaveAt: undefined });
});

t.test('moves: asked again, a migration goes on with its dial and targets, and with hosts that are new', async t => {
  const play = upFor('A,B,C', 10_000);
  t.same(play.migrate(1, { avoid: ['A'] }), ['dial 2 B unlike 1 transferred']);
  t.same(play.migrate(1, { avoid: ['A'] }), []);
  t.same(play.failed(2), ['dial 3 C unlike 1 transferred']);
  const [persisted, ...others] = play.migrate(1, listed('A,B,C,D', { avoid: ['A'] }));
  t.match(persisted, 'persist host=A,B,C,D');
  t.notOk(others.some(effect => effect.startsWith('d')));
  t.same(play.failed(3), ['dial 4 D unlike 1 transferred'], 'B has failed in this move');
  t.same(play.migrate(1, { avoid: ['A', 'D'] }), ['drop 4', 'dial 5 B unlike 1 transferred'], 'D must not be reached');
});

t.test('moves: the new server is pinged at once, and again a second after the old link has ended', async t => {
  const play = upFor('A,B', 10_000);
  play.migrate(1);
  play.ready(2);
  t.same(play.ready(2), ['ping 2', 'retire 1']);
  play.now += 3_000;
  t.same(play.on({ kind: 'retired', id: 1 }), []);
  t.equal(play.dueIn, 1_000);
  t.same(play.tickWhenDue(), ['ping 2']);
  t.equal(play.dueIn, undefined);
});
