import t from 'tap';
import { Ledger } from '../../../src/fleet/measure/ledger.js';

t.test('ledger: who is where, who is not, and who does not run', async t => {
  const ledger = new Ledger(4);
  t.match(ledger.census, { notReady: 0, away: 4, linksLost: 0 });
  for (const agent of [1, 2, 3]) ledger.started(agent, 0);
  ledger.ready(1, 'b', 10);
  ledger.ready(2, 'a', 20);
  t.strictSame(
    [...ledger.census.ready],
    [
      ['a', 1],
      ['b', 1],
    ],
  );
  t.match(ledger.census, { notReady: 1, away: 1 });
  ledger.moved(1, 'a', 30);
  t.strictSame([...ledger.census.ready], [['a', 2]]);
  ledger.lost(2, 40);
  ledger.stopped(1);
  t.match(ledger.census, { ready: new Map(), notReady: 2, away: 2, linksLost: 1 });
  t.equal(ledger.readyCount, 0);
});

t.test('ledger: the time to Ready is from the start, a gap from the loss, and a move has none', async t => {
  const ledger = new Ledger(2);
  ledger.started(1, 1_000);
  ledger.ready(1, 'a', 1_100);
  ledger.moved(1, 'b', 5_000);
  ledger.lost(1, 6_000);
  ledger.ready(1, 'a', 6_500);
  t.match(ledger.measured(9_000), {
    ...{ connects: 3, moves: 1, linksLost: 1 },
    toReady: { count: 2, maxMs: Number.POSITIVE_INFINITY },
    gap: { count: 1, maxMs: 500 },
  });
  t.equal(Math.round(ledger.measured(9_000).toReady?.p50Ms ?? 0), 100);
  t.equal(ledger.measured(9_000).connectsPerSecond, 2 / 4, 'as many as there are agents, until the second one');
});

t.test('ledger: the time of one that is not Ready yet has no end, and a gap counts until now', async t => {
  const ledger = new Ledger(2);
  ledger.started(1, 0);
  ledger.started(2, 0);
  ledger.ready(1, 'a', 10);
  ledger.lost(1, 20);
  t.match(ledger.measured(1_020), {
    toReady: { count: 2, maxMs: Number.POSITIVE_INFINITY },
    gap: { count: 1, maxMs: 1_000 },
  });
  ledger.ready(1, 'a', 2_020);
  t.match(ledger.measured(9_000), { gap: { count: 1, maxMs: 2_000 } });
});

t.test('ledger: one that is stopped, or told to dial no more, waits for nothing', async t => {
  const ledger = new Ledger(2);
  ledger.started(1, 0);
  ledger.started(2, 0);
  ledger.stopped(1);
  ledger.ready(2, 'a', 10);
  ledger.lost(2, 20);
  ledger.idle(2);
  const { toReady, gap } = ledger.measured(1_000);
  t.match(toReady, { count: 2, maxMs: Number.POSITIVE_INFINITY });
  t.equal(gap, undefined);
  ledger.started(1, 2_000);
  ledger.ready(1, 'a', 2_300);
  t.match(ledger.measured(3_000).toReady, { count: 2, maxMs: 300 });
});

t.test('regression: ledger: agents that were never started were never Ready', async t => {
  const ledger = new Ledger(4);
  ledger.started(1, 0);
  t.match(ledger.measured(1_000).toReady, { count: 4, p50Ms: Number.POSITIVE_INFINITY });
  ledger.ready(1, 'a', 10);
  t.match(ledger.measured(1_000).toReady, { count: 4, p50Ms: Number.POSITIVE_INFINITY });
  ledger.started(2, 0);
  ledger.ready(2, 'a', 20);
  t.match(ledger.measured(1_000).toReady, { count: 4, p99Ms: Number.POSITIVE_INFINITY });
  t.ok(Math.abs((ledger.measured(1_000).toReady?.p50Ms ?? 0) - 20) < 0.2);
});

t.test('ledger: dials are counted, and those of the busiest second', async t => {
  const ledger = new Ledger(2);
  t.same(ledger.measured(0).dials, { count: 0, mostInASecond: 0 });
  for (const at of [500, 999, 1_000, 1_001, 1_999, 7_000]) ledger.dialled(at);
  t.same(ledger.measured(9_000).dials, { count: 6, mostInASecond: 3 });
});
