import t from 'tap';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { Sweep } from '../../../src/mgmt/store/sweep.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';

function sweepOf(deleteSome: () => Promise<number>) {
  const clock = new FakeClock();
  const sweep = new Sweep({ clock, log: new RecordingLog(), what: 'things', deleteSome });
  return {
    sweep,
    async lookAfter(ms: number) {
      await clock.advance(ms);
      void sweep.look();
      await settle();
    },
  };
}

t.test('regression: sweep: what is old is deleted until none is left, and once an hour', async t => {
  let left = 5;
  const { lookAfter } = sweepOf(async () => (left > 0 ? left-- : 0));
  await lookAfter(3_599_000);
  t.equal(left, 5);
  await lookAfter(1_000);
  t.equal(left, 0);
  left = 1;
  await lookAfter(3_599_000);
  t.equal(left, 1);
  await lookAfter(1_000);
  t.equal(left, 0);
});

t.test('sweep: one that failed is tried again in an hour, and one that is under way is not begun twice', async t => {
  let calls = 0;
  const { lookAfter } = sweepOf(() => {
    calls++;
    return calls === 1 ? Promise.reject(new StoreError('STORE_UNAVAILABLE', 'delete')) : new Promise(() => {});
  });
  await lookAfter(3_600_000);
  t.equal(calls, 1);
  await lookAfter(2_000);
  t.equal(calls, 1);
  await lookAfter(3_600_000);
  await lookAfter(7_200_000);
  t.equal(calls, 2);
});

t.test('sweep: a server that stops deletes no more', async t => {
  let calls = 0;
  const { sweep, lookAfter } = sweepOf(async () => {
    sweep.stop();
    return ++calls;
  });
  await lookAfter(3_600_000);
  t.equal(calls, 1);
});
