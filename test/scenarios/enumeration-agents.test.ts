import t from 'tap';
import { assignments as assignmentsOf } from '../helpers/assign.js';
import type { Cluster } from '../helpers/cluster-bench.js';
import { A, ALL, B, C, enumerates } from '../helpers/enumeration.js';

// There are hundreds of clusters in here.
t.setTimeout(1_800_000);

const RENDEZVOUS = { 'indirect.agent.lb.algorithm': 'rendezvous' };

const onHost = (command: string) => async (cluster: Cluster) => {
  const [host] = await cluster.store.hosts();
  return cluster.node(B).call(command, { id: host?.uuid ?? '' });
};

/** Which server each host is assigned to. */
const assignments = async ({ store }: Cluster) =>
  [...(await assignmentsOf(store))].map(([id, preferred]) => `${id}: ${preferred}`).join(', ');

enumerates(t, [
  { name: 'deleteHost', run: onHost('deleteHost') },
  { name: 'reconnectHost', run: onHost('reconnectHost') },
  {
    name: 'updateConfiguration of host',
    configuration: RENDEZVOUS,
    agents: 6,
    async before(cluster) {
      await cluster.node(A).call('rebalanceAgents');
      await cluster.goesOn(15_000);
      return assignments(cluster);
    },
    async check(cluster, former) {
      const host = (await cluster.store.configuration()).values.get('host');
      const now = await assignments(cluster);
      return host === ALL && now !== former ? [`host is as before, and assignments are not: ${former} → ${now}`] : [];
    },
    run: cluster => cluster.node(B).call('updateConfiguration', { name: 'host', value: `${B},${C}` }),
  },
  {
    name: 'rebalanceAgents',
    configuration: RENDEZVOUS,
    run: cluster => cluster.node(B).call('rebalanceAgents'),
  },
  { name: 'a new agent', run: cluster => cluster.addAgents(1, ALL) },
  {
    name: 'a loss',
    async run(cluster) {
      await cluster.agents[0]?.stop();
    },
  },
]);
