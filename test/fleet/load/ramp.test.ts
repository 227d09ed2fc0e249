import t from 'tap';
import { startedBy, startsAtMs } from '../../../src/fleet/load/ramp.js';

t.test('ramp: agents start evenly, the first at once, or all at once', async t => {
  t.strictSame(
    [0, 1, 2, 1_000].map(index => startsAtMs(index, 500)),
    [0, 2, 4, 2_000],
  );
  t.equal(startsAtMs(999, undefined), 0);
  t.strictSame(
    [0, 1, 2, 3, 1_000, 1e9].map(elapsed => startedBy(elapsed, 500, 1_000)),
    [1, 1, 2, 2, 501, 1_000],
  );
  t.equal(startedBy(0, undefined, 1_000), 1_000);
});

t.test('ramp: when one is due, it counts as started, at any rate', async t => {
  const late: string[] = [];
  for (const perSecond of [0.1, 0.3, 1, 3, 7, 33.3, 500, 999]) {
    for (let index = 0; index < 1_000; index++) {
      if (startedBy(startsAtMs(index, perSecond), perSecond, 10_000) < index + 1)
        late.push(`${index} at ${perSecond}/s`);
    }
  }
  t.strictSame(late, []);
});
