import t from 'tap';
import { systemRandom } from '../../src/lib/random.js';
import type { Sample } from '../../src/metrics/meters.js';
import { type ObservedServer, observeServers } from '../../src/mgmt/cluster/observed-servers.js';
import { newCa } from '../../src/mgmt/security/new-ca.js';
import { ServerReadings } from '../../src/mgmt/server-readings.js';
import { SetupMSListAnswer } from '../../src/protocol/index.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { obeys } from '../helpers/obedient-agent.js';
import { serverRow } from '../helpers/server-row.js';
import { MSID, testServer } from '../helpers/test-server.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
const ca = await newCa({ clock: new FakeClock(), random: systemRandom });

/** What has another value than 0, by its label. */
function shown(samples: readonly Sample<Readonly<Record<string, string>>>[]): Readonly<Record<string, number>> {
  const values = samples.map(({ labels, value }) => [Object.values(labels).join(), value] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== 0));
}

async function bench(servers: readonly ObservedServer[] = [], configuration: Readonly<Record<string, string>> = {}) {
  const server = await testServer({ configuration });
  const drains = {};
  const readings = new ServerReadings({
    clock: server.clock,
    msid: MSID,
    address: A,
    agents: server,
    membership: { servers, canTakeAgents: address => servers.some(({ serviceIp }) => serviceIp === address) },
    drains,
    sender: { underWay: 0 },
    health: { away: false },
    ca,
    certificateEnds: () => undefined,
    isReady: () => true,
  });
  return { ...server, readings };
}

t.test('readings: an agent that refuses its list is behind, by as many generations as there were since', async t => {
  const { readings, agent, store, clock } = await bench();
  const one = agent();
  await one.join({ guid: 'g1' });
  const obedience = obeys(one, () => SetupMSListAnswer.encode({ result: false, details: 'not I' }));
  t.same(shown((await readings.read()).behind), {});
  await store.setConfiguration('host', `${B},${A}`);
  await clock.advance(2_000);
  t.same(shown((await readings.read()).behind), { 1: 1 });
  await store.setConfiguration('host', `${C},${A}`);
  await store.setConfiguration('host', `${C},${B},${A}`);
  await clock.advance(2_000);
  t.same(shown((await readings.read()).behind), { '2-9': 1 });
  t.same((await readings.read()).propagating, [{ labels: {}, value: 1 }], 'it will be told again');
  obedience.reply = () => SetupMSListAnswer.encode({ result: true });
  await clock.advance(120_000);
  const after = await readings.read();
  t.same([shown(after.behind), shown(after.propagating)], [{}, {}]);
});

t.test('readings: a server that was installed anew has one series with its former row', async t => {
  const input = { ownMsid: MSID, elapsedMs: 1_500, intervalMs: 1_500, thresholdMs: 150_000 };
  const rows = [serverRow(MSID, A), serverRow(7, B, { state: 'Down', runId: null }), serverRow(8, B)];
  const before = observeServers([], { ...input, rows: rows.map(row => ({ ...row, beat: row.beat - 1 })) });
  const { readings } = await bench(observeServers(before, { ...input, rows }));
  const { canTakeAgents, agentsOfServer } = await readings.read();
  t.same(shown(canTakeAgents), { [A]: 1, [B]: 1 });
  t.equal(agentsOfServer.length, 2);
});

t.test('readings: survivability is computed once in 10 s, and not at all while the capacity is not known', async t => {
  const input = { ownMsid: MSID, elapsedMs: 1_500, intervalMs: 1_500, thresholdMs: 150_000 };
  const servers = observeServers([], { ...input, rows: [serverRow(MSID, A), serverRow(8, B)] });
  const { readings, agent, store, clock } = await bench(servers);
  t.same((await readings.read()).survivor, []);
  await store.setConfiguration('agents.capacity', '4');
  await clock.advance(2_000);
  t.same((await readings.read()).survivor, [{ labels: {}, value: 0 }]);
  await agent().join({ guid: 'g1' });
  t.same((await readings.read()).survivor, [{ labels: {}, value: 0 }], 'within 10 s it is as it was');
  await clock.advance(10_000);
  t.same((await readings.read()).survivor, [{ labels: {}, value: 0.25 }]);
});

t.test('readings: connections are counted by how far they are', async t => {
  const { readings, agent } = await bench();
  agent();
  const { strangers, strangersAtMost, connectionRate, connections } = await readings.read();
  t.same([strangers[0]?.value, strangersAtMost[0]?.value, connectionRate[0]?.value], [1, 8192, 200]);
  t.same(shown(connections), { new: 1 });
});
