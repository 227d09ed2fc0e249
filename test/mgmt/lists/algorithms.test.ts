import t from 'tap';
import { ALGORITHM_NAMES, type AlgorithmName } from '../../../src/mgmt/config/parameters.js';
import { algorithms } from '../../../src/mgmt/lists/algorithms.js';

const place = (
  name: AlgorithmName,
  hostId: number,
  zoneHostIds: readonly number[],
  servers = ['A', 'B', 'C'],
  seed = '1',
) => algorithms[name]({ servers, zoneHostIds, hostId, seed }).join('');

t.test('algorithms: three servers and three agents get exactly the lists of the example', async t => {
  const ids = [4, 7, 9];
  t.strictSame(
    ids.map(id => place('static', id, ids)),
    ['ABC', 'ABC', 'ABC'],
  );
  t.strictSame(
    ids.map(id => place('roundrobin', id, ids)),
    ['ABC', 'BCA', 'CAB'],
  );
});

t.test('roundrobin: a host that is not in its zone counts as the last, wherever its id lies', async t => {
  t.equal(place('roundrobin', 12, [4, 7, 9, 11]), 'BCA');
  t.equal(place('roundrobin', 5, [4, 7, 9, 11]), 'BCA');
  t.equal(place('roundrobin', 1, []), 'ABC');
});

t.test('roundrobin: each server is first for as many agents as any other, give or take one', async t => {
  const ids = Array.from({ length: 1000 }, (_, i) => 3 * i + 2);
  const first = new Map<string, number>();
  for (const id of ids) {
    const head = place('roundrobin', id, ids).slice(0, 1);
    first.set(head, (first.get(head) ?? 0) + 1);
  }
  t.strictSame(Object.fromEntries(first), { A: 334, B: 333, C: 333 });
});

t.test('algorithms: every list has every server once, and the configured one is left as it is', async t => {
  const wrong = [];
  for (const name of ALGORITHM_NAMES) {
    for (let count = 1; count <= 12; count++) {
      const servers = Object.freeze(Array.from({ length: count }, (_, i) => `s${i}`));
      for (let hostId = 1; hostId <= 30; hostId++) {
        const list = algorithms[name]({ servers, zoneHostIds: [1, 2, 3, 5, 8, 13], hostId, seed: '1' });
        if (list.toSorted().join() !== servers.toSorted().join()) wrong.push([name, count, hostId, list]);
      }
    }
  }
  t.strictSame(wrong, []);
});

t.test(
  'shuffle: the same configuration gives an agent the same order on every server, another one another',
  async t => {
    const ids = Array.from({ length: 200 }, (_, i) => i + 1);
    const orders = (seed: string) => ids.map(id => place('shuffle', id, [], ['A', 'B', 'C', 'D'], seed));
    t.strictSame(orders('5'), orders('5'));
    const other = orders('6');
    t.ok(orders('5').filter((order, i) => order === other[i]).length < 30, 'about one in 24 stays');
  },
);

/** Pearson's statistic of how often each of `kinds` outcomes came, against all equally often. */
function chiSquare(outcomes: readonly string[], kinds: number): number {
  const counts = new Map<string, number>();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const expected = outcomes.length / kinds;
  let sum = (kinds - counts.size) * expected;
  for (const count of counts.values()) sum += (count - expected) ** 2 / expected;
  return sum;
}

for (const [agents, from] of [
  [1200, 1],
  [24_000, 1],
  [24_000, 2 ** 40],
] as const) {
  t.test(
    `shuffle: ${agents} agents from id ${from}, all placed at one moment, get all 24 orders equally often`,
    async t => {
      const orders = Array.from({ length: agents }, (_, i) =>
        place('shuffle', from + i, [], ['A', 'B', 'C', 'D'], '42'),
      );
      // 23 degrees of freedom: above 49.7 in one case of a thousand, were it uniform. The outcome never varies.
      t.ok(chiSquare(orders, 24) < 49.7, String(chiSquare(orders, 24)));
      const firsts = orders.map(order => order.slice(0, 1));
      t.ok(chiSquare(firsts, 4) < 16.3, 'and each server first equally often');
    },
  );
}

t.test('shuffle: neighbours in the ids are no more alike than strangers', async t => {
  const orders = Array.from({ length: 6001 }, (_, i) => place('shuffle', i + 1, []));
  const pairs = orders.slice(1).map((order, i) => `${orders[i]}${order}`);
  // 35 degrees of freedom.
  t.ok(chiSquare(pairs, 36) < 66.6, String(chiSquare(pairs, 36)));
});
