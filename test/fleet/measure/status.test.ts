import t from 'tap';
import { type Status, statusLine } from '../../../src/fleet/measure/status.js';

const STATUS: Status = {
  agents: 200,
  perSecond: 49.6,
  census: {
    ready: new Map([
      ['10.0.0.1', 60],
      ['10.0.0.2', 40],
    ]),
    notReady: 20,
    away: 80,
    linksLost: 2,
  },
  measured: {
    ...{ dials: { count: 110, mostInASecond: 60 }, connects: 102, moves: 0, linksLost: 2, connectsPerSecond: 50 },
    toReady: { count: 120, p50Ms: 200, p99Ms: 1_500, maxMs: Number.POSITIVE_INFINITY },
    gap: { count: 2, p50Ms: 300, p99Ms: 400, maxMs: 400 },
    rampHeldMs: 0,
  },
};

t.test('status: a bar, and as much as fits behind it', async t => {
  const whole =
    '[##########..........] 100/200 Ready  50/s  to Ready p50 200 ms p99 1.50 s max -  lost 2  ' +
    'gap p50 300 ms p99 400 ms max 400 ms  10.0.0.1=60 10.0.0.2=40';
  t.equal(statusLine(STATUS, Number.POSITIVE_INFINITY), whole);
  const tooLong = Array.from({ length: 200 }, (_, columns) => columns).filter(
    columns => statusLine(STATUS, columns).length > columns,
  );
  t.strictSame(tooLong, []);
  t.equal(statusLine(STATUS, 80), '[##########..........] 100/200 Ready  50/s  to Ready p50 200 ms p99 1.50 s max -');
  t.equal(statusLine(STATUS, 56), '100/200 Ready  50/s  to Ready p50 200 ms p99 1.50 s');
  t.equal(statusLine(STATUS, 20), '100/200 Ready');
  const most = {
    ...STATUS,
    perSecond: 1_500,
    agents: 50_000,
    census: { ...STATUS.census, ready: new Map([['10.0.0.1', 50_000]]) },
  };
  // With a prompt the line has 56 of 80 columns.
  t.equal(statusLine(most, 56), '50000/50000 Ready  to Ready p50 200 ms p99 1.50 s');
  const { toReady: _, gap: __, ...begun } = STATUS.measured;
  const none = { ...begun, toReady: undefined, gap: undefined, linksLost: 0 };
  const census = { ...STATUS.census, ready: new Map() };
  t.equal(statusLine({ ...STATUS, census, measured: none }, 200), '[....................] 0/200 Ready  50/s');
  const never = { count: 200, p50Ms: Number.POSITIVE_INFINITY, p99Ms: Number.POSITIVE_INFINITY };
  const waiting = { ...none, toReady: { ...never, maxMs: Number.POSITIVE_INFINITY } };
  t.equal(statusLine({ ...STATUS, census, measured: waiting }, 200), '[....................] 0/200 Ready  50/s');
  for (const [perSecond, text] of [
    [0, '0/s'],
    [0.333, '0.3/s'],
    [10.4, '10/s'],
  ] as const) {
    t.match(statusLine({ ...STATUS, perSecond, census, measured: none }, 200), `Ready  ${text}`);
  }
});
