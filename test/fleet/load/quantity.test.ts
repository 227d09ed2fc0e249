import t from 'tap';
import { bytesPerSecond, countOf, durationMs, ratePerSecond, share } from '../../../src/fleet/load/quantity.js';

t.test('quantity: times, rates, shares and byte rates are read as they are meant, or not at all', async t => {
  t.strictSame(['200ms', '1.5s', '10m', '2h', '0s'].map(durationMs), [200, 1_500, 600_000, 7_200_000, 0]);
  t.strictSame(
    ['', '5', 's', '1d', '-1s', '1 s', '1e3s'].filter(text => durationMs(text) !== undefined),
    [],
  );
  t.strictSame(['500/s', '0.5/s', '30/m', '36/h'].map(ratePerSecond), [500, 0.5, 0.5, 0.01]);
  t.strictSame(
    ['', '5', '0/s', '/s', '5/d', '-1/s'].filter(text => ratePerSecond(text) !== undefined),
    [],
  );
  t.strictSame(['5', '10%', '0.5%', '100%'].map(share), [
    { count: 5 },
    { percent: 10 },
    { percent: 0.5 },
    { percent: 100 },
  ]);
  t.strictSame(
    ['', '%', '101%', '-1', '1.5', '5 %'].filter(text => share(text) !== undefined),
    [],
  );
  t.strictSame(['500B/s', '64kB/s', '1.5MB/s'].map(bytesPerSecond), [500, 64_000, 1_500_000]);
  t.strictSame(
    ['', '64', '64kB', '0B/s', '1KB/s'].filter(text => bytesPerSecond(text) !== undefined),
    [],
  );
});

t.test('quantity: a share is so many, or a part: of some, one at least', async t => {
  t.equal(countOf({ count: 5 }, 3), 3);
  t.equal(countOf({ count: 0 }, 3), 0);
  t.equal(countOf({ percent: 10 }, 1_000), 100);
  t.equal(countOf({ percent: 1 }, 10), 1);
  t.equal(countOf({ percent: 0 }, 10), 0);
  t.equal(countOf({ percent: 10 }, 0), 0);
  t.equal(countOf({ percent: 100 }, 7), 7);
});
