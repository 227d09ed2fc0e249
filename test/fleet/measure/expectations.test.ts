import t from 'tap';
import {
  EXPECTATION_KEYS,
  type ExpectationKey,
  type Findings,
  judged,
  objectionToExpectation,
} from '../../../src/fleet/measure/expectations.js';
import { junitOf } from '../../../src/fleet/measure/junit.js';
import { summaryOf } from '../../../src/fleet/measure/summary.js';

const FOUND: Findings = {
  agents: 200,
  ready: 199,
  dials: { count: 230, mostInASecond: 120 },
  connects: 210,
  moves: 4,
  linksLost: 6,
  connectsPerSecond: 80,
  unknownCommands: 3,
  toReady: { count: 200, p50Ms: 900, p99Ms: 3_000, maxMs: Number.POSITIVE_INFINITY },
  gap: { count: 6, p50Ms: 200, p99Ms: 450, maxMs: 451 },
  rampHeldMs: 1_200.4,
};
const judge = (key: string, text: string, found: Findings = FOUND) =>
  judged([{ key: key as ExpectationKey, text }], found)[0];

t.test('expectations: each is met just as far as it says', async t => {
  const cases: readonly (readonly [key: string, met: string, unmet: string, found: string])[] = [
    ['expect.ready', '199', '200', '199 of 200'],
    ['expect.ready', '99.5%', '100%', '199 of 200'],
    ['expect.ready.p50', '900ms', '899ms', '900 ms'],
    ['expect.ready.p99', '3s', '2.9s', '3.00 s'],
    ['expect.gap.p50', '200ms', '0.1s', '200 ms'],
    ['expect.gap.p99', '450ms', '449ms', '450 ms'],
    ['expect.gap.max', '451ms', '450ms', '451 ms'],
    ['expect.rate', '80/s', '81/s', '80.0/s'],
    ['expect.lost', '6', '5', '6'],
    ['expect.unknown', '3', '2', '3'],
  ];
  for (const [key, met, unmet, found] of cases) {
    t.match(judge(key, met), { isMet: true, found }, `${key}=${met}`);
    t.match(judge(key, unmet), { isMet: false, found }, `${key}=${unmet}`);
  }
  t.match(judge('expect.ready.max', '1h'), { isMet: false, found: 'never' }, 'one was never Ready');
  t.match(judge('expect.gap.max', '0s', { ...FOUND, gap: undefined }), { isMet: true, found: 'none' });
});

t.test('regression: expectations: where agents never became Ready, no gap and a good rate meet nothing', async t => {
  const none = { ...FOUND, ready: 0, connects: 0, connectsPerSecond: 0, gap: undefined };
  for (const key of ['expect.gap.p50', 'expect.gap.p99', 'expect.gap.max'])
    t.match(judge(key, '1h', none), { isMet: false, found: 'no agent was ever Ready' });
  t.match(judge('expect.rate', '80/s', { ...FOUND, connects: 199 }), {
    ...{ isMet: false, found: '80.0/s, and 199 of 200 became Ready' },
  });
});

t.test('expectations: a value that is none is refused, for every key', async t => {
  t.strictSame(
    EXPECTATION_KEYS.filter(key => objectionToExpectation({ key, text: 'soon' }, 200) === undefined),
    [],
  );
  t.equal(objectionToExpectation({ key: 'expect.gap.max', text: '1s' }, 200), undefined);
  const ready = (text: string) => objectionToExpectation({ key: 'expect.ready', text }, 5);
  t.strictSame([ready('5'), ready('100%'), ready('6')], [undefined, undefined, 'there are 5 agents']);
});

t.test('expectations: as JUnit XML and in the summary', async t => {
  const verdicts = judged(
    [
      { key: 'expect.ready', text: '100%' },
      { key: 'expect.lost', text: '6' },
    ],
    FOUND,
  );
  const counts = 'tests="2" failures="1" errors="0" time="12.500"';
  t.equal(
    junitOf(verdicts, 12.5),
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites ${counts}>
  <testsuite name="muster-fleet" ${counts}>
    <testcase classname="muster-fleet" name="expect.ready=100%">
      <failure message="found: 199 of 200"/>
    </testcase>
    <testcase classname="muster-fleet" name="expect.lost=6"/>
  </testsuite>
</testsuites>
`,
  );
  const summary = summaryOf({
    ...{ version: '1.0.0', startedAt: 0, elapsedMs: 12_500.4, agents: 200, measured: FOUND, verdicts },
    census: { ready: new Map([['a', 199]]), notReady: 1, away: 0, linksLost: 6 },
    unknownCommands: new Map([['com.example.DoCommand', 3]]),
    faults: [
      { atMs: 5_000.2, forMs: 0, text: 'kill 3%', agents: 6 },
      { atMs: 6_000, forMs: 1_000, text: 'stall for 1s', agents: undefined },
    ],
  });
  t.strictSame(JSON.parse(JSON.stringify(summary)), {
    version: '1.0.0',
    started: '1970-01-01T00:00:00.000Z',
    durationMs: 12_500,
    agents: { configured: 200, ready: 199, notReady: 1, away: 0 },
    servers: { a: 199 },
    rampHeldMs: 1_200,
    dials: { count: 230, mostInASecond: 120 },
    connects: { count: 210, moves: 4, perSecond: 80 },
    linksLost: 6,
    toReady: { count: 200, p50Ms: 900, p99Ms: 3_000, maxMs: null },
    gap: { count: 6, p50Ms: 200, p99Ms: 450, maxMs: 451 },
    faults: [
      { atMs: 5_000, forMs: 0, fault: 'kill 3%', agents: 6 },
      { atMs: 6_000, forMs: 1_000, fault: 'stall for 1s' },
    ],
    unknownCommands: { 'com.example.DoCommand': 3 },
    expectations: [
      { expect: 'expect.ready=100%', found: '199 of 200', isMet: false },
      { expect: 'expect.lost=6', found: '6', isMet: true },
    ],
    isMet: false,
  });
});
