import t from 'tap';
import { type Sample, withSample } from '../../../src/fleet/measure/samples.js';

t.test('samples: their number is bounded, and the worst moment stays', async t => {
  let samples: readonly Sample[] = [];
  for (let at = 0; at < 20_000; at++) {
    samples = withSample(samples, { at, ready: new Map(), without: at === 777 ? 5 : 0 });
  }
  t.ok(samples.length <= 4_096);
  t.ok(samples.length > 1_000);
  t.equal(samples.find(({ without }) => without === 5)?.at, 777);
  const times = samples.map(({ at }) => at);
  t.strictSame(
    times,
    times.toSorted((one, other) => one - other),
  );
  t.equal(times.at(-1), 19_999);
});
