import t from 'tap';
import { MemoryStore } from '../../../bench/memory-store.js';
import { RegistrationBatches } from '../../../src/mgmt/agents/registration-batches.js';
import { MGMT_LIMITS } from '../../../src/mgmt/config/limits.js';
import { HOSTS_A_BATCH } from '../../../src/mgmt/store/store.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { hostDescription } from '../../helpers/host-description.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { until } from '../../helpers/until.js';

async function batches() {
  const store = new MemoryStore();
  const clock = new FakeClock();
  const zone = await store.zoneId('default');
  const world = { areMoreComing: true };
  const registrations = new RegistrationBatches({
    store,
    clock,
    health: new StoreHealth(new RecordingLog()),
    areMoreComing: () => world.areMoreComing,
  });
  store.calls.length = 0;
  return { store, clock, world, register: (guid: string) => registrations.register(hostDescription(guid, zone)) };
}

t.test('registration-batches: what comes during a call waits for more, and shares the next ones, in order', async t => {
  const { store, clock, register } = await batches();
  const count = 1 + HOSTS_A_BATCH + 10;
  const registering = Promise.all(Array.from({ length: count }, (_, i) => register(`g${i}`)));
  await until(() => store.calls.length === 2 && clock.pending === 1);
  await clock.advance(MGMT_LIMITS.registrationRestMs);
  const hosts = await registering;
  t.same(
    hosts.map(({ host: { id, guid } }) => `${id} ${guid}`),
    Array.from({ length: count }, (_, i) => `${i + 1} g${i}`),
  );
  t.same(store.calls, ['registerHosts', 'registerHosts', 'registerHosts']);
  t.equal((await register('g7')).host.id, 8, 'alone it is written at once');
});

t.test('registration-batches: nothing waits when nothing more is on its way', async t => {
  const { store, clock, world, register } = await batches();
  const first = [register('a'), register('b')];
  await until(() => clock.pending === 1);
  world.areMoreComing = false;
  first.push(register('c'));
  await Promise.all(first);
  t.same(store.calls, ['registerHosts', 'registerHosts'], 'the last one that was on its way ends the wait');
  await Promise.all(['d', 'e', 'f'].map(register));
  t.equal(store.calls.length, 4, 'none is waited for');
  t.equal(clock.pending, 0);
});

t.test('registration-batches: a batch that is full waits for nothing', async t => {
  const { store, clock, register } = await batches();
  const registering = [register('first'), register('second')];
  await until(() => clock.pending === 1);
  for (let i = 1; i < HOSTS_A_BATCH; i++) registering.push(register(`g${i}`));
  await Promise.all(registering);
  t.same(store.calls, ['registerHosts', 'registerHosts']);
});

t.test('registration-batches: a host that the store refuses does not keep the others out', async t => {
  const { world, register } = await batches();
  world.areMoreComing = false;
  const answers = await Promise.allSettled(['first', 'a', 'b\0', 'c'].map(register));
  t.same(
    answers.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  t.match(answers[2], { reason: { code: 'STORE_VALUE_REFUSED' } });
});

t.test('registration-batches: while the store is away each is told so, and later ones go on', async t => {
  const { store, world, register } = await batches();
  world.areMoreComing = false;
  store.outage = 'STORE_UNAVAILABLE';
  const answers = await Promise.allSettled(['a', 'b', 'c'].map(register));
  t.ok(answers.every(one => one.status === 'rejected' && one.reason.code === 'STORE_UNAVAILABLE'));
  t.equal(store.calls.length, 2, 'the batch is not taken apart');
  store.outage = undefined;
  t.match(await register('a'), { host: { guid: 'a' } });
});
