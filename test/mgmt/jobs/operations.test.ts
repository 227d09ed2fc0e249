import t from 'tap';
import { OperationError } from '../../../src/lib/operation-error.js';
import { apiBench, MSID_1, MSID_2 } from '../../helpers/api-bench.js';
import { pendingJobs } from '../../helpers/pending-jobs.js';

const NOBODY = 'a6a3a6c2-0d3c-4b3b-9a3c-1f0d5a0b7c11';
const INTERVAL = 'indirect.agent.lb.check.interval';

/** What the operation rejects with. */
async function errorOf(operation: () => Promise<unknown>) {
  const error = await operation().then(
    () => undefined,
    error => error,
  );
  if (!(error instanceof OperationError)) return error;
  const { code, argument, value, message } = error;
  return { code, argument, value, message };
}

t.test('operations: an argument that is not allowed is named, with its value', async t => {
  const { operations, addHosts } = await apiBench(t);
  const [host] = await addHosts(1);
  const serverId = NOBODY;
  const cases: [() => Promise<unknown>, string, string][] = [
    [() => operations.prepareForMaintenance({ serverId }), 'serverId', NOBODY],
    [() => operations.cancelMaintenance({ serverId }), 'serverId', NOBODY],
    [() => operations.prepareForShutdown({ serverId }), 'serverId', NOBODY],
    [() => operations.cancelShutdown({ serverId }), 'serverId', NOBODY],
    [() => operations.triggerShutdown({ serverId }), 'serverId', NOBODY],
    [() => operations.serverStatus({ serverId }), 'serverId', NOBODY],
    [() => operations.rebalanceAgents({ serverId }), 'serverId', NOBODY],
    [() => operations.removeHost({ hostId: NOBODY }), 'hostId', NOBODY],
    [() => operations.reconnectHost({ hostId: NOBODY }), 'hostId', NOBODY],
    [() => operations.migrateHost({ hostId: NOBODY, serverId }), 'hostId', NOBODY],
    [() => operations.migrateHost({ hostId: host?.uuid ?? '', serverId: NOBODY }), 'serverId', NOBODY],
    [() => operations.diagnoseHost({ hostId: NOBODY }), 'hostId', NOBODY],
    [() => operations.diagnoseHost({ hostId: host?.uuid ?? '', hosts: 'a,,b' }), 'hosts', 'a,,b'],
    [() => operations.updateHost({ hostId: NOBODY, tags: 'a' }), 'hostId', NOBODY],
    [() => operations.updateHost({ hostId: NOBODY, tags: 'a\0b' }), 'tags', 'a\0b'],
    [() => operations.resetConfiguration({ name: 'host' }), 'name', 'host'],
    [() => operations.resetConfiguration({ name: INTERVAL, clusterId: NOBODY }), 'clusterId', NOBODY],
    [() => operations.previewChange({ host: 'a b' }), 'host', 'a b'],
    [() => operations.previewChange({ algorithm: 'best' }), 'algorithm', 'best'],
    [() => operations.changeConfiguration({ name: 'ping.interval', value: '0' }), 'value', '0'],
    [() => operations.changeConfiguration({ name: 'host', value: '10.0.0.1' }), 'value', '10.0.0.1'],
    [() => operations.changeConfiguration({ name: INTERVAL, value: '1', clusterId: NOBODY }), 'clusterId', NOBODY],
    [() => operations.changeConfiguration({ name: 'host', value: 'a', clusterId: NOBODY }), 'clusterId', NOBODY],
  ];
  for (const [operation, argument, value] of cases) {
    const error = await errorOf(operation);
    t.match(error, { code: 'ARGUMENT_INVALID', argument, value }, argument);
    t.ok(error.message.startsWith(`${argument}=${value}: `), error.message);
  }
  t.match(await errorOf(() => operations.changeConfiguration({ name: 'ping.intervall', value: '1' })), {
    code: 'CONFIGURATION_NAME_UNKNOWN',
    argument: 'name',
    message: "Config parameter with name ping.intervall doesn't exist; did you mean ping.interval?",
  });
});

t.test('regression: operations: alerts can be signed by a key that is there, and by no other', async t => {
  const { operations } = await apiBench(t);
  const signedBy = (value: string) => operations.changeConfiguration({ name: 'alert.webhook.key', value });
  t.match(await errorOf(() => signedBy('pager')), {
    code: 'ARGUMENT_INVALID',
    argument: 'value',
    message: 'value=pager: there is no API key of this name; createApiKey makes one',
  });
  await operations.createApiKey({ name: 'pager', role: 'reader' });
  t.match(await signedBy('pager'), { value: 'pager' });
  const pager = (await operations.listApiKeys()).find(({ name }) => name === 'pager');
  const dropped = () => operations.deleteApiKey({ id: pager?.id ?? '' });
  t.match(await errorOf(dropped), { code: 'OPERATION_REFUSED', message: /^alert\.webhook\.key names the key pager: / });
  t.match(await signedBy(''), { value: '' });
  await dropped();
});

t.test('operations: what the state does not allow is refused, and nothing is changed', async t => {
  const { operations, store, one, two, addHosts, events } = await apiBench(t);
  const [lost] = await addHosts(1, null);
  const [up] = await addHosts(1);
  await store.changeServerState(MSID_2, { from: ['Up'], to: 'Maintenance' });
  const serverId = one.uuid;
  const cases: [() => Promise<unknown>, RegExp][] = [
    [
      () => operations.prepareForMaintenance({ serverId, algorithm: 'best' }),
      /^the algorithm best is unknown: static, /,
    ],
    [() => operations.prepareForMaintenance({ serverId }), /^no other management server can take agents$/],
    [() => operations.prepareForShutdown({ serverId: two.uuid }), /192\.0\.2\.2 is Maintenance, not Up$/],
    [() => operations.cancelMaintenance({ serverId }), /is Up; PreparingForMaintenance or Maintenance is needed$/],
    [() => operations.cancelShutdown({ serverId }), /is Up; PreparingForShutDown or ReadyToShutDown is needed$/],
    [() => operations.reconnectHost({ hostId: lost?.uuid ?? '' }), /^host host-1 is not Up: there is no link to end$/],
    [
      () => operations.migrateHost({ hostId: lost?.uuid ?? '', serverId }),
      /^host host-1 is not Up: its agent cannot be told/,
    ],
    [() => operations.migrateHost({ hostId: up?.uuid ?? '', serverId }), /^host host-2 is on 192\.0\.2\.1 already$/],
    [() => operations.migrateHost({ hostId: up?.uuid ?? '', serverId: two.uuid }), /192\.0\.2\.2 takes no agents now$/],
    [
      () => operations.diagnoseHost({ hostId: lost?.uuid ?? '' }),
      /not Up: its agent cannot be asked; doctor on its machine/,
    ],
  ];
  for (const [operation, message] of cases) {
    t.match(await errorOf(operation), { code: 'OPERATION_REFUSED', argument: undefined, message });
  }
  const states = (await store.servers()).map(({ state }) => state);
  t.same([states, await pendingJobs(store, MSID_1), events], [['Up', 'Maintenance'], [], []]);
});

t.test('operations: a host is moved by the server that has it, and diagnosed by whoever is asked', async t => {
  const { operations, one, addHosts, events } = await apiBench(t);
  const [host] = await addHosts(1, MSID_2);
  const hostId = host?.uuid ?? '';
  const move = await operations.migrateHost({ hostId, serverId: one.uuid });
  t.match(move, { cmd: 'migrateHost', targetMsid: MSID_2, hostId: host?.id });
  t.same(JSON.parse(move.params), { id: hostId, address: '192.0.2.1', msid: MSID_1 });
  const look = await operations.diagnoseHost({ hostId, hosts: '192.0.2.1, B.example' });
  t.match(look, { cmd: 'diagnoseHost', targetMsid: null, hostId: host?.id });
  t.same(JSON.parse(look.params), { id: hostId, hosts: '192.0.2.1,b.example' });
  t.same(JSON.parse((await operations.diagnoseHost({ hostId })).params), { id: hostId });
  t.same(
    events.map(({ type, description }) => `${type}: ${description}`),
    [
      'HOST.MIGRATE: Host host-1 is asked to go to 192.0.2.1',
      'HOST.DIAGNOSE: The agent of host host-1 is asked to dial 192.0.2.1, b.example',
      'HOST.DIAGNOSE: The agent of host host-1 is asked to look at itself',
    ],
  );
  await operations.changeConfiguration({ name: 'host', value: '192.0.2.2' });
  await t.rejects(operations.migrateHost({ hostId, serverId: one.uuid }), { message: /192\.0\.2\.1 is not in host/ });
});

t.test('operations: a drain is one job of its server, whose status says how far it is', async t => {
  const { operations, store, one, addHosts } = await apiBench(t);
  const [host] = await addHosts(1);
  const serverId = one.uuid;
  const job = await operations.prepareForMaintenance({ serverId, algorithm: 'shuffle' });
  t.match(job, { cmd: 'drain', targetMsid: MSID_1, status: 'pending' });
  t.same(JSON.parse(job.params), { purpose: 'maintenance', forced: false, algorithm: 'shuffle' });
  t.match(await operations.serverStatus({ serverId }), {
    state: 'PreparingForMaintenance',
    agents: [host?.uuid],
    pendingJobs: 1,
    isMaintenanceInitiated: true,
    isShutdownTriggered: false,
    isReadyForShutdown: false,
  });
  await operations.cancelMaintenance({ serverId, rebalance: false });
  t.same(
    (await pendingJobs(store, MSID_2)).map(({ cmd }) => cmd),
    [],
    'nobody is told to return',
  );
});

t.test('operations: a change of the configuration says what it wrote; a cluster can have its own value', async t => {
  const { operations, store, addHosts, events } = await apiBench(t);
  await addHosts(1);
  t.same(await operations.changeConfiguration({ name: 'host', value: ' 192.0.2.2 ,192.0.2.1' }), {
    name: 'host',
    value: '192.0.2.2,192.0.2.1',
    scope: 'global',
    agentsMoving: 1,
    withoutServer: [],
  });
  const [cluster] = await store.clusters();
  const clusterId = cluster?.uuid;
  const ofCluster = { name: INTERVAL, scope: 'cluster', agentsMoving: undefined, withoutServer: [] };
  const own = await operations.changeConfiguration({ name: INTERVAL, value: '30', clusterId });
  t.same(own, { ...ofCluster, value: '30' });
  t.equal((await store.clusters())[0]?.checkIntervalSeconds, 30);
  const none = await operations.changeConfiguration({ name: INTERVAL, value: '', clusterId });
  t.same(none, { ...ofCluster, value: '0' });
  t.equal((await store.clusters())[0]?.checkIntervalSeconds, null);
  t.same(
    events.map(({ description }) => description),
    ['host was set to 192.0.2.2,192.0.2.1', `${INTERVAL} was set to 30`, `${INTERVAL} was set to 0`],
  );
});
