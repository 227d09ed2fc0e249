import t from 'tap';
import { type Count, perSecond, withCount } from '../../../src/fleet/measure/rate.js';

/** The counts of agents that come one after the other, looked at at intervals. */
function countsOf(betweenMs: number, { lookMs, untilMs }: { lookMs: number; untilMs: number }): readonly Count[] {
  let counts: readonly Count[] = [];
  for (let at = 0; at <= untilMs; at += lookMs) counts = withCount(counts, { at, count: Math.floor(at / betweenMs) });
  return counts;
}

t.test('regression: rate: it is known at the second look, and is none only when nothing came', async t => {
  t.equal(perSecond([]), 0);
  t.equal(perSecond(countsOf(10, { lookMs: 250, untilMs: 0 })), 0);
  for (const untilMs of [250, 500, 1_000, 2_000, 60_000]) {
    t.equal(perSecond(countsOf(10, { lookMs: 250, untilMs })), 100, `after ${untilMs} ms`);
  }
  t.equal(perSecond(countsOf(10, { lookMs: 60_000, untilMs: 120_000 })), 100, 'looks that are far apart');
});

t.test('rate: what came long ago counts no longer, and is not kept', async t => {
  let counts = countsOf(10, { lookMs: 250, untilMs: 10_000 });
  t.ok(counts.length <= 14, String(counts.length));
  for (let at = 10_250; at <= 13_000; at += 250) counts = withCount(counts, { at, count: 1_000 });
  t.equal(perSecond(counts), 0);
  counts = withCount(withCount(counts, { at: 13_250, count: 1_001 }), { at: 13_251, count: 1_001 });
  t.ok(perSecond(counts) > 0.3 && perSecond(counts) < 0.4, 'a look right behind another one changes little');
});
