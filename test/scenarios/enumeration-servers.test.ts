import t from 'tap';
import { type Cluster, ClusterNode } from '../helpers/cluster-bench.js';
import { A, B, enumerates } from '../helpers/enumeration.js';

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
]);
