import t from 'tap';
import { Ramp } from '../../../src/fleet/load/ramp.js';

/** When each agent of a ramp is started, by a clock that comes to each step late. @param lateMs by the number of the step */
function starts(agents: number, perSecond: number | undefined, lateMs: (step: number) => number = () => 0) {
  const ramp = new Ramp(agents, perSecond, 1_000);
  const at: number[] = [];
  for (let now = 1_000, steps = 0; ; steps++) {
    const { due, waitMs } = ramp.step(now);
    while (at.length < due) at.push(now - 1_000);
    if (waitMs === undefined) return { at, heldMs: ramp.heldMs, steps };
    now += waitMs + lateMs(steps);
  }
}

t.test('ramp: agents start evenly, the first at once, or all at once', async t => {
  t.strictSame(starts(4, 2).at, [0, 500, 1_000, 1_500]);
  t.strictSame(starts(6, 200).at, [0, 10, 10, 20, 20, 30], 'in steps of 10 ms at least');
  t.strictSame(starts(3, undefined), { at: [0, 0, 0], heldMs: 0, steps: 0 });
  t.strictSame(starts(1, 0.1), { at: [0], heldMs: 0, steps: 0 });
});

t.test('ramp: each step finds an agent due, at any rate', async t => {
  for (const perSecond of [0.1, 0.3, 1, 3, 7, 33.3, 500, 999]) {
    const { at, steps } = starts(1_000, perSecond);
    t.equal(at.length, 1_000);
    t.ok(steps <= 999, `${perSecond}/s: ${steps} steps`);
    t.ok(Math.abs((at.at(-1) ?? 0) - 999_000 / perSecond) <= 10, `${perSecond}/s`);
  }
});

t.test('ramp: it makes up for a step that is a little late', async t => {
  const { at, heldMs } = starts(1_000, 500, () => 20);
  t.equal(heldMs, 0);
  t.ok((at.at(-1) ?? 0) <= 2_030, `${at.at(-1)}`);
});

t.test('ramp: it stands still while the event loop is late, and does not make up for that', async t => {
  const { at, heldMs } = starts(500, 500, step => (step < 10 ? 200 : 0));
  t.equal(heldMs, 10 * (200 - 25));
  // Each of the late steps counts 35 ms.
  t.equal(at.filter(one => one <= 10 * 210).length, 1 + (10 * 35 * 500) / 1_000);
  t.ok(Math.abs((at.at(-1) ?? 0) - (998 + heldMs)) <= 10, `${at.at(-1)}`);
});

t.test(
  'ramp: agents are held back when it stands still for a tenth of the time, and not by a pause now and then',
  async t => {
    const isHeldBack = (pauseMs: number, every: number) => {
      const ramp = new Ramp(10_000, 10, 0);
      for (let now = 0, step = 1; ; step++) {
        const { waitMs } = ramp.step(now);
        if (waitMs === undefined) return false;
        now += waitMs + (step % every === 0 ? pauseMs : 0);
        if (ramp.isHeldBack) return true;
      }
    };
    t.notOk(isHeldBack(260, 100), '235 ms of 10 s, a hundred times');
    t.ok(isHeldBack(260, 5), '235 ms of 0.5 s');
    t.ok(isHeldBack(2_000, 5));
  },
);
