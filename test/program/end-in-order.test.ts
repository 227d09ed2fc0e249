import t from 'tap';
import { endInOrder } from '../../src/program/end-in-order.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { RecordingLog } from '../helpers/recording-log.js';

t.test('regression: end: a step that throws, rejects or hangs is logged, and the next one follows', async t => {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const ended: string[] = [];
  const done = endInOrder(
    [
      ['one', () => ended.push('one')],
      [
        'two',
        () => {
          throw new Error('broken');
        },
      ],
      ['three', () => Promise.reject(new Error('lost'))],
      ['four', () => new Promise(() => {})],
      ['five', async () => ended.push('five')],
    ],
    { clock, log },
  );
  for (let turn = 0; turn < 20; turn++) await null;
  await clock.advance(9_999);
  t.same(ended, ['one']);
  await clock.advance(1);
  await done;
  t.same(ended, ['one', 'five']);
  t.equal(log.count('error The stop goes on without this'), 3);
  t.equal(clock.pending, 0);
});
