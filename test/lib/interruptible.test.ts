import t from 'tap';
import { filterInSteps, mapInSteps, runAtOnce, sortInSteps } from '../../src/lib/interruptible.js';
import { seededRandom } from '../helpers/seeded-random.js';

const random = seededRandom(1);
const numbers = (count: number) => Array.from({ length: count }, () => Math.floor(random.uniform() * 500));

t.test('interruptible: map and filter in steps give what those of Array give', async t => {
  const items = numbers(1_777);
  t.same(
    runAtOnce(mapInSteps(items, (one, index) => one * index)),
    items.map((one, index) => one * index),
  );
  t.same(
    runAtOnce(filterInSteps(new Set(items), one => one % 3 === 0)),
    [...new Set(items)].filter(one => one % 3 === 0),
  );
});

t.test('interruptible: a sort in steps gives what a stable sort gives, for any length', async t => {
  for (const length of [0, 1, 249, 250, 251, 500, 777, 2_001]) {
    const items = numbers(length).map((key, at) => ({ key, at }));
    const sorted = runAtOnce(sortInSteps(items, (one, other) => one.key - other.key));
    t.same(
      sorted,
      [...items].sort((one, other) => one.key - other.key),
      `${length} items`,
    );
  }
});

t.test('interruptible: no step handles more than some hundred items', async t => {
  const items = numbers(10_000);
  const works = [mapInSteps(items, one => one), filterInSteps(items, () => true), sortInSteps(items, (a, b) => a - b)];
  const steps = works.map(work => {
    let count = 0;
    for (const _step of work) count++;
    return count;
  });
  t.ok(
    steps.every(count => count >= 40),
    `${steps}`,
  );
});
