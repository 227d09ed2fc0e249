import t from 'tap';
import { withIds } from '../../src/admin/names.js';
import { API } from '../../src/api/commands/index.js';

const ID = '00000000-0000-4000-8000-000000000001';
const HOSTS = [
  { id: 'h-1', name: 'kvm-1' },
  { id: 'h-2', name: 'twin' },
  { id: 'h-3', name: 'twin' },
];

const calls: string[] = [];
const api = async (command: string, params: Readonly<Record<string, string>> = {}) => {
  calls.push(command);
  if (command === 'listZones') return { zone: [{ id: `zone-${params.name}` }] };
  if (command === 'listPods') return { pod: [{ id: `pod-${params.name}` }] };
  if (command === 'listClusters') return { cluster: [{ id: `cluster-${params.name}` }] };
  if (command === 'listHosts') return { host: HOSTS.filter(({ name }) => name === params.name) };
  return { managementserver: [{ id: 's-1', name: 'one', ipaddress: '10.0.0.1' }] };
};
const resolve = async (command: keyof typeof API, params: Record<string, string>) =>
  Object.fromEntries(await withIds(command, API[command], new Map(Object.entries(params)), api));

t.test('names: hosts go by their name, servers by their address or name, and ids as they are', async t => {
  t.same(await resolve('reconnectHost', { id: 'kvm-1' }), { id: 'h-1' });
  t.same(await resolve('listAgentLinks', { hostid: 'kvm-1' }), { hostid: 'h-1' });
  t.same(await resolve('prepareForMaintenance', { managementserverid: '10.0.0.1' }), { managementserverid: 's-1' });
  t.same(await resolve('prepareForMaintenance', { managementserverid: 'one' }), { managementserverid: 's-1' });
  calls.length = 0;
  t.same(await resolve('reconnectHost', { id: ID }), { id: ID });
  t.same(await resolve('queryAsyncJobResult', { jobid: 'x' }), { jobid: 'x' }, 'jobs have no names');
  t.same(calls, [], 'nothing is asked for');
});

t.test('regression: names: zones, pods and clusters go by their names', async t => {
  const given = { zoneid: 'a', podid: 'b', clusterid: 'c' };
  t.same(await resolve('listHosts', given), { zoneid: 'zone-a', podid: 'pod-b', clusterid: 'cluster-c' });
  t.match(await resolve('updateConfiguration', { clusterid: 'c' }), { clusterid: 'cluster-c' });
});

t.test('names: one that nobody has, or several have, is said', async t => {
  await t.rejects(resolve('deleteHost', { id: 'nobody' }), { message: /there is none with this name or id/ });
  await t.rejects(resolve('deleteHost', { id: 'twin' }), { message: /several have this name; .* h-2, h-3/ });
});
