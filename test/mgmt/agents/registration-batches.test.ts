import t from 'tap';
import { RegistrationBatches } from '../../../src/mgmt/agents/registration-batches.js';
import { HOSTS_A_BATCH } from '../../../src/mgmt/store/store.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { hostDescription } from '../../helpers/host-description.js';
import { MemoryStore } from '../../helpers/memory-store.js';
import { RecordingLog } from '../../helpers/recording-log.js';

async function batches() {
  const store = new MemoryStore();
  const zone = await store.zoneId('default');
  const registrations = new RegistrationBatches(store, new StoreHealth(new RecordingLog()));
  store.calls.length = 0;
  return { store, register: (guid: string) => registrations.register(hostDescription(guid, zone)) };
}

t.test('registration-batches: what comes during a call shares the next ones, in order', async t => {
  const { store, register } = await batches();
  const count = 1 + HOSTS_A_BATCH + 10;
  const hosts = await Promise.all(Array.from({ length: count }, (_, i) => register(`g${i}`)));
  t.same(
    hosts.map(({ host: { id, guid } }) => `${id} ${guid}`),
    Array.from({ length: count }, (_, i) => `${i + 1} g${i}`),
  );
  t.same(store.calls, ['registerHosts', 'registerHosts', 'registerHosts']);
  t.equal((await register('g7')).host.id, 8);
});

t.test('registration-batches: a host that the store refuses does not keep the others out', async t => {
  const { register } = await batches();
  const answers = await Promise.allSettled(['first', 'a', 'b\0', 'c'].map(register));
  t.same(
    answers.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  t.match(answers[2], { reason: { code: 'STORE_VALUE_REFUSED' } });
});

t.test('registration-batches: while the store is away each is told so, and later ones go on', async t => {
  const { store, register } = await batches();
  store.outage = 'STORE_UNAVAILABLE';
  const answers = await Promise.allSettled(['a', 'b', 'c'].map(register));
  t.ok(answers.every(one => one.status === 'rejected' && one.reason.code === 'STORE_UNAVAILABLE'));
  t.equal(store.calls.length, 2, 'the batch is not taken apart');
  store.outage = undefined;
  t.match(await register('a'), { host: { guid: 'a' } });
});
