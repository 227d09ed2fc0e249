import t from 'tap';
import { inSlices } from '../../../src/console/model/slices.js';
import type { Interruptible } from '../../../src/lib/interruptible.js';

/** A computation of steps of 3 ms each, by a clock that it moves, and the turns between its slices. */
function bench() {
  const state = { now: 0, turns: [] as number[] };
  function* steps(count: number): Interruptible<string> {
    for (let step = 0; step < count; step++) {
      state.now += 3;
      yield;
    }
    return 'done';
  }
  const turn = async () => void state.turns.push(state.now);
  return { steps, turn, state, elapsed: () => state.now };
}

t.test('slices: a computation lets the page draw each time when 8 ms are over', async t => {
  const { steps, state, ...parts } = bench();
  t.equal(await inSlices(steps(7), parts), 'done');
  t.same(state.turns, [9, 18]);
});

t.test('slices: what is not wanted any more is given up at the next slice', async t => {
  const { steps, state, ...parts } = bench();
  t.equal(await inSlices(steps(100), { ...parts, isWanted: () => state.turns.length < 2 }), undefined);
  t.equal(state.now, 18);
});
