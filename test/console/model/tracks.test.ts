import t from 'tap';
import { account } from '../../../src/console/model/account.js';
import { firstSpan, stateAtText, ticks, worstAt } from '../../../src/console/model/look.js';
import { groupByCause, matches, parseQuery, stateOf, wordsOf } from '../../../src/console/model/query.js';
import { addresses, seconds } from '../../../src/console/model/text.js';
import {
  fleetOf,
  follow,
  isAstray,
  type Move,
  NOT_YET,
  NOWHERE,
  type Placements,
  preferring,
  whereAt,
  whereNow,
} from '../../../src/console/model/tracks.js';
import { runAtOnce } from '../../../src/lib/interruptible.js';
import { fleet, SERVERS, step, track } from './helpers.js';

const made = (placements: Parameters<typeof fleetOf>[0]) => runAtOnce(fleetOf(placements));

const host = (name: string, fields: Partial<Placements['hosts'][number]> = {}): Placements['hosts'][number] => ({
  ...{ hostid: `id-${name}`, hostname: name, zonename: 'z', clustername: undefined, hosttags: 'ssd,big', state: 'Up' },
  ...{ preferredhost: '10.0.0.2', server: 1, moves: '' },
  ...fields,
});
const PLACEMENTS: Placements = {
  start: 1_000,
  count: 3,
  cut: undefined,
  // Not in the order of their addresses.
  servers: [
    { id: 's10', name: 'c', address: '10.0.0.10' },
    { id: 's2', name: 'b', address: '10.0.0.2' },
  ],
  hosts: [
    host('kvm-10', { moves: '500:0:lost:silent: 900:2:failover:silent:412' }),
    host('kvm-9'),
    host('kvm-1', { preferredhost: '10.0.0.10', server: undefined }),
  ],
};

t.test('tracks: servers by address, hosts by preferred server and name', async t => {
  const { servers, tracks } = made(PLACEMENTS);
  t.same(
    servers.map(({ address }) => address),
    ['10.0.0.2', '10.0.0.10'],
  );
  t.same(
    tracks.map(({ name }) => name),
    ['kvm-9', 'kvm-10', 'kvm-1'],
  );
  t.match(tracks[1], {
    ...{ preferred: 1, first: 2, tags: ['ssd', 'big'], zone: 'z', cluster: '' },
    steps: [step(1_500, 0, { kind: 'lost' }), step(1_900, 1, { gap: 412 })],
  });
  t.equal(tracks[2]?.first, NOT_YET);
  t.same(made({ start: 5 }).tracks, [], 'a cluster without hosts');
});

t.test('tracks: a move is followed once; a host that is not known is said', async t => {
  const before = made(PLACEMENTS);
  const move = (fields: Partial<Move>): Move =>
    ({
      id: 'm',
      created: '',
      at: 2_000,
      hostid: 'id-kvm-9',
      tomanagementserverid: 's2',
      kind: 'failback',
      cause: 'preferred',
      gap: 0,
      ...fields,
    }) as Move;
  const { fleet: after, changed, hasUnknown } = follow(before, [move({}), move({})]);
  t.same(changed, [0]);
  t.equal(hasUnknown, false);
  t.same(after.tracks[0]?.steps, [step(2_000, 1, { kind: 'failback', cause: 'preferred', gap: 0 })]);
  t.equal(after.tracks[1], before.tracks[1], 'others stay as they are');
  t.same(follow(after, [move({})]).changed, []);
  t.match(follow(before, [move({ hostid: 'new' })]), { changed: [], hasUnknown: true });
  t.match(follow(before, [move({ tomanagementserverid: 'new' })]), { changed: [], hasUnknown: true });
  const late = follow(after, [move({ at: 1_500, tomanagementserverid: undefined, kind: 'lost' })]).fleet.tracks[0];
  t.same(
    late?.steps.map(({ at }) => at),
    [1_500, 2_000],
  );
});

t.test('regression: tracks: a loss that was none, since the host had its new link already, is taken back', async t => {
  const before = made(PLACEMENTS);
  const loss = { id: 'l', created: '', at: 2_000, hostid: 'id-kvm-9', kind: 'lost', cause: 'closed' } as Move;
  const back = {
    ...loss,
    id: 'b',
    at: 2_010,
    tomanagementserverid: 's2',
    kind: 'failback',
    cause: 'preferred',
    gap: 0,
  };
  const lost = follow(before, [loss]);
  t.equal(lost.fleet.tracks[0]?.steps.length, 1);
  const { fleet: after, changed } = follow(lost.fleet, [back]);
  t.same(changed, [0]);
  t.same(
    after.tracks[0]?.steps.map(({ kind }) => kind),
    ['failback'],
  );
  const failover = follow(lost.fleet, [{ ...back, kind: 'failover', gap: 400 }]).fleet.tracks[0];
  t.equal(failover?.steps.length, 2, 'a gap was one');
});

t.test('tracks: where a host was, and is', async t => {
  const one = track('a', { steps: [step(1_000, 0, { kind: 'lost' }), step(2_000, 2, { gap: 1_200 })] });
  t.same(
    [500, 700, 900, 1_500, 2_000, 9_999].map(at => whereAt(one, at)),
    [1, 1, 0, 0, 2, 2].with(2, 1),
  );
  t.equal(whereNow(one), 2);
  t.equal(isAstray(one), true);
  t.equal(isAstray(track('b', { preferred: 0 })), false, 'nobody knows where it should be');
});

t.test('query: words, fields and states', async t => {
  const all = fleet([
    track('kvm-1', { tags: ['SSD'], zone: 'North' }),
    track('kvm-2', { first: 2 }),
    track('kvm-3', { steps: [step(5, 0, { kind: 'lost', cause: 'server-down' })] }),
    track('kvm-4', { first: NOT_YET }),
  ]);
  const found = (text: string) => all.tracks.filter(one => matches(one, parseQuery(text), all)).map(({ name }) => name);
  t.same(all.tracks.map(stateOf), ['ready', 'astray', 'nowhere', 'new']);
  t.same(found(''), ['kvm-1', 'kvm-2', 'kvm-3', 'kvm-4']);
  t.same(found('KVM-2'), ['kvm-2']);
  t.same(found('astray'), ['kvm-2']);
  t.same(found('state:nowhere cause:server-down kind:lost'), ['kvm-3']);
  t.same(found('tag:ssd zone:north'), ['kvm-1']);
  t.same(found('server:10.0.0.2 preferred:10.0.0.1'), ['kvm-2']);
  t.same(found('cluster:none'), []);
  t.same(parseQuery('colour:red kvm').unknown, ['colour:red']);
});

t.test('query: many failures of one cause are one line, the worst first', async t => {
  const lost = (count: number, cause: string) =>
    Array.from({ length: count }, (_, index) => track(`${cause}-${index}`, { steps: [step(index, 0, { cause })] }));
  const groups = groupByCause([
    track('well'),
    ...lost(2, 'silent'),
    track('b', { first: 2 }),
    ...lost(300, 'server-down'),
  ]);
  t.same(
    groups.map(({ state, cause, tracks, since }) => [state, cause, tracks.length, since]),
    [
      ['nowhere', 'server-down', 300, 299],
      ['nowhere', 'silent', 2, 1],
      ['astray', 'unknown', 1, undefined],
      ['ready', '', 1, undefined],
    ],
  );
});

t.test('regression: query: the words of a group find its hosts, and no others', async t => {
  const all = fleet([
    track('well'),
    track('well-2', { preferred: 2, first: 2 }),
    track('lost', { steps: [step(5, 0, { cause: 'silent' })] }),
    track('lost-2', { steps: [step(5, 0, { cause: 'server-down' })] }),
    track('lost-3', { first: 0 }),
    track('astray', { steps: [step(5, 2)] }),
    track('astray-2', { steps: [step(5, 3)] }),
    track('astray-3', { first: 3 }),
    track('new', { first: NOT_YET }),
  ]);
  const groups = groupByCause(all.tracks);
  t.equal(groups.length, all.tracks.length);
  for (const group of groups) {
    const words = wordsOf(group, all).join(' ');
    const found = all.tracks.filter(one => matches(one, parseQuery(words), all));
    t.same(found, group.tracks, words);
  }
});

t.test('timeline as text: moves of one kind within a minute are one line', async t => {
  const moved = (name: string, at: number, gap: number) => track(name, { steps: [step(at, 2, { gap })] });
  const lines = account(
    fleet([moved('a', 60_100, 300), moved('b', 60_900, 412), moved('c', 180_000, 1)]),
    0,
    200_000,
    10,
  );
  t.same(lines, [
    { at: 180_000, count: 1, kind: 'failover', cause: 'silent', from: '10.0.0.1', to: '10.0.0.2', gap: 1 },
    { at: 60_100, count: 2, kind: 'failover', cause: 'silent', from: '10.0.0.1', to: '10.0.0.2', gap: 412 },
  ]);
  t.equal(account(fleet([moved('a', 60_100, 300)]), 70_000, 80_000, 10).length, 0);
});

t.test('timeline: a place is told in words, of the worst host there', async t => {
  const [well, astray, lost] = [
    track('well'),
    track('astray', { steps: [step(1_000, 2, { gap: 0 })] }),
    track('lost', { steps: [step(5_000, 0, { kind: 'lost', cause: 'silent' })] }),
  ];
  t.equal(worstAt([well, astray, lost], 2_000), astray);
  t.equal(worstAt([well, astray, lost], 6_000), lost);
  t.equal(worstAt([], 1), undefined);
  const words = { servers: SERVERS };
  t.match(
    stateAtText([well, astray, lost], 6_000, words),
    /: lost without a Ready link; lost \(silent\) 1.0 s before – the worst of 3 agents/,
  );
  t.match(
    stateAtText([astray], 2_000, words),
    /: astray on 10.0.0.2, prefers 10.0.0.1; failover \(silent\) 1.0 s before$/,
  );
  t.match(stateAtText([track('x', { first: NOT_YET })], 1, words), /x not there yet$/);
  t.equal(stateAtText([], 1, words), '');
});

t.test('timeline: times at whole steps, with room for each', async t => {
  const start = Date.UTC(2026, 10, 22, 9, 3);
  const all = ticks(start, start + 1_800_000, 800);
  t.ok(all.length >= 5 && all.length <= 10);
  t.ok(all.every(({ at }) => at % 300_000 === 0));
  t.match(all[0]?.label, /^\d\d:\d\d$/);
  t.match(ticks(start, start + 20_000, 800)[0]?.label, /^\d\d:\d\d:\d\d$/);
  t.same(ticks(start, start, 800), []);
});

t.test('timeline: it begins with what there is of a young cluster', async t => {
  const young = (at: number) => track('a', { first: NOT_YET, steps: [step(at, 1)] });
  const now = 10_000_000;
  t.equal(firstSpan([young(now - 400_000)], now, 1_800_000), 500_000);
  t.equal(firstSpan([young(now - 10)], now, 1_800_000), 120_000);
  t.equal(firstSpan([young(now - 400_000), track('b')], now, 1_800_000), 1_800_000);
  t.equal(firstSpan([young(1)], now, 1_800_000), 1_800_000);
});

t.test('regression: tracks: an agent that has got another list without a move is in another row', async t => {
  const before = fleet([track('a'), track('b'), track('c', { preferred: 2 })]);
  const after = (...lists: Parameters<typeof preferring>[1]) => runAtOnce(preferring(before, lists));
  const rows = after(
    { hostid: 'id-a', preferredhost: '10.0.0.1' },
    { hostid: 'id-a', preferredhost: '10.0.0.3' },
    { hostid: 'id-c', preferredhost: '' },
    { hostid: 'id-nobody', preferredhost: '10.0.0.3' },
  );
  t.same(
    rows?.tracks.map(({ name, preferred }) => [name, preferred]),
    [
      ['b', 1],
      ['a', 3],
      ['c', NOWHERE],
    ],
  );
  t.equal(after({ hostid: 'id-a', preferredhost: '10.0.0.1' }), undefined, 'nothing is new');
});

t.test('text: durations, addresses', async t => {
  t.same([600, 12_000, 120_000, 7_200_000, 172_800_000].map(seconds), ['0.6 s', '12 s', '2 min', '2 h', '2 d']);
  t.same([['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd']].map(addresses), [
    'a',
    'a and b',
    'a, b and c',
    'a, b and 2 more',
  ]);
});
