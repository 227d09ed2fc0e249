import t from 'tap';
import { chosen } from '../../../src/fleet/faults/choice.js';
import { FAULT_FORMS, type Fault, parseFault } from '../../../src/fleet/faults/fault.js';
import { dueBy, nextMs, objectionToPlanned, parseSchedule } from '../../../src/fleet/faults/schedule.js';
import { onAgent, onServer, type Standing } from '../../../src/fleet/faults/standing.js';
import { seededRandom } from '../../helpers/seeded-random.js';

t.test('faults: every form is read', async t => {
  const cases: readonly (readonly [string, Fault])[] = [
    ['kill 10%', { kind: 'kill', who: { percent: 10 } }],
    ['kill all', { kind: 'kill', who: { percent: 100 } }],
    [' kill   fleet-7 ', { kind: 'kill', who: { guid: 'fleet-7' } }],
    ['freeze 5 for 30s', { kind: 'freeze', who: { count: 5 }, forMs: 30_000 }],
    ['slow 1% to 1kB/s for 1m', { kind: 'slow', who: { percent: 1 }, bytesPerSecond: 1_000, forMs: 60_000 }],
    ['restart 2 for 500ms', { kind: 'restart', who: { count: 2 }, forMs: 500 }],
    ['cut', { kind: 'cut', server: undefined }],
    ['cut 10.0.0.1', { kind: 'cut', server: '10.0.0.1' }],
    ['stall for 20s', { kind: 'stall', server: undefined, forMs: 20_000 }],
    ['stall ms1.example.org for 20s', { kind: 'stall', server: 'ms1.example.org', forMs: 20_000 }],
    ['delay by 200ms for 1m', { kind: 'delay', server: undefined, byMs: 200, forMs: 60_000 }],
    ['delay ::1 by 200ms for 1m', { kind: 'delay', server: '::1', byMs: 200, forMs: 60_000 }],
    ['refuse for 1s', { kind: 'refuse', server: undefined, forMs: 1_000 }],
  ];
  for (const [text, fault] of cases) t.strictSame(parseFault(text), fault, text);
  t.strictSame(new Set(cases.map(([, { kind }]) => kind)), new Set(FAULT_FORMS.map(([form]) => form.split(' ')[0])));
});

t.test('faults: what is none is refused, with what is wrong and what is allowed', async t => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /^"" is no fault; known are kill, freeze/],
    ['explode 3', /^"explode" is no fault/],
    ['kill', /^it ends too early: kill WHO$/],
    ['kill 110%', /^"110%": a number such as 5/],
    ['kill 5x', /^"5x": a number such as 5/],
    ['kill 5 now', /^"now" is too much: kill WHO$/],
    ['freeze 5', /^it ends too early: freeze WHO for TIME$/],
    ['freeze 5 during 3s', /^"during" in the place of "for": freeze/],
    ['freeze 5 for 3', /^"3": a time such as/],
    ['slow all to 5 for 3s', /^"5": a rate such as 500B\/s/],
    ['stall 10.0.0.1 10.0.0.2 for 3s', /^"10\.0\.0\.2" in the place of "for"/],
  ];
  for (const [text, message] of cases) t.throws(() => parseFault(text), { name: 'FaultError', message }, text);
});

t.test('faults: agents are chosen at random, each once, and each as often as the others, from seed 1', async t => {
  const random = seededRandom(1);
  const running = Array.from({ length: 20 }, (_, index) => index * 2 + 1);
  const guidOf = (agent: number) => `g-${agent}`;
  const times = new Map<number, number>();
  for (let run = 0; run < 4_000; run++) {
    const agents = chosen({ percent: 25 }, running, guidOf, () => random.uniform());
    if (agents.length !== 5 || new Set(agents).size !== 5) t.fail(`run ${run}: ${agents.join()}`);
    for (const agent of agents) times.set(agent, (times.get(agent) ?? 0) + 1);
  }
  const counts = running.map(agent => times.get(agent) ?? 0);
  t.ok(Math.min(...counts) > 900 && Math.max(...counts) < 1_100, `a thousand times each: ${counts.join()}`);
  const nobody = () => t.fail('nothing is chosen at random');
  t.strictSame(chosen({ guid: 'g-7' }, running, guidOf, nobody as never), [7]);
  t.strictSame(chosen({ guid: 'g-8' }, running, guidOf, nobody as never), [], 'it does not run');
  t.strictSame(chosen({ percent: 50 }, [], guidOf, nobody as never), []);
  t.strictSame(
    chosen({ count: 99 }, running, guidOf, () => 0).toSorted((a, b) => a - b),
    running,
  );
});

t.test('schedule: lines with their times; comments and empty lines are none', async t => {
  const plan = parseSchedule(`# a storm
at 60s kill 10%   # a tenth

every 5m freeze 1% for 30s\r
at 10s every 1s cut
`);
  t.strictSame(
    plan.map(({ text, nextMs, everyMs }) => [text, nextMs, everyMs]),
    [
      ['kill 10%', 60_000, undefined],
      ['freeze 1% for 30s', 300_000, 300_000],
      ['cut', 10_000, 1_000],
    ],
  );
  t.equal(nextMs(plan), 10_000);
  t.equal(nextMs([]), undefined);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['\nkill 3', /^line 2: it does not begin with its time/],
    ['at soon kill 3', /^line 1: "soon": a time such as/],
    ['every 0s cut', /^line 1: every 0 is no time/],
    ['at 1s\n', /^line 1: /],
    ['at 1s explode', /^line 1: "explode" is no fault/],
  ];
  for (const [text, message] of wrong) t.throws(() => parseSchedule(text), { name: 'FaultError', message });
});

t.test('regression: schedule: what will never happen is told, with the reason', async t => {
  const guids = new Set(['fleet-1', 'fleet-2']);
  const objection = (text: string, durationMs: number | undefined = 60_000) => {
    const [planned] = parseSchedule(text);
    return planned && objectionToPlanned(planned, { durationMs, guids, hasProxies: false });
  };
  t.strictSame(
    [objection('at 59s kill 2'), objection('every 5s kill fleet-2'), objection('at 59s kill 100%')],
    [undefined, undefined, undefined],
  );
  t.match(objection('at 1s kill fleet-99'), /^kill fleet-99: no agent is called fleet-99: there are 2 agents$/);
  t.match(objection('at 1s kill 3'), /^kill 3: 3 agents: there are 2 agents$/);
  t.match(objection('at 1s cut'), /^cut: cut needs the proxies/);
  t.match(objection('at 60s kill 1'), /^kill 1: it is due after 60 s, and the fleet stops after 60 s/);
  t.match(objection('every 2m kill 1'), /it is due after 120 s/);
});

t.test('regression: fault: nothing lasts for no time, but a restart may be over at once', async t => {
  for (const text of ['freeze all for 0s', 'stall for 0ms', 'delay by 0s for 1s', 'slow all to 1kB/s for 0s'])
    t.throws(() => parseFault(text), { name: 'FaultError', message: /^a TIME above 0 is needed: / });
  t.match(parseFault('restart all for 0s'), { kind: 'restart', forMs: 0 });
});

t.test('schedule: what is due comes in the order of time, and what was missed comes once', async t => {
  const plan = parseSchedule('at 5s cut\nevery 2s kill 1\nat 1s kill 2');
  const first = dueBy(plan, 1_000);
  t.strictSame(
    first.due.map(({ text }) => text),
    ['kill 2'],
  );
  const second = dueBy(first.left, 7_500);
  t.strictSame(
    second.due.map(({ text }) => text),
    ['kill 1', 'cut'],
  );
  t.strictSame(
    second.left.map(({ text, nextMs }) => [text, nextMs]),
    [['kill 1', 8_000]],
  );
  t.strictSame(dueBy(second.left, 7_999).due, []);
});

t.test('standing: several faults at a time come to the worst of each kind', async t => {
  const of = (text: string, ...agents: readonly number[]): Standing => ({
    fault: parseFault(text),
    agents: new Set(agents),
  });
  const standing = [
    of('slow 1 to 2kB/s for 1s', 1, 2),
    of('slow 1 to 1kB/s for 1s', 1),
    of('freeze 1 for 1s', 2),
    of('delay by 200ms for 1s'),
    of('delay a by 1s for 1s'),
    of('stall b for 1s'),
    of('refuse for 1s'),
  ];
  t.strictSame(onAgent(standing, 1), { isFrozen: false, bytesPerSecond: 1_000 });
  t.strictSame(onAgent(standing, 2), { isFrozen: true, bytesPerSecond: 2_000 });
  t.strictSame(onAgent(standing, 3), { isFrozen: false, bytesPerSecond: undefined });
  t.strictSame(onServer(standing, 'a'), { delayMs: 1_000, isRefusing: true });
  t.strictSame(onServer(standing, 'b'), { delayMs: 200, silent: 'both', isRefusing: true });
  t.strictSame(onServer([], 'a'), {});
});
