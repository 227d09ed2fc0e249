import t from 'tap';
import { ReadyTimes } from '../../../src/mgmt/metrics/ready-times.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

t.test(
  'ready times: each stage has its own, and a Startup that was refused counts as waiting for the next',
  async t => {
    const clock = new FakeClock();
    const times = new ReadyTimes(clock, 250);
    await clock.advance(1_000);
    times.started();
    await clock.advance(500);
    times.started();
    await clock.advance(200);
    times.welcomed();
    await clock.advance(100);
    const seconds: Record<string, number> = {};
    const observe = ({ stage }: { readonly stage: string }, value: number) => {
      seconds[stage] = value;
    };
    times.observeReady({ readySeconds: { observe } });
    t.same(seconds, { handshake: 0.25, startup: 1.5, register: 0.2, ready: 0.1 });
  },
);
