import t from 'tap';
import { findLeaks, growthOf } from './leaks.js';

t.test('simulation: what has happened leaves no entries in the memory of servers and agents', async t => {
  t.equal(await findLeaks(), undefined);
});

t.test('simulation: what grows with the rounds is told once, most first', async t => {
  const before = new Map([
    ['A.#few', 5],
    ['A.#many', 2],
  ]);
  const after = new Map([
    ['A.#few', 7],
    ['A.#many', 14],
    ['A.#many[].waiting', 40],
    ['B.#new', 6],
  ]);
  t.same(growthOf(before, after, 6), [
    { what: 'A.#many', perRound: 2 },
    { what: 'B.#new', perRound: 1 },
  ]);
});
