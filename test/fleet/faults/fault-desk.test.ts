import t from 'tap';
import { FaultDesk } from '../../../src/fleet/faults/fault-desk.js';
import { parseSchedule } from '../../../src/fleet/faults/schedule.js';
import type { FleetNetwork } from '../../../src/fleet/network/fleet-network.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { seededRandom } from '../../helpers/seeded-random.js';

function desk({ hasProxies = false, running = [1, 2, 3, 4] }: { hasProxies?: boolean; running?: number[] } = {}) {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const done: string[] = [];
  const network: FleetNetwork = {
    dialerOf: () => {
      throw new Error('nobody dials');
    },
    reset: agent => done.push(`reset ${agent}`),
    hold: () => {},
    slow: (agent, rate) => done.push(`slow ${agent} ${rate}`),
    proxies: hasProxies
      ? {
          servers: ['a', 'b'],
          setFaults: faultsOf => done.push(`a ${JSON.stringify(faultsOf('a'))} b ${JSON.stringify(faultsOf('b'))}`),
          cut: server => done.push(`cut ${server ?? 'all'}`),
        }
      : undefined,
    close: async () => {},
  };
  const fleet = {
    running,
    guidOf: (agent: number) => `g-${agent}`,
    halt: (agent: number, isHalted: boolean) => done.push(`halt ${agent} ${isHalted}`),
    restart: (agent: number, awayMs: number) => done.push(`restart ${agent} ${awayMs}`),
  };
  return {
    desk: new FaultDesk({ fleet, network, clock, random: seededRandom(1), log }),
    ...{ clock, log, running },
    /** What was done since the last look. */
    done: () => done.splice(0).filter(text => !/undefined$/.test(text)),
  };
}

t.test('fault desk: links are killed and agents restarted at once, and all of it is recorded', async t => {
  const { desk: faults, done, clock } = desk();
  t.equal(faults.command('kill all'), 'to 4 agents');
  t.strictSame(done().sort(), ['reset 1', 'reset 2', 'reset 3', 'reset 4']);
  await clock.advance(1_000);
  t.equal(faults.command(' restart g-3 for 2s '), 'to g-3');
  t.strictSame(done(), ['restart 3 2000']);
  t.match(faults.records, [
    { atMs: 0, forMs: 0, text: 'kill all', agents: 4 },
    { atMs: 1_000, forMs: 2_000, text: 'restart g-3 for 2s', agents: 1 },
  ]);
  t.equal(clock.pending, 0);
});

t.test(
  'fault desk: a fault that lasts ends in its time, and the agent is well when the last of its faults ends',
  async t => {
    const { desk: faults, done, clock } = desk();
    faults.command('freeze g-1 for 10s');
    t.strictSame(done(), ['halt 1 true']);
    await clock.advance(4_000);
    faults.command('freeze g-1 for 2s');
    faults.command('slow g-1 to 1kB/s for 3s');
    t.strictSame(done(), ['halt 1 true', 'slow 1 1000', 'halt 1 true']);
    await clock.advance(2_000);
    t.strictSame(done(), ['slow 1 1000', 'halt 1 true'], 'the first one lasts still');
    await clock.advance(1_000);
    t.strictSame(done(), ['halt 1 true']);
    await clock.advance(3_000);
    t.strictSame(done(), ['halt 1 false']);
    t.equal(clock.pending, 0);
  },
);

t.test('fault desk: what lasts is healed on command, and when it stops', async t => {
  const { desk: faults, done, clock } = desk({ hasProxies: true });
  faults.command('freeze g-1 for 10s');
  faults.command('stall a for 10s');
  done();
  t.equal(faults.heal(), 2);
  t.strictSame(done(), ['halt 1 false', 'a {"silent":"both"} b {}', 'a {} b {}']);
  t.equal(faults.heal(), 0);
  faults.command('freeze g-1 for 10s');
  faults.follow(parseSchedule('at 1h cut'));
  done();
  faults.stop();
  t.strictSame(done(), ['halt 1 false', 'a {} b {}']);
  t.equal(clock.pending, 0);
});

t.test('fault desk: proxies are cut, stalled and delayed, if there are any', async t => {
  const { desk: faults, done, clock } = desk({ hasProxies: true });
  t.equal(faults.command('cut'), 'to connections to all servers');
  t.equal(faults.command('delay b by 200ms for 1s'), 'to connections to b');
  t.strictSame(done(), ['cut all', 'a {} b {"delayMs":200}']);
  await clock.advance(1_000);
  t.strictSame(done(), ['a {} b {}']);
  const without = desk();
  t.throws(() => without.desk.command('cut'), { name: 'FaultError', message: /^cut needs the proxies: .* proxy=true/ });
});

t.test('regression: fault desk: a fault for a server that nobody has dialled is warned about', async t => {
  const { desk: faults, log, clock } = desk({ hasProxies: true });
  faults.command('cut a');
  t.equal(log.count('warn A fault is for a server'), 0);
  faults.command('cut 9.9.9.9');
  t.match(log.fieldsOf('warn A fault is for a server'), { fault: 'cut 9.9.9.9', servers: ['a', 'b'] });
  t.equal(clock.pending, 0);
});

t.test('fault desk: a schedule is followed and logged; what cannot be done is said, and the rest goes on', async t => {
  const { desk: faults, done, clock, log } = desk();
  faults.follow(parseSchedule('at 1s kill nobody\nevery 2s kill g-2\nat 5s freeze 100% for 1s'));
  await clock.advance(999);
  t.strictSame(done(), []);
  await clock.advance(1);
  t.match(log.fieldsOf('warn A fault cannot be done'), { fault: 'kill nobody', reason: /no agent that runs/ });
  await clock.advance(3_500);
  t.strictSame(done(), ['reset 2', 'reset 2']);
  t.match(log.fieldsOf('info Fault'), { fault: 'kill g-2', done: 'to g-2' });
  await clock.advance(500);
  t.equal(done().filter(text => /^halt \d true$/.test(text)).length, 4);
  faults.stop();
});

t.test('fault desk: without agents that run nothing happens, and what is no fault is an error', async t => {
  const { desk: faults, done } = desk({ running: [] });
  t.equal(faults.command('kill 10%'), 'to no agent');
  t.throws(() => faults.command('kill g-1'), { name: 'FaultError', message: /no agent that runs is called g-1/ });
  t.throws(() => faults.command('kil 10%'), { name: 'FaultError' });
  t.strictSame(done(), []);
  t.strictSame(faults.records, []);
});
