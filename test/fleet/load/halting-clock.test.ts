import t from 'tap';
import { HaltingClock } from '../../../src/fleet/load/halting-clock.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

t.test(
  'halting clock: what falls due while it stands still is called when it goes on, unless it is cancelled',
  async t => {
    const clock = new FakeClock();
    const halting = new HaltingClock(clock);
    const called: string[] = [];
    halting.after(10, () => called.push('before'));
    await clock.advance(10);
    t.strictSame(called, ['before']);
    halting.halt();
    const cancelled = halting.after(10, () => called.push('cancelled'));
    const cancelledLater = halting.after(30, () => called.push('cancelled by another'));
    halting.after(20, () => {
      called.push('held');
      cancelledLater.cancel();
    });
    halting.after(90, () => called.push('after'));
    await clock.advance(40);
    t.strictSame([called, halting.now()], [['before'], 50]);
    cancelled.cancel();
    halting.goOn();
    t.strictSame(called, ['before', 'held']);
    await clock.advance(60);
    t.strictSame(called, ['before', 'held', 'after']);
    t.equal(clock.pending, 0);
  },
);
