import t, { type Test } from 'tap';
import { builtInResource, type Dialer, Trust, type Wire, withMachineName } from '../../src/agent/index.js';
import { FaultDesk } from '../../src/fleet/faults/fault-desk.js';
import { Fleet } from '../../src/fleet/fleet.js';
import type { FleetNetwork } from '../../src/fleet/network/fleet-network.js';
import { Reporter } from '../../src/fleet/reporter.js';
import { readSettings } from '../../src/fleet/settings.js';
import { memoryDisk } from '../../src/lib/files/memory-disk.js';
import { PingRoutingCommand, StartupRoutingCommand, secureContext } from '../../src/protocol/index.js';
import { FakeClock, settle } from '../../src/testing/fake-clock.js';
import { FakeNetwork, FakeServer } from '../../src/testing/fake-server.js';
import { passes } from '../helpers/agent-bench.js';
import { plainCertificate } from '../helpers/certificates.js';
import { RecordingLog } from '../helpers/recording-log.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { until } from '../helpers/until.js';

const context = secureContext(await plainCertificate());

/** A network in memory, with one wire for each dial of an agent. */
class MemoryNetwork implements FleetNetwork {
  readonly proxies = undefined;
  readonly held = new Set<number>();
  readonly #network: FakeNetwork;
  readonly #wires = new Map<number, Wire[]>();

  constructor(network: FakeNetwork) {
    this.#network = network;
  }

  dialerOf(agent: number): Dialer {
    return {
      addresses: host => this.#network.addresses(host),
      connect: async (address, port, signal) => {
        const wire = await this.#network.connect(address, port, signal);
        this.#wires.set(agent, [...(this.#wires.get(agent) ?? []), wire]);
        return wire;
      },
    };
  }

  reset(agent: number): void {
    for (const wire of this.#wires.get(agent) ?? []) wire.destroy();
  }

  hold(agent: number, isHeld: boolean): void {
    if (isHeld) this.held.add(agent);
    else this.held.delete(agent);
  }

  slow(): void {}
  async close(): Promise<void> {}
}

/** A fleet with two servers, on a clock that stands still. */
async function bench(t: Test, values: Readonly<Record<string, string>>) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const random = seededRandom(1);
  const [a, b] = [new FakeServer('10.0.0.1', context, 1001n), new FakeServer('10.0.0.2', context, 1002n)];
  const network = new MemoryNetwork(new FakeNetwork([a, b], { a: a.address, b: b.address }, clock));
  const settings = readSettings(new Map(Object.entries({ host: 'a,b', 'failover.spread.ms': '0', ...values })));
  const disk = memoryDisk();
  await disk.makeFolder('memory');
  const trust = new Trust({ folder: 'memory', disk, clock, log });
  const shared = builtInResource('R');
  const fleet = await Fleet.open({
    ...{ settings, folder: 'memory', disk, trust, network, clock, random, log },
    resourceOf: (_agent, guid) => withMachineName(shared, guid),
  });
  t.teardown(() => fleet.stop());
  const desk = new FaultDesk({ fleet, network, clock, random, log });
  const { ledger } = fleet;
  const reporter = new Reporter({ ledger, clock, log, intervalMs: settings.reportIntervalMs, isLogged: true });
  const ready = (server: FakeServer) => server.ready.length;
  return { a, b, clock, log, fleet, desk, ledger, reporter, network, ready };
}

/** The guids that have registered with a server, in their order. */
const guidsOn = (server: FakeServer) =>
  server.links.flatMap(link => link.of(StartupRoutingCommand).map(({ messages }) => messages[0]?.fields.name));

t.test('fleet: agents start at the rate of the ramp, once the first is Ready, and the figures say so', async t => {
  const { a, clock, log, fleet, reporter, ledger } = await bench(t, { agents: '6', ramp: '2/s' });
  fleet.start();
  reporter.start();
  await until(() => ledger.readyCount === 1);
  await passes(clock, () => ledger.readyCount === 2, 500);
  t.equal(clock.now(), 500, 'the second, half a second behind the first');
  await clock.advance(1_499);
  await until(() => ledger.readyCount === 4);
  t.match(ledger.census, { notReady: 0, away: 2 });
  await clock.advance(501);
  await until(() => ledger.readyCount === 6);
  t.strictSame(
    guidsOn(a),
    [1, 2, 3, 4, 5, 6].map(number => `fleet-${number}`),
  );
  await clock.advance(1_000);
  t.match(log.fieldsOf('info Agents'), { ready: 6, notReady: 0, linksLost: 0, hosts: ['a=6'], readyMaxMs: 0 });
  t.match(reporter.status(), { agents: 6, measured: { connects: 6, toReady: { count: 6 } } });
  t.ok(reporter.samples.length >= 3);
});

t.test('fleet: a process that is busy does not catch up with the ramp, and says so once', async t => {
  const { a, clock, log, fleet, ledger, ready } = await bench(t, { agents: '50', ramp: '10/s' });
  fleet.start();
  await until(() => ready(a) === 1);
  await clock.advance(400);
  await until(() => ready(a) === 5);
  for (let i = 0; i < 3; i++) {
    clock.stall(1_000);
    await clock.advance(0);
  }
  await until(() => ready(a) === 8);
  t.equal(ledger.census.away, 42, 'not the 35 that were due meanwhile');
  t.equal(log.count('warn This process is busy'), 1);
  await clock.advance(1_000);
  await until(() => ready(a) >= 17);
  t.ok(ready(a) <= 19);
  t.equal(
    ledger.measured(clock.now()).rampHeldMs,
    2_675,
    'of 3,000 ms, 100 for each wait at most, and 25 each for being late',
  );
});

t.test('fleet: without a server the others wait two seconds for the first, and all are without a link', async t => {
  const { a, b, clock, fleet, ledger } = await bench(t, { agents: '3' });
  a.behaviour = 'refuse';
  b.behaviour = 'refuse';
  fleet.start();
  await clock.advance(1_999);
  t.match(ledger.census, { notReady: 1, away: 2 });
  await clock.advance(1);
  t.match(ledger.census, { notReady: 3, away: 0 });
  t.match(ledger.measured(clock.now()).toReady, { count: 3, p50Ms: Number.POSITIVE_INFINITY });
  a.behaviour = 'accept';
  await passes(clock, () => ledger.readyCount === 3, 60_000);
  t.equal(ledger.readyCount, 3);
});

t.test('fleet: a lost link is counted, its gap measured, and each of both is a line when that is wanted', async t => {
  const { a, b, clock, log, fleet, ledger, ready } = await bench(t, { agents: '3', 'report.links': 'true' });
  fleet.start();
  await until(() => ready(a) === 3);
  await clock.advance(6_000);
  a.die();
  await passes(clock, () => ready(b) === 3, 5_000);
  await until(() => ledger.readyCount === 3);
  t.match(ledger.measured(clock.now()), { linksLost: 3, connects: 6, gap: { count: 3 } });
  const linesOf = (text: string) =>
    log.entries
      .filter(({ level, message }) => level !== 'debug' && message.startsWith(text))
      .map(({ fields }) => fields);
  t.strictSame(
    linesOf('Lost connection to host: a')
      .map(({ agent }) => agent)
      .sort(),
    ['fleet-1', 'fleet-2', 'fleet-3'],
    'of each agent one',
  );
  t.equal(linesOf('Connected to the host: b').length, 3);
});

t.test(
  'fleet: a killed link comes back, a frozen agent says nothing, and one that restarts is the same host',
  async t => {
    const { a, b, clock, fleet, desk, ledger, network, ready } = await bench(t, { agents: '3', 'ping.interval': '5' });
    fleet.start();
    await until(() => ready(a) === 3);
    const pings = () => a.links.map(link => link.of(PingRoutingCommand).length);
    await clock.advance(5_000);
    await until(() => pings().every(count => count === 1), 'the interval is that of the settings, not of the server');

    desk.command('freeze fleet-2 for 7s');
    t.strictSame([...network.held], [2]);
    await clock.advance(6_000);
    t.strictSame(pings().toSorted(), [1, 2, 2]);
    // One that notices that it stood still reads first what has come.
    await clock.advance(1_001);
    await until(() => pings().every(count => count === 2), 'it goes on');
    t.strictSame([...network.held], []);

    desk.command('kill fleet-3');
    await passes(clock, () => ledger.census.linksLost === 1 && ledger.readyCount === 3, 60_000);
    t.strictSame([ready(a), ready(b)], [2, 1], 'it has gone on in its list');

    const before = a.links.length;
    desk.command('restart fleet-1 for 4s');
    await until(() => ready(a) === 1);
    t.match(ledger.census, { notReady: 0, away: 1, linksLost: 1 }, 'that is no loss');
    await clock.advance(3_999);
    t.equal(a.links.length, before);
    await clock.advance(1);
    await until(() => ready(a) === 2);
    const [startup] = a.last.of(StartupRoutingCommand);
    t.match(startup?.messages[0]?.fields, { name: 'fleet-1', id: 7 }, 'with the id that it was given before');
  },
);

t.test('fleet: agents restart at the rate of the churn, once all have started', async t => {
  const { a, clock, fleet, ledger, ready } = await bench(t, { agents: '4', churn: '1/s', 'churn.away': '500ms' });
  fleet.start();
  await until(() => ready(a) === 4);
  for (let second = 1; second <= 5; second++) {
    await clock.advance(1_000 * second - clock.now());
    await until(() => ready(a) === 3);
    t.match(ledger.census, { notReady: 0, away: 1, linksLost: 0 });
    await clock.advance(500);
    await until(() => ready(a) === 4 && ledger.readyCount === 4);
  }
  t.equal(ledger.measured(clock.now()).connects, 9);
});

t.test('fleet: a stop in the ramp starts no more agents, tells the server of each, and leaves no timer', async t => {
  const { a, clock, fleet, desk, reporter, ready } = await bench(t, { agents: '50', ramp: '10/s', churn: '1/s' });
  fleet.start();
  reporter.start();
  await until(() => ready(a) === 1);
  await clock.advance(400);
  await until(() => ready(a) === 5);
  reporter.stop();
  desk.stop();
  await fleet.stop();
  await until(() => a.links.every(({ closed }) => closed !== undefined));
  await settle();
  t.equal(a.links.length, 5);
  // The links have a time for their FINs.
  await clock.advance(10_000);
  t.equal(clock.pending, 0);
  t.equal(a.links.length, 5);
});
