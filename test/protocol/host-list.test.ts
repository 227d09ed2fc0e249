import t from 'tap';
import { formatHostList, isSameList, parseReportedList, splitHostList } from '../../src/protocol/host-list.js';

t.test('host list: is written as the agents of CloudStack write it', async t => {
  t.equal(formatHostList({ hosts: ['A', 'B', '::1'], algorithm: 'static' }), 'A,B,::1@static');
  t.equal(formatHostList({ hosts: ['A', 'B'], algorithm: undefined }), 'A,B');
});

t.test('host list: is taken apart at the last @', async t => {
  t.same(splitHostList('A,B@static'), { hosts: 'A,B', algorithm: 'static' });
  t.same(splitHostList('A,B @ static '), { hosts: 'A,B ', algorithm: 'static' });
  t.same(splitHostList('A,B'), { hosts: 'A,B', algorithm: undefined });
  t.same(splitHostList('A,B@'), { hosts: 'A,B', algorithm: undefined });
  t.same(splitHostList('A,B@static@static'), { hosts: 'A,B', algorithm: 'static' }, 'regression');
  t.same(splitHostList('@static'), { hosts: '', algorithm: 'static' });
  t.same(splitHostList(''), { hosts: '', algorithm: undefined });
});

t.test('host list: what agents report is read as it is', async t => {
  t.strictSame(parseReportedList('a,b,c@static'), { hosts: ['a', 'b', 'c'], algorithm: 'static' });
  t.strictSame(parseReportedList('a,b'), { hosts: ['a', 'b'], algorithm: undefined });
  t.strictSame(parseReportedList(' a , ,b @ shuffle '), { hosts: ['a', 'b'], algorithm: 'shuffle' });
  for (const empty of [undefined, '', '@', ',', '@static'])
    t.strictSame(parseReportedList(empty).hosts, [], `${empty}`);
  t.equal(formatHostList(parseReportedList('a,b,c@static')), 'a,b,c@static');
  t.equal(formatHostList({ hosts: ['a'], algorithm: undefined }), 'a');
});

const cases: readonly [reported: string, wanted: string, isSame: boolean, why: string][] = [
  ['a,b,c@static', 'a,b,c@static', true, 'equal'],
  ['a,c,b@static', 'a,b,c@static', false, 'static: another order'],
  ['a,c,b@roundrobin', 'a,b,c@roundrobin', false, 'roundrobin: another order'],
  ['b,c,a@roundrobin', 'b,c,a@roundrobin', true, 'roundrobin: equal'],
  ['c,a,b@shuffle', 'a,b,c@shuffle', true, 'shuffle: the same set'],
  ['c,a@shuffle', 'a,b,c@shuffle', false, 'shuffle: one missing'],
  ['c,a,b,d@shuffle', 'a,b,c@shuffle', false, 'shuffle: one too many'],
  ['a,a,b@shuffle', 'a,b,c@shuffle', false, 'shuffle: as many, but one twice'],
  ['a,b,c@shuffle', 'a,b,c@static', false, 'another algorithm'],
  ['a,b,c', 'a,b,c@static', false, 'no algorithm yet'],
  ['a,b,c@STATIC', 'a,b,c@static', false, 'algorithm names are compared as they are'],
  ['', '@static', false, 'an empty list never matches'],
  ['@shuffle', '@shuffle', false, 'an empty set neither'],
];

t.test('host list: compare as PROTOCOL says', async t => {
  for (const [reported, wanted, isSame, why] of cases) {
    t.equal(isSameList(parseReportedList(reported), parseReportedList(wanted)), isSame, why);
  }
});
