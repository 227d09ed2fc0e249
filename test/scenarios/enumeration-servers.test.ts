import t from 'tap';
import { type Cluster, ClusterNode } from '../helpers/cluster-bench.js';
import { A, B, C, enumerates } from '../helpers/enumeration.js';

// There are hundreds of clusters in here.
t.setTimeout(1_800_000);

const onServer =
  (command: string, address: string, by: string = B) =>
  async (cluster: Cluster) =>
    cluster.node(by).call(command, { managementserverid: (await cluster.row(address)).uuid });

enumerates(t, [
  {
    name: 'prepareForMaintenance',
    run: onServer('prepareForMaintenance', A),
  },
  {
    name: 'cancelMaintenance',
    async before(cluster) {
      await onServer('prepareForMaintenance', A)(cluster);
      await cluster.comes(() => cluster.node(A).state === 'Maintenance', 30_000);
    },
    run: onServer('cancelMaintenance', A),
  },
  {
    name: 'prepareForShutdown',
    run: onServer('prepareForShutdown', A),
  },
  {
    name: 'cancelShutdown',
    async before(cluster) {
      await onServer('prepareForShutdown', A)(cluster);
      await cluster.comes(() => cluster.node(A).state === 'ReadyToShutDown', 30_000);
    },
    run: onServer('cancelShutdown', A),
  },
  { name: 'triggerShutdown', run: onServer('triggerShutdown', A) },
  {
    name: 'a start',
    before: cluster => cluster.passes(cluster.node(B).stop('SIGTERM')),
    async run(cluster, disturbance) {
      const node = await ClusterNode.make(cluster, B);
      cluster.nodes.set(B, node);
      disturbance.attach(node);
      await cluster.passes(node.start());
    },
  },
  { name: 'a stop', run: cluster => cluster.passes(cluster.node(A).stop('SIGTERM')) },
  {
    name: 'removeManagementServer',
    async before(cluster) {
      const dead = cluster.node(C);
      dead.wasToldToStop = true;
      await cluster.passes(dead.kill());
      await cluster.goesOn(15_000);
    },
    run: async cluster => cluster.node(B).call('removeManagementServer', { id: (await cluster.row(C)).uuid }),
  },
  {
    name: "updateConfiguration of a cluster's own value",
    async run(cluster) {
      const [own] = await cluster.store.clusters();
      const value = { name: 'indirect.agent.lb.check.interval', value: 7, clusterid: own?.uuid ?? '' };
      await cluster.node(B).call('updateConfiguration', value);
    },
  },
]);
