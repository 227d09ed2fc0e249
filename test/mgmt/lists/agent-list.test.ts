import t from 'tap';
import { ALGORITHM_NAMES, readConfiguration } from '../../../src/mgmt/config/parameters.js';
import { type AgentList, agentListOf, isSameAgentList, type ListSnapshot } from '../../../src/mgmt/lists/agent-list.js';

function configurationOf(values: Readonly<Record<string, string>>, version = 5) {
  return readConfiguration({ version, values: new Map(Object.entries(values)), assignmentGeneration: 0 }).configuration;
}

const HOST = '192.0.2.1,192.0.2.2,192.0.2.3';
const NOTHING: Omit<ListSnapshot, 'configuration'> = {
  clusterIntervals: new Map(),
  avoided: [],
  zoneHostIds: () => [],
  assignedServer: () => undefined,
};
const host = (id: number) => ({ id, zoneId: 1, clusterId: 7 });

t.test(
  'agent-list: an agent is told the list of its algorithm, the interval, the avoid list and the generation',
  async t => {
    const configuration = configurationOf({
      host: HOST,
      'indirect.agent.lb.algorithm': 'roundrobin',
      'indirect.agent.lb.check.interval': '120',
    });
    t.strictSame(
      agentListOf(host(8), { ...NOTHING, configuration, zoneHostIds: () => [7, 8, 9], avoided: ['192.0.2.3'] }),
      {
        hosts: ['192.0.2.2', '192.0.2.3', '192.0.2.1'],
        algorithm: 'roundrobin',
        checkIntervalSeconds: 120,
        avoid: ['192.0.2.3'],
        configurationVersion: 5,
      },
    );
  },
);

t.test('agent-list: the cluster’s interval beats the global one, and 0 turns the check off', async t => {
  const configuration = configurationOf({ host: HOST, 'indirect.agent.lb.check.interval': '120' });
  const intervals = (seconds: number | undefined) => new Map(seconds === undefined ? [] : [[7, seconds]]);
  const seconds = (clusterIntervalSeconds: number | undefined) =>
    agentListOf(host(1), { ...NOTHING, configuration, clusterIntervals: intervals(clusterIntervalSeconds) })
      .checkIntervalSeconds;
  t.same([undefined, 0, 30].map(seconds), [120, 0, 30]);
});

t.test('agent-list: rendezvous leads with the assigned server as long as it is one', async t => {
  const configuration = configurationOf({ host: HOST, 'indirect.agent.lb.algorithm': 'rendezvous' });
  const firsts = (preferred: string | undefined) =>
    Array.from(
      { length: 50 },
      (_, id) => agentListOf(host(id), { ...NOTHING, configuration, assignedServer: () => preferred }).hosts[0],
    );
  t.same(new Set(firsts('192.0.2.3')), new Set(['192.0.2.3']));
  t.same(firsts('192.0.2.9'), firsts(undefined));
});

t.test('agent-list: the same snapshot gives the same list, whatever the algorithm', async t => {
  for (const name of ALGORITHM_NAMES) {
    const snapshot = {
      ...NOTHING,
      configuration: configurationOf({ host: HOST, 'indirect.agent.lb.algorithm': name }),
      zoneHostIds: () => [4, 5],
    };
    t.strictSame(agentListOf(host(5), snapshot), agentListOf(host(5), snapshot), name);
    t.same([...agentListOf(host(5), snapshot).hosts].sort(), HOST.split(','), `${name} leaves nobody out`);
  }
});

const held: AgentList = {
  hosts: ['a', 'b', 'c'],
  algorithm: 'static',
  checkIntervalSeconds: 60,
  avoid: ['c'],
  configurationVersion: 1,
};

t.test(
  'agent-list: an agent is told again exactly when list, algorithm, interval or avoid list are others',
  async t => {
    const others: readonly (readonly [Partial<AgentList>, boolean, string])[] = [
      [{}, true, 'nothing'],
      [{ configurationVersion: 2 }, true, 'the generation alone'],
      [{ hosts: ['b', 'a', 'c'] }, false, 'the order'],
      [{ hosts: ['a', 'b'] }, false, 'a server less'],
      [{ hosts: ['a', 'b', 'c', 'd'] }, false, 'a server more'],
      [{ algorithm: 'roundrobin' }, false, 'the algorithm'],
      [{ checkIntervalSeconds: 0 }, false, 'the interval'],
      [{ avoid: [] }, false, 'nobody to avoid'],
      [{ avoid: ['b'] }, false, 'another to avoid'],
      [{ avoid: ['c', 'b'] }, false, 'one more to avoid'],
    ];
    for (const [change, isSame, what] of others) {
      t.equal(isSameAgentList(held, { ...held, ...change }), isSame, what);
      t.equal(isSameAgentList({ ...held, ...change }, held), isSame, `${what}, the other way round`);
    }
  },
);

t.test('agent-list: an equal shuffle in another order is the same', async t => {
  const shuffled = { ...held, algorithm: 'shuffle' };
  t.equal(isSameAgentList(shuffled, { ...shuffled, hosts: ['c', 'a', 'b'] }), true);
  t.equal(isSameAgentList(shuffled, { ...shuffled, hosts: ['c', 'a', 'd'] }), false);
});

t.test('regression: an avoid list with an address twice is not taken for one of two addresses', async t => {
  t.equal(isSameAgentList({ ...held, avoid: ['c', 'c'] }, { ...held, avoid: ['c', 'b'] }), false);
  t.equal(isSameAgentList({ ...held, avoid: ['c', 'c'] }, { ...held, avoid: ['c'] }), true);
});

t.test('agent-list: the hosts of a canary have its values, and all others those that hold', async t => {
  const canaryOf = (changes: Readonly<Record<string, string>>, hosts: ReadonlyMap<number, string | null>) =>
    readConfiguration({
      version: 9,
      values: new Map([['host', HOST]]),
      assignmentGeneration: 0,
      canary: { id: 8, changes: new Map(Object.entries(changes)), hosts, created: 0, createdBy: 'admin', job: null },
    }).configuration;
  const reversed = canaryOf({ host: '192.0.2.3,192.0.2.1' }, new Map([[2, null]]));
  const [other, own] = [1, 2].map(id => agentListOf(host(id), { ...NOTHING, configuration: reversed }));
  t.match(own, { hosts: ['192.0.2.3', '192.0.2.1'], canary: 8, configurationVersion: 9 });
  t.same([other?.hosts.join(), other?.canary], [HOST, undefined]);
  const assigned = canaryOf({ 'indirect.agent.lb.algorithm': 'rendezvous' }, new Map([[2, '192.0.2.3']]));
  const lists = [1, 2].map(id =>
    agentListOf(host(id), { ...NOTHING, configuration: assigned, assignedServer: () => '192.0.2.2' }),
  );
  t.match(lists, [
    { hosts: HOST.split(','), algorithm: 'static' },
    { hosts: ['192.0.2.3'], algorithm: 'rendezvous' },
  ]);
});
