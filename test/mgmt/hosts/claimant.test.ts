import t from 'tap';
import { isAnotherAgent, isOlderLink } from '../../../src/mgmt/hosts/claimant.js';

const of = (address: string | undefined, instanceId?: string) => ({ address, instanceId });

t.test('claimant: two processes are two agents, whatever their addresses', async t => {
  t.ok(isAnotherAgent(of('a', 'p1'), of('a', 'p2')));
  t.ok(isAnotherAgent(of('a', 'p1'), of('b', 'p2')));
  t.notOk(isAnotherAgent(of('a', 'p1'), of('b', 'p1')));
});

t.test('claimant: the links of a process are those of one agent', async t => {
  t.notOk(isAnotherAgent({ ...of('a', 'p1'), linkNumber: 2 }, { ...of('b', 'p1'), linkNumber: 7 }));
  t.ok(isAnotherAgent({ ...of('a', 'p1'), linkNumber: 2 }, { ...of('a', 'p2'), linkNumber: 2 }));
});

t.test('claimant: without the process of one of them, two addresses are two agents', async t => {
  t.ok(isAnotherAgent(of('a'), of('b')));
  t.ok(isAnotherAgent(of('a', 'p1'), of('b')));
  t.ok(isAnotherAgent(of('a'), of('b', 'p1')));
  t.notOk(isAnotherAgent(of('a'), of('a', 'p1')));
  t.notOk(isAnotherAgent(of('a'), of(undefined)), 'what is not known tells nothing apart');
});

t.test('claimant: a link is older than another one of the same process with a greater number', async t => {
  const of = (instanceId?: string, linkNumber?: number) => ({ address: 'a', instanceId, linkNumber });
  t.ok(isOlderLink(of('p1', 1), of('p1', 2)));
  t.notOk(isOlderLink(of('p1', 2), of('p1', 2)));
  t.notOk(isOlderLink(of('p1', 3), of('p1', 2)));
  t.notOk(isOlderLink(of('p2', 1), of('p1', 2)), 'another process');
  t.notOk(isOlderLink(of(undefined, 1), of(undefined, 2)), 'of no process');
  t.notOk(isOlderLink(of('p1'), of('p1', 2)));
  t.notOk(isOlderLink(of('p1', 1), of('p1')));
});
