import t from 'tap';
import { type Failures, failedAgain, heldBackMs } from '../../../src/mgmt/http/failures.js';

function after(failures: number, now = 0): Failures | undefined {
  let state: Failures | undefined;
  for (let i = 0; i < failures; i++) state = failedAgain(state, now);
  return state;
}

t.test('failures: a few are free, more are held back longer and longer, too many are refused', async t => {
  const waits = [0, 1, 5, 6, 10, 25, 50, 99, 100, 500].map(count => heldBackMs(after(count), 0));
  t.same(waits, [0, 0, 0, 250, 1250, 5000, 5000, 5000, undefined, undefined]);
});

t.test('failures: they are forgiven with time', async t => {
  const state = after(100);
  t.equal(heldBackMs(state, 0), undefined);
  t.equal(heldBackMs(state, 30_000), 5_000, 'half are left after half a minute');
  t.equal(heldBackMs(state, 300_000), 0);
});
