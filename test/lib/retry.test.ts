import t from 'tap';
import { retryWhile } from '../../src/lib/retry.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

t.test('retry: every 2 s while the error may pass; another error ends it', async t => {
  const clock = new FakeClock();
  let attempts = 0;
  const work = async (): Promise<string> => {
    attempts++;
    if (attempts < 3) throw new Error('away');
    return 'done';
  };
  const parts = { clock, stopping: new AbortController().signal };
  const done = retryWhile(parts, work, () => true);
  await clock.advance(1_999);
  t.equal(attempts, 1);
  await clock.advance(2_001);
  t.equal(await done, 'done');
  t.equal(clock.pending, 0);

  attempts = 0;
  await t.rejects(
    retryWhile(parts, work, () => false),
    { message: 'away' },
  );
  t.equal(attempts, 1);
});

t.test('regression: retry makes no attempt after the stop', async t => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let attempts = 0;
  const work = async () => {
    attempts++;
    throw new Error('away');
  };
  const failed = t.rejects(
    retryWhile({ clock, stopping: stop.signal }, work, () => true),
    { message: 'stopped' },
  );
  await clock.advance(0);
  stop.abort(new Error('stopped'));
  await failed;
  t.equal(attempts, 1);
  t.equal(clock.pending, 0);
});
