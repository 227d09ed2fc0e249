import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { delaysOf, watchLoop } from '../../bench/loop-delays.js';
import { percentile } from '../../bench/statistics.js';

t.test('bench: a delay is what a turn was late, and collections within it are counted apart', async t => {
  const turns = [100, 101, 113, 114.5, 120];
  const collections = [
    { from: 102, to: 105 },
    { from: 107, to: 108 },
    { from: 115, to: 119.5 },
  ];
  t.strictSame(delaysOf({ turns, collections }), { own: [0, 7, 0.5, 0], collections: [3, 1, 4.5] });
});

t.test('bench: of a collection across turns, each has its part, and what is outside of them is none', async t => {
  const collections = [
    { from: 90, to: 95 },
    { from: 98, to: 102 },
    { from: 106, to: 112 },
    { from: 119, to: 125 },
    { from: 130, to: 131 },
  ];
  const measured = delaysOf({ turns: [100, 110, 120], collections });
  t.strictSame(measured, { own: [10 - 2 - 4 - 1, 10 - 2 - 1 - 1], collections: [2, 6, 1] });
  t.strictSame(delaysOf({ turns: [], collections }), { own: [], collections: [] });
});

t.test('bench: the loop is watched from before the work to behind it', async t => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let from = 0;
  let to = 0;
  const { ms, turns, collections } = await watchLoop(async () => {
    from = performance.now();
    collect();
    to = performance.now();
  });
  t.ok(ms >= to - from);
  t.ok((turns[0] ?? Number.NaN) <= from && (turns.at(-1) ?? Number.NaN) >= to);
  t.ok(collections.some(span => span.from >= from && span.to <= to));
});

t.test('bench: a percentile is the least value that so many do not exceed', async t => {
  const values = Array.from({ length: 2_000 }, (_, index) => 2_000 - index);
  t.strictSame(
    [0, 0.5, 0.999, 1].map(part => percentile(values, part)),
    [1, 1_000, 1_998, 2_000],
  );
  t.ok(Number.isNaN(percentile([], 0.5)));
});
