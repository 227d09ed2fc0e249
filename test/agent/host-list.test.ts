import t from 'tap';
import { formatHostList, splitHostList } from '../../src/agent/host-list.js';

t.test('host list: is written as the agents of CloudStack write it', async t => {
  t.equal(formatHostList({ hosts: ['A', 'B', '::1'], algorithm: 'static' }), 'A,B,::1@static');
  t.equal(formatHostList({ hosts: ['A', 'B'], algorithm: undefined }), 'A,B');
});

t.test('host list: is taken apart at the last @', async t => {
  t.same(splitHostList('A,B@static'), { hosts: 'A,B', algorithm: 'static' });
  t.same(splitHostList('A,B @ static '), { hosts: 'A,B ', algorithm: 'static' });
  t.same(splitHostList('A,B'), { hosts: 'A,B', algorithm: undefined });
  t.same(splitHostList('A,B@'), { hosts: 'A,B', algorithm: undefined });
  t.same(splitHostList('A@B@static'), { hosts: 'A@B', algorithm: 'static' });
  t.same(splitHostList('@static'), { hosts: '', algorithm: 'static' });
  t.same(splitHostList(''), { hosts: '', algorithm: undefined });
});
