import t from 'tap';
import { HeapPolicy } from '../../src/fleet/heap-policy.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

t.test('heap policy: V8 saves memory while few agents come, and not while many do', async t => {
  const set: string[] = [];
  const ledger = { dials: 0, connects: 0 };
  const clock = new FakeClock();
  const policy = new HeapPolicy({ ledger, clock, setFlags: flags => set.push(flags) });
  policy.start();
  const aSecondWith = async (dials: number, connects: number) => {
    ledger.dials += dials;
    ledger.connects += connects;
    await clock.advance(1_000);
    return set.splice(0);
  };
  t.same(await aSecondWith(1_000, 0), ['--no-optimize-for-size']);
  t.same(await aSecondWith(0, 200), []);
  t.same(await aSecondWith(20, 20), ['--optimize-for-size'], 'some churn');
  t.same(await aSecondWith(3, 2), []);
  t.same(await aSecondWith(21, 0), ['--no-optimize-for-size'], 'a server was lost');
  policy.stop();
  t.equal(clock.pending, 0);
});
