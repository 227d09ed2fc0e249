import t from 'tap';
import { startCluster } from '../../helpers/cluster-bench.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('own-state: a server in Maintenance tells once that no other server can take agents', async t => {
  const cluster = await startCluster(t, [A, B]);
  const told = async () => (await cluster.store.events({ type: 'SERVER.NONE', page: 1, pagesize: 9 })).rows;
  const { uuid: managementserverid } = await cluster.row(A);
  await cluster.node(B).call('prepareForMaintenance', { managementserverid });
  await cluster.goesOn(10_000);
  t.equal(cluster.node(A).state, 'Maintenance');
  t.same(await told(), [], 'the other one can');
  await cluster.node(B).kill();
  await cluster.goesOn(20_000);
  t.match(await told(), [{ level: 'ERROR', description: new RegExp(`${A} is in Maintenance`) }]);
  await cluster.goesOn(20_000);
  t.equal((await told()).length, 1);
});

t.test('regression: own-state: what onShutdown of a program throws, or rejects with, ends no heartbeat', async t => {
  const failing = {
    throws() {
      throw new Error('no');
    },
    async rejects() {
      throw new Error('no');
    },
  };
  for (const [how, onShutdown] of Object.entries(failing)) {
    const cluster = await startCluster(t, [A, B]);
    const node = cluster.node(A);
    node.onShutdown = onShutdown;
    const { uuid: managementserverid } = await cluster.row(A);
    await cluster.node(B).call('triggerShutdown', { managementserverid });
    await cluster.goesOn(10_000);
    t.equal(node.state, 'ShuttingDown', how);
    t.match(node.log.fieldsOf('error A callback of the program has failed'), { callback: 'onShutdown', reason: 'no' });
    const { beat } = await cluster.row(A);
    await cluster.goesOn(10_000);
    t.ok((await cluster.row(A)).beat > beat, `${how}: its heartbeat goes on`);
  }
});
