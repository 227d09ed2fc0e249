import t from 'tap';
import { builtInResource } from '../../../src/agent/resources/built-in.js';
import { HostStats, type HostStatsSources, systemSources } from '../../../src/agent/resources/host-stats.js';
import { GetHostStatsAnswer, GetHostStatsCommand, type Message } from '../../../src/protocol/index.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';

const GB = 2 ** 30;

/** A machine whose counters a test sets. */
function machine() {
  const counters = { busyMs: 1e6, totalMs: 4e6, readBytes: 1e9, writtenBytes: 2e9 };
  const sources: HostStatsSources = {
    cpu: () => ({ busyMs: counters.busyMs, totalMs: counters.totalMs }),
    averageLoad: () => 1.234_56,
    memory: () => ({ totalBytes: 8 * GB, freeBytes: 3 * GB }),
    network: () => ({ readBytes: counters.readBytes, writtenBytes: counters.writtenBytes }),
  };
  const goOn = (busyMs: number, totalMs: number, readBytes = 0, writtenBytes = 0) => {
    counters.busyMs += busyMs;
    counters.totalMs += totalMs;
    counters.readBytes += readBytes;
    counters.writtenBytes += writtenBytes;
  };
  return { sources, goOn };
}

t.test('host stats: the first time over the second that follows, then since the last time', async t => {
  const { sources, goOn } = machine();
  const clock = new FakeClock();
  const stats = new HostStats(sources, clock);
  const first = stats.read();
  const beside = stats.read();
  await settle();
  goOn(500, 4_000, 1024 * 100, 1024 * 50);
  await clock.advance(1_000);
  const memory = { averageLoad: 1.23, totalMemoryKBs: 8 * 2 ** 20, freeMemoryKBs: 3 * 2 ** 20 };
  t.same(await first, { cpuUtilization: 12.5, networkReadKBs: 100, networkWriteKBs: 50, ...memory });
  t.same(await beside, await first, 'what is asked at the same time is measured once');
  goOn(4_000, 4_000);
  await clock.advance(500);
  t.equal((await stats.read()).cpuUtilization, 12.5, 'half a second says too little');
  goOn(0, 76_000, 1024 * 10);
  await clock.advance(19_500);
  t.match(await stats.read(), { cpuUtilization: 5, networkReadKBs: 0.5, networkWriteKBs: 0 });
  await clock.advance(3_600_000);
  const later = stats.read();
  await settle();
  goOn(1_000, 4_000);
  await clock.advance(1_000);
  t.equal((await later).cpuUtilization, 25, 'an hour says too little about now');
  t.equal(clock.pending, 0);
});

t.test('host stats: counters that begin again, or stand still, are no figures', async t => {
  const { sources, goOn } = machine();
  const clock = new FakeClock();
  const stats = new HostStats(sources, clock);
  const first = stats.read();
  await settle();
  goOn(-500, -4_000, -5_000, -5_000);
  await clock.advance(1_000);
  t.match(await first, { cpuUtilization: 0, networkReadKBs: 0, networkWriteKBs: 0 });
  await clock.advance(2_000);
  t.match(await stats.read(), { cpuUtilization: 0 });
  const silent = new HostStats({ ...sources, network: () => undefined }, clock);
  const read = silent.read();
  await settle();
  await clock.advance(1_000);
  t.match(await read, { networkReadKBs: 0, networkWriteKBs: 0 });
});

const DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 9999      10    0    0    0     0          0         0     9999      10    0    0    0     0       0          0
  eth0: 1000      10    0    0    0     0          0         0     2000      10    0    0    0     0       0          0
  eth1:30         10    0    0    0     0          0         0       40      10    0    0    0     0       0          0
   br0: 1030      10    0    0    0     0          0         0     2040      10    0    0    0     0       0          0
`;

t.test('host stats: of the network, cards are counted, and not what leads to them', async t => {
  const files = (cards: readonly string[]) => ({
    read: () => DEV,
    exists: (path: string) => cards.some(card => path === `/sys/class/net/${card}/device`),
  });
  t.same(systemSources(files(['eth0', 'eth1'])).network(), { readBytes: 1030, writtenBytes: 2040 });
  t.same(systemSources(files([])).network(), { readBytes: 2060, writtenBytes: 4080 }, 'without a card all but lo');
  const none = {
    read(): string {
      throw new Error('ENOENT');
    },
    exists: () => false,
  };
  t.equal(systemSources(none).network(), undefined);
});

t.test('host stats: this machine has some', async t => {
  const sources = systemSources();
  const { busyMs, totalMs } = sources.cpu();
  t.ok(totalMs > 0 && busyMs >= 0 && busyMs <= totalMs);
  const { totalBytes, freeBytes } = sources.memory();
  t.ok(totalBytes > freeBytes && freeBytes > 0);
  t.ok(sources.averageLoad() >= 0);
});

t.test('host stats: the built-in resource answers GetHostStatsCommand', async t => {
  const { sources, goOn } = machine();
  const clock = new FakeClock();
  const resource = builtInResource('R', { sources, clock });
  const context = { signal: new AbortController().signal, id: undefined, progress() {} };
  const answer = resource.answer(GetHostStatsCommand.encode({ hostId: 7, hostGuid: 'g' }), context);
  await settle();
  goOn(2_000, 4_000);
  await clock.advance(1_000);
  const decoded = GetHostStatsAnswer.decode((await answer) as Message);
  t.match(decoded, {
    result: true,
    hostStats: { hostId: 7, entityType: 'host', cpuUtilization: 50, totalMemoryKBs: 8 * 2 ** 20 },
  });
  t.equal(await resource.answer({ type: 'com.example.Other', fields: {} }, context), undefined);
});
