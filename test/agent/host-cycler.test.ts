import t from 'tap';
import { planCycle } from '../../src/agent/host-cycler.js';

const TABLE: readonly [
  what: string,
  hosts: string,
  avoid: string,
  failed: string,
  fallback: string,
  after: string | undefined,
  expected: string,
][] = [
  ['the list as it is', 'ABC', '', '', '', undefined, 'ABC'],
  ['from behind the last one, round to it', 'ABC', '', '', '', 'A', 'BCA'],
  ['from behind the end: from the start', 'ABC', '', '', '', 'C', 'ABC'],
  ['a last one that has left the list: from the start', 'ABC', '', '', '', 'X', 'ABC'],
  ['avoided ones last, in the same order', 'ABCD', 'BD', '', '', undefined, 'ACBD'],
  ['avoided ones last, from behind the last one', 'ABCD', 'BD', '', '', 'B', 'CADB'],
  ['all avoided: as if none were', 'ABC', 'CBA', '', '', 'B', 'CAB'],
  ['avoided ones that the list does not name', 'AB', 'XY', '', '', undefined, 'AB'],
  ['the fallback behind all, without those named already', 'AB', 'A', '', 'XBY', undefined, 'BAXY'],
  ['an avoided one of the fallback is no worse there', 'A', 'X', '', 'XY', undefined, 'AXY'],
  ['failed ones behind the others, which the lost one belongs to', 'ABCD', '', 'BD', '', 'A', 'CABD'],
  ['failed ones before the avoided', 'ABC', 'A', 'B', '', undefined, 'CBA'],
  ['all failed: as if none had', 'ABC', '', 'CAB', '', 'A', 'BCA'],
  ['one host', 'A', 'A', '', '', 'A', 'A'],
];

t.test('cycler: one full cycle names every host once, in its order', async t => {
  for (const [what, hosts, avoid, failed, fallback, after, expected] of TABLE) {
    const cycle = planCycle({
      hosts: [...hosts],
      avoid: [...avoid],
      failed: [...failed],
      fallback: [...fallback],
      after,
    });
    t.equal(cycle.join(''), expected, what);
  }
});
