import t from 'tap';
import { Pace } from '../../../src/mgmt/jobs/pace.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const SEED = Number(process.env.MUSTER_SEED ?? 20261122);

t.test('pace: the first goes at once, the others one interval apart', async t => {
  const pace = new Pace();
  t.same(
    Array.from({ length: 4 }, () => pace.take('b', 100, 1_000)),
    [0, 10, 20, 30],
  );
  t.equal(pace.waitMs('b', 1_000), 40, 'and one may look before');
  t.equal(pace.waitMs('b', 1_000), 40, 'which takes nothing');
});

t.test('pace: each target has its own', async t => {
  const pace = new Pace();
  t.same([pace.take('b', 1, 0), pace.take('c', 1, 0), pace.take('b', 1, 0)], [0, 0, 1_000]);
});

t.test('pace: what was not used is not saved up', async t => {
  const pace = new Pace();
  pace.take('b', 100, 0);
  t.same(
    Array.from({ length: 3 }, () => pace.take('b', 100, 60_000)),
    [0, 10, 20],
  );
});

t.test(`pace: nobody ever goes within an interval of the one before (seed ${SEED}, 2000 runs)`, async t => {
  const random = seededRandom(SEED);
  const pace = new Pace();
  const last = new Map<string, number>();
  const tooSoon: string[] = [];
  let now = 0;
  for (let run = 0; run < 2_000; run++) {
    now += random.int(3) * random.int(20);
    const target = String(random.int(3));
    const at = now + pace.take(target, 100, now);
    if (at - (last.get(target) ?? Number.NEGATIVE_INFINITY) < 10 - 1e-6) tooSoon.push(`${target} at ${at}`);
    last.set(target, at);
  }
  t.same(tooSoon, []);
});
