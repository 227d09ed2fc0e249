import t from 'tap';
import { silentLog } from '../../../../src/lib/logger.js';
import { MGMT_LIMITS } from '../../../../src/mgmt/config/limits.js';
import { Feed } from '../../../../src/mgmt/http/console/feed.js';
import {
  cursorText,
  feedFrom,
  next,
  parseCursor,
  type Reading,
  readFrom,
} from '../../../../src/mgmt/http/console/feed-state.js';
import type { Handlers } from '../../../../src/mgmt/http/handlers/index.js';
import { FakeClock } from '../../../../src/testing/fake-clock.js';

const AT = Date.parse('2026-11-22T09:00:00Z');
const move = (id: string, at: number) =>
  ({ id, at, created: '', kind: 'lost', cause: 'silent' }) as Reading['moves'][number];
const event = (id: string, created: string) => ({ id, created, description: id }) as Reading['events'][number];
const NOTHING: Reading = { moves: [], events: [], servers: [], jobs: [], configurations: [], alerts: [] };

t.test('feed: each move and event is told once, oldest first, also when it is read again', async t => {
  const first = next(feedFrom({ moves: AT, events: AT }), {
    ...NOTHING,
    moves: [move('b', AT + 2), move('a', AT + 1)],
    events: [event('x', '2026-11-22T09:00:05+0000')],
  });
  t.match(first.messages, [
    { event: 'moves', items: [{ id: 'a' }, { id: 'b' }] },
    { event: 'events', items: [{ id: 'x' }] },
    { event: 'alerts', items: [] },
  ]);
  t.same(first.state.cursor, { moves: AT + 2, events: AT + 5_000 });
  // A record of an earlier moment is written later.
  const late = next(first.state, { ...NOTHING, moves: [move('b', AT + 2), move('late', AT + 1), move('a', AT + 1)] });
  t.match(late.messages, [{ event: 'moves', items: [{ id: 'late' }] }]);
  t.equal(late.state.cursor.moves, AT + 2);
  t.ok(readFrom(late.state.cursor).moves < AT);
});

t.test('feed: servers, jobs and values are told when they change; heartbeats are no change', async t => {
  const server = (state: string, heartbeatage: number) =>
    ({ id: '1', state, heartbeatage, agents: ['h'], lastagents: [] }) as unknown as Reading['servers'][number];
  const first = next(feedFrom({ moves: 0, events: 0 }), { ...NOTHING, servers: [server('Up', 0)] });
  t.strictSame(first.messages, [
    { event: 'servers', items: [{ id: '1', state: 'Up' }] },
    { event: 'alerts', items: [] },
  ]);
  const same = next(first.state, { ...NOTHING, servers: [server('Up', 1)] });
  t.strictSame(same.messages, []);
  const down = next(same.state, { ...NOTHING, servers: [server('Down', 2)] });
  t.strictSame(down.messages, [{ event: 'servers', items: [{ id: '1', state: 'Down' }] }]);
});

t.test('feed: open alerts are told as a whole when one comes, is silenced, or is over', async t => {
  const alert = (more: object = {}) => ({ id: 'a', ...more }) as Reading['alerts'][number];
  let state = feedFrom({ moves: 0, events: 0 });
  const told = (alerts: Reading['alerts']) => {
    const after = next(state, { ...NOTHING, alerts });
    state = after.state;
    return after.messages.map(({ items }) => items);
  };
  t.strictSame(told([]), [[]], 'who comes again forgets those that it has');
  t.strictSame(told([]), []);
  t.strictSame(told([alert()]), [[{ id: 'a' }]]);
  t.strictSame(told([alert()]), []);
  t.strictSame(told([alert({ silencedto: 'x' })]), [[{ id: 'a', silencedto: 'x' }]]);
  t.strictSame(told([]), [[]]);
});

t.test('feed: a cursor is a text, and back', async t => {
  const cursor = { moves: AT, events: AT + 1 };
  t.same(parseCursor(cursorText(cursor)), cursor);
  for (const text of [undefined, '', '1', '1-2-3', 'a-b', '-1-2']) t.equal(parseCursor(text), undefined, `${text}`);
});

/** A feed over an API of which the test says what it answers. */
function bench() {
  const clock = new FakeClock();
  const state = { reading: NOTHING, outage: false, asked: 0, gate: Promise.resolve() };
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
  const feed = new Feed({ clock, log: silentLog, handlers });
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
    // Open alerts, also that there are none, are told at the beginning in any case.
    const names = () => told.map(text => /event: (\w+)/.exec(text)?.[1]).filter(name => name !== 'alerts');
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
  return { clock, state, feed, subscribe, tick, settle };
}

t.test('feed: who comes again with a cursor is told what has happened since; a newcomer reads that itself', async t => {
  const { state, subscribe, settle } = bench();
  state.reading = { ...NOTHING, moves: [move('m', AT + 9)] };
  const newcomer = subscribe();
  const again = subscribe(cursorText({ moves: AT, events: AT }));
  await settle();
  t.same(newcomer.names(), ['hello']);
  t.same(again.names(), ['hello', 'moves']);
  t.match(again.told[1], new RegExp(`^id: ${AT + 9}-${AT}\n`));
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
