import { getEventListeners } from 'node:events';
import t from 'tap';
import { withAnyOf, withinLimit } from '../../src/lib/abort.js';
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

t.test('withAnyOf: the first of the signals aborts that of the work, with its reason', async t => {
  const [one, other] = [new AbortController(), new AbortController()];
  const reasonOf = (signal: AbortSignal) =>
    new Promise<unknown>(resolve => {
      if (signal.aborted) resolve(signal.reason);
      signal.addEventListener('abort', () => resolve(signal.reason));
    });
  const waiting = withAnyOf([one.signal, other.signal], reasonOf);
  other.abort('the other');
  one.abort('too late');
  t.equal(await waiting, 'the other');
  t.equal(await withAnyOf([other.signal], reasonOf), 'the other', 'it was aborted before');
});

t.test('withAnyOf: the signals have no listener when the work has ended, in either way', async t => {
  const { signal } = new AbortController();
  t.equal(await withAnyOf([signal], async () => getEventListeners(signal, 'abort').length), 1);
  t.equal(getEventListeners(signal, 'abort').length, 0);
  await t.rejects(
    withAnyOf([signal], () => Promise.reject(new Error('failed'))),
    { message: 'failed' },
  );
  t.equal(getEventListeners(signal, 'abort').length, 0);
});
