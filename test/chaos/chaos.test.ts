import t from 'tap';
import { plotOf } from '../../src/fleet/measure/plot.js';
import { type FootprintSample, footprintsOf, sampleOf } from './footprint.js';
import { type Gap, type GapEvent, GapLedger, summaryOf } from './gaps.js';
import { FAULT_KINDS, nameOf, plan, type Shape } from './plan.js';
import { wayBackMs } from './way-back.js';

const SHAPE: Shape = {
  forMs: 600_000,
  servers: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
  processes: 5,
  databases: 3,
  hasStoreDisk: true,
  kinds: FAULT_KINDS,
};

t.test('plan: the same seed gives the same plan, another seed another one', async t => {
  t.strictSame(plan(7, SHAPE), plan(7, SHAPE));
  t.notSame(plan(7, SHAPE), plan(8, SHAPE));
});

t.test('plan: every kind comes, in the order of time, and ends in time', async t => {
  const planned = plan(1, SHAPE);
  t.strictSame(new Set(planned.map(({ fault }) => fault.kind)), new Set(FAULT_KINDS));
  t.strictSame(
    planned,
    planned.toSorted((one, other) => one.at - other.at),
  );
  t.ok(planned.every(({ at, ms }) => at + ms <= SHAPE.forMs));
});

t.test('plan: one fault happens to a target at a time, and one server has none, in 100 plans', async t => {
  const wrong: string[] = [];
  for (let seed = 0; seed < 100; seed++) {
    const planned = plan(seed, SHAPE);
    for (const { at, fault } of planned) {
      const open = planned.filter(other => other.at <= at && (other.at + other.ms > at || other.at === at));
      const names = open.map(other => nameOf(other.fault.target)).filter(name => name !== 'cluster');
      if (new Set(names).size !== names.length) wrong.push(`seed ${seed}: two at ${at} for ${nameOf(fault.target)}`);
      if (names.filter(name => name.startsWith('server')).length > 2) wrong.push(`seed ${seed}: no server at ${at}`);
    }
  }
  t.strictSame(wrong, []);
});

t.test(
  'way back: an agent has its check interval, twice as long for each way back that may not have lasted',
  async t => {
    const [fresh, once, often] = [0, 1, 5].map(failbacks => wayBackMs(5_000, failbacks));
    t.equal(fresh, 25_000);
    t.equal(once, 30_000);
    t.equal(often, undefined, 'nobody waits for it');
    t.ok((fresh ?? 0) < 10 * 5_000 * 0.9, 'an interval ten times as long is found');
  },
);

t.test('plan: what does not exist has no faults', async t => {
  const none = { ...SHAPE, processes: 0, databases: 0, hasStoreDisk: false };
  const targets = plan(3, none).map(({ fault }) => fault.target.of);
  t.strictSame(new Set(targets), new Set(['server', 'cluster']));
});

function gapsOf(...events: readonly GapEvent[]): readonly Gap[] {
  const ledger = new GapLedger();
  for (const event of events) ledger.add(event);
  return ledger.all;
}

const READY = { kind: 'ready', at: 0, agent: 'a', host: 'one' } as const;
const LOST = { kind: 'lost', agent: 'a', host: 'one', reason: 'reset' } as const;

t.test('gaps: one begins with the loss, and ends with the next Ready link', async t => {
  t.strictSame(gapsOf(READY, { ...LOST, at: 10 }, { ...READY, at: 25, host: 'two' }), [
    { agent: 'a', cause: 'reset', from: 10, ms: 15 },
  ]);
  t.strictSame(gapsOf(READY, { ...LOST, at: 10 }), [{ agent: 'a', cause: 'reset', from: 10, ms: undefined }]);
});

t.test('gaps: a move has none, nor has a new link that is lost while the old one is Ready', async t => {
  const two = { ...READY, at: 5, host: 'two' };
  t.strictSame(gapsOf(READY, two, { ...LOST, at: 9, host: 'two', stays: 'one' }), []);
});

const FREEZE = { kind: 'fault-begins', fault: 1, cause: 'freeze server', host: 'one', silences: true } as const;

t.test('gaps: a link with a silent server is of no use from the beginning of the silence', async t => {
  const elsewhere = { ...READY, at: 90, host: 'two' };
  t.strictSame(gapsOf(READY, { ...FREEZE, at: 20 }, elsewhere, { kind: 'fault-ends', fault: 1, at: 100 }), [
    { agent: 'a', cause: 'freeze server', from: 20, ms: 70 },
  ]);
  t.strictSame(gapsOf(READY, { ...FREEZE, at: 20 }, { kind: 'fault-ends', fault: 1, at: 30 }), [
    { agent: 'a', cause: 'freeze server', from: 20, ms: 10 },
  ]);
});

t.test(
  'gaps: a loss is laid to the newest fault of its host or agent, else of the cluster, while that is felt',
  async t => {
    const of = (fault: number, at: number, cause: string, on: { host?: string; agent?: string }) =>
      ({ kind: 'fault-begins', fault, at, cause, silences: false, ...on }) as const;
    const causeAt = (at: number, ...faults: readonly GapEvent[]) => gapsOf(READY, ...faults, { ...LOST, at })[0]?.cause;
    const database = of(1, 1, 'kill database', {});
    t.equal(causeAt(9, database, of(2, 2, 'fin server', { host: 'one' })), 'fin server');
    t.equal(causeAt(9, database, of(2, 2, 'fin server', { host: 'two' })), 'kill database');
    t.equal(causeAt(9, of(2, 2, 'clock agent', { agent: 'a' })), 'clock agent');
    t.equal(causeAt(60_000, database, { kind: 'fault-ends', fault: 1, at: 5 }), 'reset');
    t.equal(causeAt(60_000, database), 'kill database');
  },
);

t.test('gaps: an agent whose process has died has one until it is Ready again', async t => {
  t.strictSame(gapsOf(READY, { kind: 'died', at: 3, agents: ['a'] }, { ...READY, at: 8 }), [
    { agent: 'a', cause: 'died', from: 3, ms: 5 },
  ]);
});

t.test('gaps: the summary has them by cause, the longest first', async t => {
  const gap = (cause: string, ms: number | undefined) => ({ agent: 'a', cause, from: 0, ms });
  const many = Array.from({ length: 200 }, (_, index) => gap('kill', index + 1));
  t.strictSame(summaryOf([...many, gap('fin', 7), gap('freeze', undefined)]), [
    { cause: 'freeze', count: 1, medianMs: Infinity, p99Ms: Infinity, maxMs: Infinity },
    { cause: 'kill', count: 200, medianMs: 101, p99Ms: 199, maxMs: 200 },
    { cause: 'fin', count: 1, medianMs: 7, p99Ms: 7, maxMs: 7 },
  ]);
});

t.test('plot: it is well-formed, has a lane for each target, and hides nothing short', async t => {
  const svg = plotOf({
    title: 'seed <1> & "all"',
    startMs: 0,
    endMs: 60_000,
    stopMs: 50_000,
    servers: ['one', 'two'],
    agents: 10,
    samples: [
      { at: 0, ready: new Map([['one', 10]]), without: 0 },
      { at: 20_000, ready: new Map(), without: 10 },
      // In the same column.
      { at: 20_010, ready: new Map([['two', 10]]), without: 0 },
    ],
    faults: [
      { at: 20_000, ms: 5_000, kind: 'kill', target: 'server-1' },
      { at: 30_000, ms: 0, kind: 'fin', target: 'server-2' },
    ],
  });
  t.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[\s\S]*<\/svg>\n$/);
  t.match(svg, 'seed &lt;1&gt; &amp; &quot;all&quot;');
  t.notMatch(svg, /NaN|undefined|Infinity/);
  t.match(svg, />server-1</);
  t.match(svg, />server-2</);
  t.match(svg, /fill="#d62728" d="M/, 'ten milliseconds without a link are seen');
});

t.test('footprint: what grows is found, what comes and goes is not', async t => {
  const samples = (pid: number, bytesAt: (i: number) => number, descriptorsAt: (i: number) => number, count = 100) =>
    Array.from(
      { length: count },
      (_, i): FootprintSample => ({
        ...{ name: `p${pid}`, pid, at: i * 5_000, bytes: bytesAt(i), descriptors: descriptorsAt(i) },
      }),
    );
  const steady = samples(
    1,
    i => 100e6 + (i % 7) * 1e6,
    i => 200 + (i % 5),
  );
  const leaking = samples(
    2,
    i => 100e6 + i * 1e6,
    () => 200,
  );
  const files = samples(
    3,
    () => 100e6,
    i => 100 + i,
  );
  const brief = samples(
    4,
    i => 100e6 * i,
    () => 1,
    5,
  );
  const found = footprintsOf([...steady, ...leaking, ...files, ...brief]);
  t.strictSame(
    found.map(({ name, isFlat }) => [name, isFlat]),
    [
      ['p1', true],
      ['p2', false],
      ['p3', false],
    ],
  );
});

t.test('footprint: this process has one', async t => {
  const sample = sampleOf('me', process.pid, 0);
  t.ok(sample === undefined || (sample.bytes > 10e6 && sample.descriptors > 2), JSON.stringify(sample));
  t.equal(sampleOf('nobody', 2 ** 30, 0), undefined);
});
