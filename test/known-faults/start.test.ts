import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../src/lib/logger.js';
import type { LinkStatus } from '../../src/mgmt/hosts/link-status.js';
import { LinkStatusWriter } from '../../src/mgmt/hosts/link-status-writer.js';
import { openStore } from '../../src/mgmt/open-store.js';
import { StoreHealth } from '../../src/mgmt/store/store-health.js';
import { turns } from '../helpers/agent-bench.js';
import { reassign } from '../helpers/assign.js';
import { ClusterNode, startCluster } from '../helpers/cluster-bench.js';
import { FakeClock, settle } from '../helpers/fake-clock.js';
import { factsOf } from '../helpers/host-facts.js';
import { knownFault } from '../helpers/known-fault.js';
import { registerHost } from '../helpers/one-host.js';
import { scratchFolder } from '../helpers/scratch.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { fails, StoreFaults } from '../helpers/store-faults.js';
import { testServer } from '../helpers/test-server.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('regression: start: a server whose start fails behind its claim does not stand Up', async t => {
  const cluster = await startCluster(t, [A]);
  const node = await ClusterNode.make(cluster, B);
  node.faults.before = fails('failJobsOfServer', 1_000, 'STORE_FAILED');
  await t.rejects(cluster.passes(node.start()), { code: 'STORE_FAILED' });
  t.match(await cluster.row(B), { state: 'Down' });
});

knownFault(t, 'start: what changes while a server reads all hosts at its start is not missed', async t => {
  const clock = new FakeClock();
  const folder = scratchFolder('muster-store-');
  const store = await openStore(`sqlite:${join(folder, 'muster.db')}`, {
    thread: 'same',
    clock,
    random: seededRandom(1),
    log: silentLog,
  });
  t.teardown(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  await store.initialiseConfiguration(
    new Map([
      ['host', `${A},${B}`],
      ['indirect.agent.lb.algorithm', 'rendezvous'],
    ]),
  );
  const { host } = await registerHost(store, factsOf('g1', await store.zoneId('default')));
  await reassign(store, [{ id: host.id, preferred: A }]);
  const faults = new StoreFaults();
  let isFirst = true;
  // There are 500,000 other hosts to be read.
  faults.after = async call => {
    if (call !== 'hosts' || !isFirst) return;
    isFirst = false;
    clock.stall(1_000);
    await reassign(store, [{ id: host.id, preferred: B }]);
    clock.stall(12_000);
  };
  const server = await testServer({ clock, realStore: faults.over(store) });
  for (let i = 0; i < 20; i++) {
    await clock.advance(2_000);
    await turns(80);
  }
  t.equal(server.lists.listFor(host).hosts[0], B, 'as the row says');
});

knownFault(
  t,
  'stop: the writer of the status of links that is stopped in the midst of a write leaves no timer',
  async t => {
    const clock = new FakeClock();
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const fact: LinkStatus = {
      hostId: 1,
      since: 5,
      lastPing: 1,
      roundTripMs: undefined,
      failovers: undefined,
      lastLoss: undefined,
      lag: undefined,
    };
    const env = { clock, log: silentLog, health: new StoreHealth(silentLog), msid: 1 };
    const writer = new LinkStatusWriter({ putLinkStatus: () => held }, env, () => [fact]);
    writer.start();
    await clock.advance(5_000);
    writer.stop();
    release();
    await settle();
    t.equal(clock.pending, 0);
  },
);
