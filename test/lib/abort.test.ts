import t from 'tap';
import { withinLimit } from '../../src/lib/abort.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

t.test('withinLimit: the result or the error of work that ends in time, and no timer is left', async t => {
  const clock = new FakeClock();
  const late = () => 'late';
  t.equal(await withinLimit(clock, 1_000, async () => 'done', late), 'done');
  await t.rejects(
    withinLimit(clock, 1_000, () => Promise.reject(new Error('failed')), late),
    { message: 'failed' },
  );
  t.equal(clock.pending, 0);
});

t.test('withinLimit: when the time is over the signal aborts, and the result is that of `late`', async t => {
  const clock = new FakeClock();
  let seen: AbortSignal | undefined;
  const work = (signal: AbortSignal) => {
    seen = signal;
    return new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
  };
  const result = withinLimit(clock, 1_000, work, () => 'late');
  await clock.advance(999);
  t.equal(seen?.aborted, false);
  await clock.advance(1);
  t.equal(seen?.aborted, true);
  t.equal(await result, 'late');

  const never = () => new Promise<string>(() => {});
  const failed = t.rejects(
    withinLimit(clock, 1_000, never, () => {
      throw new Error('late');
    }),
    { message: 'late' },
  );
  await clock.advance(1_000);
  await failed;
});
