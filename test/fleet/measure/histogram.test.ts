import t from 'tap';
import { Histogram } from '../../../src/fleet/measure/histogram.js';
import { seededRandom } from '../../helpers/seeded-random.js';

t.test('histogram: of nothing there are no percentiles, of one time it is all of them', async t => {
  const one = new Histogram();
  t.equal(one.percentiles(), undefined);
  one.add(1_234);
  t.match(one.percentiles(), { count: 1, maxMs: 1_234 });
  t.ok(Math.abs((one.percentiles()?.p50Ms ?? 0) - 1_234) <= 1_234 * 0.005);
});

t.test(
  'histogram: percentiles are right to half a per cent, whatever the times are, in 100 runs from seed 1',
  async t => {
    const random = seededRandom(1);
    const wrong: string[] = [];
    for (let run = 0; run < 100; run++) {
      const histogram = new Histogram();
      const times = Array.from({ length: 1 + random.int(500) }, () => 10 ** (random.uniform() * 6 - 0.9));
      for (const ms of times) histogram.add(ms);
      const sorted = times.toSorted((one, other) => one - other);
      const exact = (part: number) => sorted[Math.max(1, Math.ceil(sorted.length * part)) - 1] ?? 0;
      const found = histogram.percentiles();
      const isNear = (ms = 0, exactMs: number) => Math.abs(ms - exactMs) <= exactMs * 0.0051;
      if (!isNear(found?.p50Ms, exact(0.5)) || !isNear(found?.p99Ms, exact(0.99)) || found?.maxMs !== exact(1)) {
        wrong.push(`run ${run}: ${JSON.stringify(found)}`);
      }
    }
    t.strictSame(wrong, []);
  },
);

t.test('histogram: times that have not ended count when they are given, and are not kept', async t => {
  const histogram = new Histogram();
  for (let time = 1; time <= 99; time++) histogram.add(10);
  const never = Number.POSITIVE_INFINITY;
  t.match(histogram.percentiles([never, never]), { count: 101, p99Ms: never, maxMs: never });
  t.match(histogram.percentiles([never]), { count: 100, maxMs: never });
  t.ok((histogram.percentiles([never])?.p99Ms ?? never) < 11, '99 of 100 are short');
  t.match(histogram.percentiles(), { count: 99, maxMs: 10 });
});
