import t from 'tap';
import { runAtOnce } from '../../../src/lib/interruptible.js';
import { fullestSurvivor, type PlacedAgent, survivors } from '../../../src/mgmt/lists/survivability.js';

const agents = (...counts: readonly [count: number, server: string, hosts: string][]): readonly PlacedAgent[] =>
  counts.flatMap(([count, server, hosts]) =>
    Array.from({ length: count }, () => ({ server, hosts: hosts.split(',') })),
  );
const each = (placed: readonly PlacedAgent[], ...takers: readonly string[]) =>
  runAtOnce(survivors(placed, new Set(takers)));
const fullest = (placed: readonly PlacedAgent[], ...takers: readonly string[]) =>
  fullestSurvivor(each(placed, ...takers));

t.test('survivability: the worst death is counted, and its agents go where their lists lead', async t => {
  // All of a go to b: 10 + 4. With c dead, a gets its 9.
  const placed = agents([10, 'a', 'a,b,c'], [4, 'b', 'b,c,a'], [9, 'c', 'c,a,b']);
  t.equal(fullest(placed, 'a', 'b', 'c'), 19);
  t.equal(fullest(agents([10, 'a', 'a,b'], [4, 'b', 'b,a']), 'a', 'b'), 14, 'of two, the other has all');
});

t.test('survivability: a server that takes no agents is no survivor, and its agents stay with it', async t => {
  const placed = agents([10, 'a', 'a,b,c'], [4, 'b', 'b,c,a'], [9, 'c', 'c,a,b']);
  t.equal(fullest(placed, 'a', 'b'), 14);
});

t.test('survivability: agents that would have nowhere to go are no survival', async t => {
  t.equal(fullest(agents([1, 'a', 'a'], [1, 'b', 'b,a']), 'a', 'b'), Number.POSITIVE_INFINITY);
  t.equal(fullest(agents([1, 'a', 'a,b']), 'a'), Number.POSITIVE_INFINITY, 'one server alone');
  t.equal(fullest([]), Number.POSITIVE_INFINITY, 'none at all');
  t.equal(fullest([], 'a', 'b'), 0, 'there are no agents');
});

t.test('survivability: each server has its own worst death', async t => {
  const placed = agents([10, 'a', 'a,b,c'], [4, 'b', 'b,c,a'], [9, 'c', 'c,a,b'], [2, 'c', 'c']);
  t.same(Object.fromEntries(each(placed, 'a', 'b', 'c')), {
    a: { load: 19, stranded: 0 },
    b: { load: 14, stranded: 0 },
    c: { load: 15, stranded: 2 },
  });
});
