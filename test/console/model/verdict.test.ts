import t from 'tap';
import type { Alert } from '../../../src/console/model/alerts.js';
import { sharesOf } from '../../../src/console/model/shares.js';
import { NOT_YET, type Track } from '../../../src/console/model/tracks.js';
import { type ServerNow, type Situation, verdict } from '../../../src/console/model/verdict.js';
import { fleet, SERVERS, step, track } from './helpers.js';

const up = (number: number, fields: Partial<ServerNow> = {}): ServerNow => ({
  ...{ address: `10.0.0.${number}`, state: 'Up', processState: 'Running', started: 1_000 },
  ...{ survivorLoad: 10, stranded: 0 },
  ...fields,
});
const ALL = SERVERS.map((_, index) => up(index + 1));
const judge = (tracks: readonly Track[], fields: Partial<Situation> = {}) =>
  verdict({
    ...{ fleet: fleet(tracks), servers: ALL, isStoreAway: false, alerts: [], canaries: [], capacity: 0, now: 20_000 },
    ...fields,
  });
const many = (count: number, fields: Partial<Track> = {}) =>
  Array.from({ length: count }, (_, index) => track(`kvm-${index}`, fields));

t.test('verdict: healthy, and what that is worth', async t => {
  t.same(judge(many(3)), { level: 'good', sentence: 'Healthy: survives the loss of any one server.' });
  t.match(judge(many(3), { servers: [up(1)] }), { level: 'notice', sentence: /only one server takes agents/ });
  t.match(judge(many(31)), { level: 'good' }, 'without the parameter nobody knows what fits');
  t.match(judge([]), { level: 'notice', sentence: 'No agent has come yet.' });
  t.match(judge(many(2, { first: NOT_YET })), { sentence: 'No agent has come yet.' });
});

t.test('regression: verdict: what a loss would mean is what the servers say of their lists', async t => {
  const spread = [1, 2, 3].flatMap(number => many(10, { preferred: number, first: number }));
  const loads = (...of: readonly number[]) => of.map((survivorLoad, index) => up(index + 1, { survivorLoad }));
  t.match(judge(spread, { capacity: 15, servers: loads(15, 14, 15) }), { level: 'good' });
  // Even sharing would give 15: the lists are not even.
  t.match(judge(spread, { capacity: 15, servers: loads(20, 10, 10) }), {
    level: 'notice',
    sentence: /would give another one 20 agents, and 15 fit/,
  });
  t.match(judge(spread, { servers: [up(1), up(2, { stranded: 4 }), up(3)] }), {
    level: 'notice',
    sentence: /but the loss of 10\.0\.0\.2 would leave 4 agents nowhere/,
  });
  const unknown = ALL.map(server => ({ ...server, survivorLoad: undefined, stranded: undefined }));
  t.same(judge(spread, { servers: unknown }), { level: 'good', sentence: 'Healthy: every agent has its link.' });
});

t.test('regression: verdict: a canary that stands for an hour is told, and who began it', async t => {
  const begun = 50_000;
  const at = (now: number, tracks = many(3)) => judge(tracks, { canaries: [{ id: 7, begun, createdby: 'kim' }], now });
  t.match(at(begun + 3_599_999), { level: 'good', sentence: 'Healthy: survives the loss of any one server.' });
  t.same(at(begun + 7_200_000), {
    level: 'notice',
    sentence:
      'Healthy: survives the loss of any one server. The canary that kim began 2 h ago still stands: end it on the page Change.',
  });
  t.match(at(begun + 7_200_000, many(1, { first: 0 })), { level: 'bad', sentence: /nowhere.* still stands/ });
});

t.test('verdict: a server that has more than it can carry is named, after an outage too', async t => {
  const servers = [up(1), up(2, { state: 'Down', processState: 'Silent' }), up(3)];
  const moved = many(1_200, { preferred: 2, first: 2, steps: [step(9_000, 1, { gap: 600 })] });
  t.same(judge(moved, { servers, capacity: 1_000 }), {
    level: 'bad',
    sentence:
      '10.0.0.2 is down: 1,200 agents moved in 0.6 s, none is nowhere. Over capacity: 10.0.0.1 has 1,200 agents, and 1,000 fit.',
  });
  t.match(judge(many(4), { capacity: 3 }), {
    level: 'notice',
    sentence: 'Over capacity: 10.0.0.1 has 4 agents, and 3 fit.',
  });
});

t.test('verdict: a server is down', async t => {
  const down = [up(1), up(2, { state: 'Down', processState: 'Silent' }), up(3)];
  const moved = many(3_312, { preferred: 2, first: 2, steps: [step(9_000, 1, { gap: 600 })] });
  const lost = many(4, { preferred: 2, first: 2, steps: [step(9_000, 0, { kind: 'lost' })] });
  t.same(judge([...moved, ...lost, ...many(10)], { servers: down }), {
    level: 'bad',
    sentence: '10.0.0.2 is down: 3,312 agents moved in 0.6 s, 4 are nowhere.',
  });
  const seen = many(1, { first: 2, steps: [step(8_000, 0, { kind: 'lost' }), step(9_000, 3, { gap: 12_400 })] });
  t.match(judge(seen, { servers: down }), {
    sentence: '10.0.0.2 is down: 1 agent moved in 12 s, none is nowhere.',
  });
  t.match(judge(many(5), { servers: down }), { sentence: '10.0.0.2 is down: no agent was on it.' });
  t.match(judge(lost, { servers: down }), { sentence: '10.0.0.2 is down: no agent has moved, 4 are nowhere.' });
  const two = [up(1), up(2, { processState: 'Silent' }), up(3, { processState: 'Stopped' })];
  t.match(judge(many(5), { servers: two }), { sentence: '10.0.0.2 and 10.0.0.3 are down: no agent was on them.' });
});

t.test(
  'regression: verdict: agents that had left a server before it went down are not counted as moved by that',
  async t => {
    const down = [up(1), up(2, { state: 'Down', processState: 'Silent', started: 5_000 }), up(3)];
    const before = (kind: string, at: number) => many(2, { first: 2, steps: [step(at, 1, { kind })] });
    const none = '10.0.0.2 is down: no agent was on it.';
    for (const kind of ['failback', 'migrate', 'left-list', 'connect'])
      t.match(judge(before(kind, 9_000), { servers: down }), { sentence: none }, kind);
    t.match(judge(before('failover', 4_000), { servers: down }), { sentence: none }, 'an earlier outage');
    const stopped = [up(1), up(2, { state: 'Down', processState: 'Stopped' }), up(3)];
    t.match(judge(before('migrate', 9_000), { servers: stopped }), {
      sentence: '10.0.0.2 is down: 2 agents moved, none is nowhere.',
    });
  },
);

t.test('verdict: agents are nowhere, servers are away on purpose, agents are astray, the store is away', async t => {
  const lost = many(2, { steps: [step(9_000, 0, { cause: 'agent-stopped' })] });
  t.match(judge([...lost, ...many(1, { first: 0 })]), {
    level: 'bad',
    sentence: '3 agents are nowhere: 2 agent-stopped, 1 lost before.',
  });
  const maintained = [up(1), up(2, { state: 'Maintenance', processState: 'Stopped' }), up(3)];
  t.match(judge(many(5), { servers: maintained }), {
    level: 'notice',
    sentence: '10.0.0.2 is in maintenance: no agent is left there.',
  });
  const draining = [up(1, { state: 'PreparingForMaintenance' }), up(2), up(3)];
  t.match(judge(many(5), { servers: draining }), {
    sentence: '10.0.0.1 is preparing for maintenance: 5 agents are still there.',
  });
  t.match(judge([...many(4), ...many(1, { first: 2 })]), {
    level: 'notice',
    sentence: /^Every agent has its link; 1 agent is not/,
  });
  t.match(judge(many(4), { isStoreAway: true }), { level: 'bad', sentence: /^The store is away/ });
});

const alert = (subject: string, fields: Partial<Alert> = {}): Alert => ({
  ...{
    id: subject,
    type: 14,
    name: 'ALERT.MANAGEMENT',
    sent: '',
    cleared: null,
    silencedto: null,
    subject,
    description: `about ${subject}`,
  },
  ...fields,
});

t.test('verdict: alerts that are serious are told, unless an operator has silenced them', async t => {
  t.same(judge(many(3), { alerts: [alert('guid-fight:1:a')] }), { level: 'bad', sentence: 'about guid-fight:1:a.' });
  const draining = [up(1, { state: 'PreparingForMaintenance' }), up(2), up(3)];
  const alerts = [alert('drain-stuck:1'), alert('guid-fight:1:a'), alert('guid-fight:1:b')];
  t.same(judge(many(1), { servers: draining, alerts }), {
    level: 'bad',
    sentence:
      '10.0.0.1 is preparing for maintenance: 1 agent is still there. about drain-stuck:1. And 2 more of this weight: see the alerts.',
  });
  t.match(judge(many(3), { alerts: [alert('guid-fight:1:a', { silencedto: 'later' })] }), { level: 'good' });
  t.match(judge(many(3), { alerts: [alert('certificates-expiring:1')] }), { level: 'good' }, 'it has its page');
});

t.test('regression: verdict: an agent that is between two servers for a moment is not nowhere', async t => {
  const between = many(1, { steps: [step(19_000, 0, { kind: 'lost', cause: 'closed' })] });
  t.match(judge([...many(4), ...between]), { level: 'good' });
  t.match(judge([...many(4), ...between], { now: 22_000 }), {
    level: 'bad',
    sentence: '1 agent is nowhere: 1 closed.',
  });
});

t.test('shares: what each server has, its even share, and the end of the scale', async t => {
  const tracks = [...many(4), ...many(2, { preferred: 2, first: 1 }), ...many(3, { preferred: 2, first: 2 })];
  const { shares, even, most } = sharesOf(fleet(tracks), ALL);
  t.match(shares, [
    { agents: 6, guests: 2, preferring: 4, number: 1 },
    { agents: 3, guests: 0, preferring: 5 },
    { agents: 0, guests: 0, preferring: 0 },
  ]);
  t.same([even, most], [3, 10]);
  const alone = { survivorLoad: undefined };
  const one = sharesOf(fleet(tracks), [up(1, alone), up(9, { ...alone, state: 'Down' })]);
  t.same([one.even, one.most, one.shares[1]?.number], [9, 6, 0]);
});
