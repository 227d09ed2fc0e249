import t from 'tap';
import { type Cluster, ClusterNode } from '../helpers/cluster-bench.js';
import { A, B, enumerates, MISHAPS } from '../helpers/enumeration.js';

// There are hundreds of clusters in here.
t.setTimeout(600_000);

const onServer =
  (command: string, address: string, by: string = B) =>
  async (cluster: Cluster) =>
    cluster.node(by).call(command, { managementserverid: (await cluster.row(address)).uuid });

enumerates(t, [
  {
    name: 'prepareForMaintenance',
    run: onServer('prepareForMaintenance', A),
    faults: ['its process is killed before', 'the call fails after'],
  },
  {
    name: 'cancelMaintenance',
    async before(cluster) {
      await onServer('prepareForMaintenance', A)(cluster);
      await cluster.comes(() => cluster.node(A).state === 'Maintenance', 30_000);
    },
    run: onServer('cancelMaintenance', A),
    faults: ['the call fails after'],
  },
  {
    name: 'prepareForShutdown',
    run: onServer('prepareForShutdown', A),
    faults: ['its process is killed before', 'the call fails after'],
  },
  { name: 'triggerShutdown', run: onServer('triggerShutdown', A), faults: MISHAPS },
  {
    name: 'a start',
    before: cluster => cluster.passes(cluster.node(B).stop('SIGTERM')),
    async run(cluster, disturbance) {
      const node = await ClusterNode.make(cluster, B);
      cluster.nodes.set(B, node);
      disturbance.attach(node);
      await cluster.passes(node.start());
    },
    faults: [],
  },
  { name: 'a stop', run: cluster => cluster.passes(cluster.node(A).stop('SIGTERM')), faults: [] },
]);
