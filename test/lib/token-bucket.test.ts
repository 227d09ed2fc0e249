import t from 'tap';
import { fullBucket, takeFrom, untilPaid } from '../../src/lib/token-bucket.js';

const RATE = { perSecond: 10, burst: 30 };

t.test('token bucket: a burst at once, then so much in a second, however it is asked for', async t => {
  let bucket = takeFrom(fullBucket(RATE, 0), 30, RATE, 0);
  t.equal(untilPaid(bucket, RATE, 0), 0);
  bucket = takeFrom(bucket, 1, RATE, 0);
  t.equal(untilPaid(bucket, RATE, 0), 100);
  t.equal(untilPaid(bucket, RATE, 60), 40);
  t.equal(untilPaid(bucket, RATE, 100), 0);
  bucket = takeFrom(bucket, 100, RATE, 100);
  t.equal(untilPaid(bucket, RATE, 100), 10_000, 'what is taken too much is waited for');
});

t.test('token bucket: rest fills it up to the burst, and no further', async t => {
  const bucket = takeFrom(takeFrom(fullBucket(RATE, 0), 20, RATE, 0), 30, RATE, 1_000_000);
  t.equal(untilPaid(bucket, RATE, 1_000_000), 0);
  t.equal(untilPaid(takeFrom(bucket, 1, RATE, 1_000_000), RATE, 1_000_000), 100);
});

t.test('token bucket: after the wait it says, it is paid, also where a rate divides badly', async t => {
  const wrong = [];
  for (const perSecond of [3, 7, 200, 2 ** 20]) {
    const rate = { perSecond, burst: 5 };
    for (let now = 0.1; now < 1_000; now += 13.7) {
      const bucket = takeFrom(fullBucket(rate, now), 7.3, rate, now);
      if (untilPaid(bucket, rate, now + untilPaid(bucket, rate, now)) !== 0) wrong.push([perSecond, now]);
    }
  }
  t.same(wrong, []);
});
