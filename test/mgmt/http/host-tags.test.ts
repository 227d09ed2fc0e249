import t from 'tap';
import type { KnownRow } from '../../../src/mgmt/hosts/own-view.js';
import { apiBench, MSID_1, wrongFields } from '../../helpers/api-bench.js';
import { hostDescription } from '../../helpers/host-description.js';

/** Three hosts, kvm-1 to kvm-3, of which the agents of the first two give tags. */
async function bench(t: Parameters<typeof apiBench>[0]) {
  const made = await apiBench(t);
  const zoneId = await made.store.zoneId('default');
  const registrations = await made.store.registerHosts([
    hostDescription('g1', zoneId, { name: 'kvm-1', implicitTags: ['kvm', 'ssd'] }),
    hostDescription('g2', zoneId, { name: 'kvm-2', implicitTags: ['kvm'], cluster: 'arm', arch: 'aarch64' }),
    hostDescription('g3', zoneId, { name: 'kvm-3' }),
  ]);
  const [one = '', two = '', three = ''] = registrations.map(({ host }) => host.uuid);
  const tagged = async (tag: string) => ({
    hosts: ((await made.call('listHosts', { tag })).body.host ?? []).map(({ name }: { name: string }) => name),
    links: ((await made.call('listAgentLinks', { tag })).body.agentlink ?? []).map(
      ({ hostname }: { hostname: string }) => hostname,
    ),
  });
  return { ...made, made, ids: [one, two, three] as const, tagged };
}

t.test('updateHost: tags of operators stand beside those of the agent', async t => {
  const { call, events, ids, tagged } = await bench(t);
  const [id] = ids;
  const { status, name, body } = await call('updateHost', {
    id,
    hosttags: ' rack7,kvm ',
    annotation: 'disk is\nslow ',
  });
  t.match({ status, name }, { status: 200, name: 'updatehostresponse' });
  t.match(body.host, {
    id,
    name: 'kvm-1',
    zonename: 'default',
    hosttags: 'rack7,kvm,ssd',
    explicithosttags: 'rack7,kvm',
    implicithosttags: 'kvm,ssd',
    annotation: 'disk is slow',
  });
  t.same(wrongFields('updateHost', body.host), []);
  t.same((await call('listHosts', { id })).body.host, [body.host]);
  t.match((await call('listAgentLinks', { hostid: id })).body.agentlink, [
    { hosttags: 'rack7,kvm,ssd', annotation: 'disk is slow' },
  ]);
  const both = (...names: string[]) => ({ hosts: names, links: names });
  t.same(await tagged('kvm'), both('kvm-1', 'kvm-2'));
  t.same(await tagged('rack7'), both('kvm-1'));
  t.same(await tagged('rack'), both(), 'a tag is exact');
  t.match(events, [
    {
      type: 'HOST.UPDATE',
      level: 'INFO',
      hostUuid: id,
      description: 'Host kvm-1: its tags were set to rack7,kvm; it was annotated: disk is slow',
    },
  ]);
  const { host } = (await call('updateHost', { id, hosttags: '', annotation: '' })).body;
  t.match(host, { hosttags: 'kvm,ssd', implicithosttags: 'kvm,ssd' });
  t.notOk('explicithosttags' in host || 'annotation' in host);
  t.match(events[1], { description: 'Host kvm-1: its tags were set to none; its annotation was removed' });
  t.same(await tagged('rack7'), both());
});

t.test('updateHost: what is not given stays; nothing at all changes nothing', async t => {
  const { call, events, ids } = await bench(t);
  const [, , id] = ids;
  await call('updateHost', { id, hosttags: 'a', annotation: 'b' });
  await call('updateHost', { id, annotation: 'c' });
  t.match((await call('updateHost', { id, hosttags: 'd' })).body.host, { hosttags: 'd', annotation: 'c' });
  t.equal(events.length, 3);
  t.match((await call('updateHost', { id })).body.host, { hosttags: 'd', annotation: 'c' });
  t.equal(events.length, 3);
});

t.test('updateHost: what is not allowed is refused, and nothing is changed', async t => {
  const { call, store, events, ids } = await bench(t);
  const [id] = ids;
  const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ id, hosttags: 'x'.repeat(65), annotation: 'x' }, /Invalid parameter hosttags value=x+ due to .*64 characters/],
    [{ id, hosttags: Array.from({ length: 33 }, (_, i) => `t${i}`).join() }, /33 tags; a host can be given 32/],
    [{ id, hosttags: 'a\u0007' }, /control characters/],
    [
      { id, annotation: 'x'.repeat(1_001), hosttags: 'a' },
      /Invalid parameter annotation .* 1001 characters; at most 1000/,
    ],
    [{ id: 'a6a3a6c2-0d3c-4b3b-9a3c-1f0d5a0b7c11', hosttags: 'a' }, /Invalid parameter id .*no host with this id/],
    [{ hosttags: 'a' }, /missing parameter id/],
  ];
  for (const [params, text] of cases) {
    t.match(await call('updateHost', params), { status: 431, body: { errortext: text } });
  }
  t.match((await store.findHosts({ uuid: id, page: 1, pagesize: 1 })).rows, [{ explicitTags: [], annotation: null }]);
  t.same(events, []);
});

t.test('with the store away, lists cannot tell tags, and say so', async t => {
  const { made, call } = await bench(t);
  const known: KnownRow = {
    ...{ id: 1, uuid: '00000000-0000-4000-8000-00000000000a', name: 'kvm-1', status: 'Up', msid: MSID_1 },
    ...{ zoneId: 1, clusterId: null, msHostList: null },
  };
  Object.assign(made, { isKnownAway: true, known: [known] });
  for (const command of ['listHosts', 'listAgentLinks']) {
    const refused = {
      status: 530,
      body: { errortext: `the store cannot be reached now, and ${command} cannot tell tag without it` },
    };
    t.match(await call(command, { tag: 'kvm' }), refused);
    t.match((await call(command)).body, { count: 1, warning: String });
  }
});

t.test('listClusters: those that have a host of a hypervisor or an architecture', async t => {
  const { call } = await bench(t);
  const found = async (params: Record<string, string>) =>
    ((await call('listClusters', params)).body.cluster ?? []).map(({ name }: { name: string }) => name);
  t.same(await found({}), ['cluster', 'arm']);
  t.same(await found({ arch: 'aarch64' }), ['arm']);
  t.same(await found({ hypervisor: 'KVM', arch: 'x86_64' }), ['cluster']);
  t.same(await found({ hypervisor: 'XenServer' }), []);
});
