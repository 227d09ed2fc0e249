import t from 'tap';
import { TurnLimit } from '../../../src/mgmt/lists/turn-limit.js';

/** Turns of the event loop that end when they are told to. */
function turns() {
  const due: (() => void)[] = [];
  return {
    clock: { turn: () => new Promise<void>(resolve => due.push(resolve)) },
    async end() {
      for (const resolve of due.splice(0)) resolve();
      for (let hop = 0; hop < 10; hop++) await null;
    },
  };
}

t.test(
  'turn limit: no more begin in a turn than may, the others in the next ones, in the order of their arrival',
  async t => {
    const { clock, end } = turns();
    const limit = new TurnLimit(clock, 2);
    const entered: number[] = [];
    const enter = (number: number) => limit.enter().then(() => void entered.push(number));
    for (let number = 1; number <= 5; number++) void enter(number);
    await null;
    t.strictSame(entered, [1, 2]);
    await end();
    t.strictSame(entered, [1, 2, 3, 4]);
    void enter(6);
    void enter(7);
    await end();
    t.strictSame(entered, [1, 2, 3, 4, 5, 6], 'whoever has waited longer is before a newcomer');
    await end();
    t.strictSame(entered, [1, 2, 3, 4, 5, 6, 7]);
  },
);

t.test('turn limit: who comes in a later turn does not wait, and nothing is pending between', async t => {
  const { clock, end } = turns();
  const limit = new TurnLimit(clock, 1);
  await limit.enter();
  await end();
  await limit.enter();
  await end();
  let waits = 0;
  const counted = { turn: () => Promise.resolve(void waits++) };
  await new TurnLimit(counted, 1).enter();
  t.equal(waits, 1);
});
