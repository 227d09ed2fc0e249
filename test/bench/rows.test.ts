import t from 'tap';
import { goalText, meets, ratiosOf } from '../../bench/rows.js';
import { median, takeTurns } from '../../bench/statistics.js';

t.test('bench: the median of an odd and of an even number of rounds', async t => {
  t.equal(median([9, 1, 5]), 5);
  t.equal(median([10, 1, 2, 4]), 3);
  t.ok(Number.isNaN(median([])));
});

t.test('bench: a ratio is that of each round, and rounds whose base was too small to measure do not count', async t => {
  const rounds = [
    { here: 6, base: 2 },
    { here: 10, base: 10 },
    { here: 1, base: 0 },
    { here: 8, base: 4 },
  ];
  t.strictSame(ratiosOf(rounds), { ratio: 2, least: 1, most: 3 });
  t.ok(Number.isNaN(ratiosOf([{ here: 1, base: 0 }]).ratio));
});

t.test('bench: a goal is met up to its bound, and not by what was not measured', async t => {
  t.equal(meets(1.8, { atMost: 1.8 }), true);
  t.equal(meets(1.81, { atMost: 1.8 }), false);
  t.equal(meets(0.75, { atLeast: 0.75 }), true);
  t.equal(meets(0.74, { atLeast: 0.75 }), false);
  for (const goal of [{ atMost: 1 }, { atLeast: 1 }]) t.equal(meets(Number.NaN, goal), false, goalText(goal));
});

t.test('bench: sides take turns, and so does which one is first', async t => {
  const order: string[] = [];
  const side = (name: string) => async () => order.push(name);
  const pairs = await takeTurns(3, { here: side('here'), base: side('base') }, () => {});
  t.strictSame(order, ['here', 'base', 'base', 'here', 'here', 'base']);
  t.strictSame(pairs, [
    { here: 1, base: 2 },
    { here: 4, base: 3 },
    { here: 5, base: 6 },
  ]);
  order.length = 0;
  await takeTurns(2, { a: side('a'), b: side('b'), c: side('c') }, () => {});
  t.strictSame(order, ['a', 'b', 'c', 'c', 'b', 'a']);
});
