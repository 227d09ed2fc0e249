import t from 'tap';
import { silentLog } from '../../../../src/lib/logger.js';
import { MGMT_LIMITS } from '../../../../src/mgmt/config/limits.js';
import { Feed, type FeedParts } from '../../../../src/mgmt/http/console/feed.js';
import {
  cursorText,
  feedFrom,
  freshVersions,
  isWhole,
  next,
  parseCursor,
  type Reading,
  readFrom,
  type StandingCanary,
} from '../../../../src/mgmt/http/console/feed-state.js';
import type { Handlers } from '../../../../src/mgmt/http/handlers/index.js';
import { FakeClock } from '../../../../src/testing/fake-clock.js';

const AT = Date.parse('2026-11-22T09:00:00Z');
const move = (id: string, at: number) =>
  ({ id, at, created: '', kind: 'lost', cause: 'silent' }) as Reading['moves'][number];
const event = (id: string, created: string) => ({ id, created, description: id }) as Reading['events'][number];
const NO_HOSTS: Reading['hosts'] = { at: AT, versions: [], rows: [] };
const NOTHING: Reading = {
  ...{ moves: [], events: [], servers: [], jobs: [], configurations: [], alerts: [], canaries: [] },
  hosts: NO_HOSTS,
};
const START = { moves: AT, events: AT, hosts: AT };

t.test('feed: each move and event is told once, oldest first, also when it is read again', async t => {
  const first = next(feedFrom(START), {
    ...NOTHING,
    moves: [move('b', AT + 2), move('a', AT + 1)],
    events: [event('x', '2026-11-22T09:00:05+0000')],
  });
  t.match(first.messages, [
    { event: 'moves', items: [{ id: 'a' }, { id: 'b' }] },
    { event: 'events', items: [{ id: 'x' }] },
    { event: 'alerts', items: [] },
    { event: 'canaries', items: [] },
  ]);
  t.same(first.state.cursor, { moves: AT + 2, events: AT + 5_000, hosts: AT });
  // A record of an earlier moment is written later.
  const late = next(first.state, { ...NOTHING, moves: [move('b', AT + 2), move('late', AT + 1), move('a', AT + 1)] });
  t.match(late.messages, [{ event: 'moves', items: [{ id: 'late' }] }]);
  t.equal(late.state.cursor.moves, AT + 2);
  t.ok(readFrom(late.state.cursor).moves < AT);
});

t.test('feed: servers, jobs and values are told when they change; heartbeats are no change', async t => {
  const server = (state: string, heartbeatage: number) =>
    ({ id: '1', state, heartbeatage, agents: ['h'], lastagents: [] }) as unknown as Reading['servers'][number];
  const first = next(feedFrom(START), { ...NOTHING, servers: [server('Up', 0)] });
  t.strictSame(first.messages, [
    { event: 'servers', items: [{ id: '1', state: 'Up' }] },
    { event: 'alerts', items: [] },
    { event: 'canaries', items: [] },
  ]);
  const same = next(first.state, { ...NOTHING, servers: [server('Up', 1)] });
  t.strictSame(same.messages, []);
  const down = next(same.state, { ...NOTHING, servers: [server('Down', 2)] });
  t.strictSame(down.messages, [{ event: 'servers', items: [{ id: '1', state: 'Down' }] }]);
});

t.test('feed: open alerts are told as a whole when one comes, is silenced, or is over', async t => {
  const alert = (more: object = {}) => ({ id: 'a', ...more }) as Reading['alerts'][number];
  let state = feedFrom(START);
  const told = (alerts: Reading['alerts']) => {
    const after = next(state, { ...NOTHING, alerts });
    state = after.state;
    return after.messages.filter(({ event }) => event === 'alerts').map(({ items }) => items);
  };
  t.strictSame(told([]), [[]], 'who comes again forgets those that it has');
  t.strictSame(told([]), []);
  t.strictSame(told([alert()]), [[{ id: 'a' }]]);
  t.strictSame(told([alert()]), []);
  t.strictSame(told([alert({ silencedto: 'x' })]), [[{ id: 'a', silencedto: 'x' }]]);
  t.strictSame(told([]), [[]]);
});

t.test('regression: feed: the server that an agent prefers is told when it changes, without a move', async t => {
  const host = (id: number, list: string | null, removed: number | null = null) => ({
    uuid: `h${id}`,
    msHostList: list,
    removed,
  });
  const read = (at: number, changed: number, rows: Reading['hosts']['rows']): Reading => ({
    ...NOTHING,
    hosts: { at, versions: rows.map((_, index) => ({ id: index + 1, changed })), rows },
  });
  const first = next(feedFrom(START), read(AT + 1, AT, [host(1, 'a,b@roundrobin'), host(2, null), host(3, 'c', AT)]));
  const lists = ({ messages }: typeof first) =>
    messages.filter(({ event }) => event === 'lists').map(({ items }) => items);
  t.strictSame(lists(first), [
    [
      { hostid: 'h1', preferredhost: 'a' },
      { hostid: 'h2', preferredhost: '' },
    ],
  ]);
  t.equal(first.state.cursor.hosts, AT + 1);
  t.same(
    freshVersions(first.state, [
      { id: 1, changed: AT },
      { id: 1, changed: AT + 1 },
    ]),
    [{ id: 1, changed: AT + 1 }],
  );
  const moved = next(first.state, read(AT + 2, AT + 2, [host(1, 'a,c@roundrobin')]));
  t.strictSame(lists(moved), [], 'another list with the same first server');
  t.strictSame(lists(next(moved.state, read(AT + 3, AT + 3, [host(1, 'b,a@roundrobin')]))), [
    [{ hostid: 'h1', preferredhost: 'b' }],
  ]);
});

t.test('regression: feed: of more moves than fit all are read anew, unless the oldest of them was told', async t => {
  const all = [move('c', AT + 3), move('b', AT + 2), move('a', AT + 1)];
  const state = feedFrom(START);
  t.equal(isWhole(state, { ...NOTHING, moves: all }, 4), true);
  t.equal(isWhole(state, { ...NOTHING, moves: all }, 3), false);
  t.equal(isWhole(next(state, { ...NOTHING, moves: all.slice(2) }).state, { ...NOTHING, moves: all }, 3), true);
});

t.test('feed: a cursor is a text, and back', async t => {
  const cursor = { moves: AT, events: AT + 1, hosts: AT + 2 };
  t.same(parseCursor(cursorText(cursor)), cursor);
  for (const text of [undefined, '', '1', '1-2', '1-2-3-4', 'a-b-c', '-1-2-3'])
    t.equal(parseCursor(text), undefined, `${text}`);
});

/** A feed over an API of which the test says what it answers. */
function bench() {
  const clock = new FakeClock();
  const state = {
    reading: NOTHING,
    outage: false,
    asked: 0,
    gate: Promise.resolve(),
    canary: undefined as StandingCanary | undefined,
  };
  /** Hosts that have changed, by the id of their row: the lists that their agents have now. */
  const changed = new Map<number, string>();
  const store = {
    hostVersions: async () => ({
      versions: [...changed.keys()].map(id => ({ id, changed: AT })),
      cursor: { at: AT },
      more: false,
    }),
    hostsById: async (ids: readonly number[]) =>
      ids.map(id => ({ uuid: `h${id}`, msHostList: changed.get(id), removed: null })),
  } as unknown as FeedParts['store'];
  const handlers = (async (command: string, params: { readonly pagesize?: number }) => {
    state.asked++;
    await state.gate;
    if (state.outage) throw new Error('the store is away');
    const of: Readonly<Record<string, readonly unknown[]>> = {
      listMoves: state.reading.moves,
      listEvents: state.reading.events,
      listManagementServers: state.reading.servers,
      listAsyncJobs: state.reading.jobs,
      listConfigurations: state.reading.configurations,
      listAlerts: state.reading.alerts,
    };
    const items = (of[command] ?? []).slice(0, params.pagesize);
    return { count: items.length, items };
  }) as unknown as Handlers;
  const feed = new Feed({ clock, log: silentLog, handlers, store, canary: () => state.canary });
  const subscribe = (lastId?: string) => {
    const told: string[] = [];
    const subscriber = { isGood: true, isEnded: false };
    const leave = feed.subscribe(
      {
        write: text => void told.push(text),
        end: () => {
          subscriber.isEnded = true;
        },
        isGood: () => subscriber.isGood,
      },
      lastId,
    );
    // Open alerts and canaries, also that there are none, are told at the beginning in any case.
    const names = () =>
      told.map(text => /event: (\w+)/.exec(text)?.[1]).filter(name => name !== 'alerts' && name !== 'canaries');
    return { told, subscriber, leave, names };
  };
  const settle = async () => {
    for (let i = 0; i < 50; i++) await Promise.resolve();
  };
  const tick = async () => {
    await settle();
    await clock.advance(MGMT_LIMITS.consoleFeedMs);
    await settle();
  };
  return { clock, state, changed, feed, subscribe, tick, settle };
}

t.test('feed: who comes again with a cursor is told what has happened since; a newcomer reads that itself', async t => {
  const { state, changed, subscribe, settle } = bench();
  state.reading = { ...NOTHING, moves: [move('m', AT + 9)] };
  changed.set(1, 'b,a@static');
  const newcomer = subscribe();
  const again = subscribe(cursorText(START));
  await settle();
  t.same(newcomer.names(), ['hello']);
  t.same(again.names(), ['hello', 'moves', 'lists']);
  t.match(again.told[1], new RegExp(`^id: ${AT + 9}-${AT}-${AT}\n`));
  t.match(again.told[2], /data: \[{"hostid":"h1","preferredhost":"b"}\]/);
});

t.test('feed: it reads only while somebody looks', async t => {
  const { state, subscribe, tick, feed } = bench();
  const one = subscribe();
  await tick();
  const asked = state.asked;
  state.reading = { ...NOTHING, moves: [move('m', AT)] };
  await tick();
  t.ok(state.asked > asked);
  t.same(one.names(), ['hello', 'moves']);
  one.leave();
  await tick();
  await tick();
  const after = state.asked;
  await tick();
  t.equal(state.asked, after);
  t.equal(feed.size, 0);
});

t.test('regression: feed: who comes while the last one has just left is told all the same', async t => {
  const { state, subscribe, tick, settle } = bench();
  const one = subscribe();
  await tick();
  let open = () => {};
  state.gate = new Promise(resolve => {
    open = resolve;
  });
  await tick();
  one.leave();
  const two = subscribe();
  open();
  await settle();
  state.reading = { ...NOTHING, moves: [move('m', AT)] };
  await tick();
  t.same(two.names(), ['hello', 'moves']);
});

t.test('feed: after an outage of the store all is read anew', async t => {
  const { state, subscribe, tick } = bench();
  const one = subscribe();
  await tick();
  state.outage = true;
  for (let i = 0; i < 5; i++) await tick();
  t.match(one.told.at(-1), /event: time\ndata: .*"isstoreaway":true/);
  state.outage = false;
  await tick();
  t.match(one.names().at(-1), 'reset');
});

t.test('feed: a canary is told when it begins and when it ends', async t => {
  const { state, subscribe, tick } = bench();
  const one = subscribe();
  await tick();
  const told = () =>
    one.told.filter(text => text.includes('event: canaries')).map(text => /data: (.*)/.exec(text)?.[1]);
  state.canary = { id: 7, begun: AT, createdby: 'ci' };
  await tick();
  await tick();
  state.canary = undefined;
  await tick();
  t.same(told().slice(-3), ['[]', `[{"id":7,"begun":${AT},"createdby":"ci"}]`, '[]']);
});

t.test('feed: it ends with the session, and with the server', async t => {
  const { subscribe, tick, feed } = bench();
  const one = subscribe();
  const two = subscribe();
  await tick();
  one.subscriber.isGood = false;
  await tick();
  t.same(one.names().at(-1), 'ended');
  t.equal(one.subscriber.isEnded, true);
  feed.stop();
  t.equal(two.subscriber.isEnded, true);
});

t.test('regression: feed: nothing is written to one that was ended while it was greeted, or that has gone', async t => {
  for (const way of ['ends', 'leaves']) {
    const { state, feed, subscribe, settle } = bench();
    let open = () => {};
    state.gate = new Promise(resolve => {
      open = resolve;
    });
    const { told, leave } = subscribe();
    await settle();
    if (way === 'ends') feed.stop();
    else leave();
    open();
    await settle();
    t.same(told, [], way);
  }
});
