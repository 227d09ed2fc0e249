import t from 'tap';
import { MemoryStore } from '../../../bench/memory-store.js';
import { silentLog } from '../../../src/lib/logger.js';
import { NetworkAllowance } from '../../../src/mgmt/agents/network-allowance.js';
import { Registrar } from '../../../src/mgmt/agents/registrar.js';
import { KnownHosts } from '../../../src/mgmt/hosts/known-hosts.js';
import type { HostDescription } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { hostDescription } from '../../helpers/host-description.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { testServer } from '../../helpers/test-server.js';

const HERE = '192.0.2.50';

async function bench(perHour = 3) {
  const clock = new FakeClock();
  const store = new MemoryStore();
  const written: (string | null)[] = [];
  const { registerHosts } = store;
  store.registerHosts = batch => {
    written.push(...batch.map(({ pod }) => pod));
    return registerHosts.call(store, batch);
  };
  const log = new RecordingLog();
  const knownHosts = new KnownHosts(store, () => {});
  const state = { perHour };
  const registrar = new Registrar({
    store,
    health: new StoreHealth(silentLog),
    knownHosts,
    clock,
    stopping: new AbortController().signal,
    log,
    areMoreComing: () => false,
    newHostsPerHour: () => state.perHour,
    onReturned() {},
  });
  const zoneId = await store.zoneId('default');
  /** 'registered', or why not. */
  const register = (guid: string, { address = HERE, ...more }: Partial<HostDescription> & { address?: string } = {}) =>
    registrar.register(hostDescription(guid, zoneId, more), address).then(
      host => (host === undefined ? 'no store' : 'registered'),
      (error: Error) => error.message,
    );
  return { clock, store, log, registrar, state, written, register };
}

const TOO_MANY = /^agents of .* have registered too many new hosts$/;

t.test('registrar: an address makes so many new rows in an hour; another one is not concerned', async t => {
  const { register, clock, store, log } = await bench();
  // The first makes the rows of its pod and cluster too.
  t.same([await register('a'), await register('b')], ['registered', 'registered']);
  t.match(await register('c'), TOO_MANY);
  t.match(await register('d'), TOO_MANY);
  t.equal(store.data.hosts.size, 2, 'nothing was written');
  t.equal(await register('c', { address: '192.0.2.51' }), 'registered');
  t.equal(log.entries.filter(({ level }) => level === 'warn').length, 1, 'told once');
  await clock.advance(20 * 60_000);
  t.equal(await register('d'), 'registered', 'a third of an hour, a third of the rows');
  t.match(await register('e'), TOO_MANY);
});

t.test('registrar: a known host is never held back', async t => {
  const { register, registrar } = await bench();
  await register('a');
  await register('b');
  t.match(await register('c'), TOO_MANY);
  for (let i = 0; i < 10; i++) t.equal(await register('a'), 'registered');
  registrar.forget(1);
  t.match(await register('a'), TOO_MANY, 'it was removed, and would need a new row');
});

t.test('registrar: names of pods and clusters are new rows too; a known host registers without them', async t => {
  const { register, written } = await bench(4);
  for (const name of ['p0', 'p1', 'p2', 'p3', 'p1']) {
    t.equal(await register('a', { pod: name, cluster: name }), 'registered');
  }
  t.same(written, ['p0', 'p1', 'p2', 'p1'], 'p3 would have been one too many');
});

t.test('registrar: what was not written does not count; 0 is no bound', async t => {
  const { register, clock, store, state } = await bench(2);
  const { registerHosts } = store;
  store.registerHosts = async () => {
    throw new StoreError('STORE_UNAVAILABLE', 'away');
  };
  for (let i = 0; i < 5; i++) {
    const outcome = register('a');
    await clock.advance(30_000);
    t.equal(await outcome, 'no store');
  }
  store.registerHosts = registerHosts;
  t.equal(await register('a'), 'registered');
  t.match(await register('b'), TOO_MANY);
  state.perHour = 0;
  t.equal(await register('b'), 'registered');
});

t.test('registrar: it keeps an account of 10,000 addresses at most', async t => {
  const allowance = new NetworkAllowance();
  const at = { now: 0, perHour: 1 };
  for (let i = 0; i <= 10_000; i++) allowance.take(`n${i}`, 1, at);
  t.notOk(allowance.take('n10000', 1, at));
  t.ok(allowance.take('n0', 1, at), 'the one that was heard of first is forgotten');
});

t.test(
  'registrar: an agent that may not register is not refused, since a CloudStack agent would exit: its link closes',
  async t => {
    const { agent, lines } = await testServer({ configuration: { 'agent.new.hosts.per.address': '2' } });
    const known = agent();
    await known.join();
    const stranger = agent();
    stranger.startup({ guid: 'guid-2' });
    await t.rejects(stranger.receive(), /closed the link/);
    t.same(stranger.received, []);
    const warnings = lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    t.match(warnings, [/agents that are not known must wait/]);
    await agent().join();
  },
);
