import t from 'tap';
import { runAtOnce } from '../../../src/lib/interruptible.js';
import { jsonInSteps } from '../../../src/mgmt/http/json-parts.js';

const many = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: i, name: `"${i}"`, gone: null, list: [i] }));
const VALUES: readonly unknown[] = [
  {},
  [],
  'text',
  null,
  { a: null, b: undefined, c: { d: null, e: [1, null, 'x'] } },
  { count: 1, items: many(1) },
  { count: 1_001, items: many(1_001), warning: undefined },
  {
    servers: [
      { id: 'a', agents: Array.from({ length: 700 }, String), peers: undefined },
      { id: 'b', agents: [] },
    ],
  },
  [many(201), many(200), [], many(1_000)],
  { a: null, list: many(500), b: null },
];

t.test('json-parts: the parts together are what JSON.stringify makes, without nulls', async t => {
  for (const value of VALUES) {
    const whole = JSON.stringify(value, (_name, field) => field ?? undefined) ?? 'null';
    t.equal(runAtOnce(jsonInSteps(value)).join(''), whole);
  }
});

t.test('json-parts: no step writes more than some hundred objects, however deep they are', async t => {
  const value = { servers: [{ agents: many(10_000) }, { agents: many(10_000) }] };
  let steps = 0;
  for (const _step of jsonInSteps(value)) steps++;
  t.ok(steps >= 100, `${steps} steps`);
  t.ok(runAtOnce(jsonInSteps(value)).every(part => part.length < 20_000));
});
