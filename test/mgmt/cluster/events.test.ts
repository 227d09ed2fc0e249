import t from 'tap';
import { systemRandom } from '../../../src/lib/random.js';
import { type ClusterEvent, EventLog } from '../../../src/mgmt/cluster/events.js';
import { EVENTS_A_BATCH, type NewEvent, type Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { freshStore, MSID_1 } from '../../helpers/api-bench.js';
import { RecordingLog } from '../../helpers/recording-log.js';

const EVENT: ClusterEvent = { type: 'HOST.UPDATE', level: 'INFO', description: 'x' };

/** A store that keeps the batches it was given, at the pace that a test likes. */
function eventLog() {
  const clock = new FakeClock();
  const log = new RecordingLog();
  const batches: NewEvent[][] = [];
  const swept: unknown[] = [];
  const state = { away: false, hold: undefined as Promise<void> | undefined, batches, swept, old: 0 };
  const store: Pick<Store, 'addEvents' | 'deleteEvents'> = {
    async addEvents(batch) {
      batches.push([...batch]);
      await state.hold;
      if (state.away) throw new StoreError('STORE_UNAVAILABLE', 'addEvents');
    },
    async deleteEvents(bounds) {
      swept.push(bounds);
      const deleted = Math.min(state.old, 1_000);
      state.old -= deleted;
      return deleted;
    },
  };
  const events = new EventLog(store, new StoreHealth(log), { clock, random: systemRandom, log, msid: MSID_1 });
  return { events, clock, log, state };
}

t.test('events: they are written a second later, together and in their order', async t => {
  const { events, clock, state } = eventLog();
  events.add({ ...EVENT, description: 'one', hostUuid: 'u-1' });
  await clock.advance(500);
  events.add({ type: 'SERVER.UP', level: 'WARN', description: 'two' });
  await clock.advance(499);
  t.equal(state.batches.length, 0);
  await clock.advance(1);
  const one = { type: 'HOST.UPDATE', level: 'INFO', description: 'one', ageMs: 1_000, msid: MSID_1, username: null };
  const two = { type: 'SERVER.UP', level: 'WARN', description: 'two', ageMs: 500, msid: MSID_1, username: null };
  const [first, second] = state.batches[0] ?? [];
  t.not(first?.uuid, second?.uuid);
  t.same(state.batches, [
    [
      { ...one, uuid: first?.uuid, resourceType: 'Host', resourceId: 'u-1' },
      { ...two, uuid: second?.uuid, resourceType: null, resourceId: null },
    ],
  ]);
  t.equal(clock.pending, 0, 'no timer while there is nothing to write');
});

t.test('regression: events: what may have been written is given again under its id', async t => {
  const { events, clock, state } = eventLog();
  state.away = true;
  events.add(EVENT);
  await clock.advance(1_000);
  state.away = false;
  await clock.advance(2_000);
  const uuids = state.batches.flat().map(({ uuid }) => uuid);
  t.equal(uuids.length, 2);
  t.equal(uuids[0], uuids[1]);
});

t.test('events: those of many agents at once are a few writes, each of a bounded batch', async t => {
  const { events, clock, state } = eventLog();
  for (let i = 0; i < 2 * EVENTS_A_BATCH + 1; i++) events.add({ ...EVENT, description: `${i}` });
  await clock.advance(1_000);
  t.same(
    state.batches.map(batch => batch.length),
    [EVENTS_A_BATCH, EVENTS_A_BATCH, 1],
  );
});

t.test('events: while the store is away they are held, and the oldest go first when there are too many', async t => {
  const { events, clock, log, state } = eventLog();
  state.away = true;
  for (let i = 0; i < 10_002; i++) events.add({ ...EVENT, description: `${i}` });
  await clock.advance(3_000);
  t.equal(log.count('warn'), 0);
  state.away = false;
  state.batches.length = 0;
  await clock.advance(1_000);
  const written = state.batches.flat().map(({ description }) => description);
  t.equal(written.length, 10_000);
  t.same([written[0], written.at(-1)], ['2', '10001']);
  t.same(log.fieldsOf('warn Events were lost while the store was away'), { events: 2 });
});

t.test('events: one that was held while the store was away tells how long ago it was', async t => {
  const { events, clock, state } = eventLog();
  state.away = true;
  events.add({ ...EVENT, description: 'one' });
  await clock.advance(60_500);
  state.away = false;
  state.batches.length = 0;
  await clock.advance(500);
  t.match(state.batches, [[{ description: 'one', ageMs: 61_000 }]]);
});

t.test('regression: while a slow write is under way, the same events are not written once more', async t => {
  const { events, clock, state } = eventLog();
  let release = () => {};
  state.hold = new Promise(resolve => {
    release = resolve;
  });
  events.add({ ...EVENT, description: 'one' });
  await clock.advance(1_000);
  events.add({ ...EVENT, description: 'two' });
  await clock.advance(5_000);
  t.equal(state.batches.length, 1, 'the first write is still under way');
  state.hold = undefined;
  release();
  await settle();
  await clock.advance(1_000);
  t.same(
    state.batches.flat().map(({ description }) => description),
    ['one', 'two'],
  );
});

t.test('events: close writes all, and nothing comes after it', async t => {
  const { events, clock, state } = eventLog();
  events.add({ ...EVENT, description: 'one' });
  await events.close();
  t.equal(state.batches.length, 1);
  events.add({ ...EVENT, description: 'late' });
  await clock.advance(10_000);
  t.equal(state.batches.length, 1);
  t.equal(clock.pending, 0);
});

t.test('events: close in the midst of a write waits for it, and writes the rest', async t => {
  const { events, clock, state } = eventLog();
  let release = () => {};
  state.hold = new Promise(resolve => {
    release = resolve;
  });
  events.add({ ...EVENT, description: 'one' });
  await clock.advance(1_000);
  events.add({ ...EVENT, description: 'two' });
  const closed = events.close();
  release();
  await closed;
  t.same(
    state.batches.flat().map(({ description }) => description),
    ['one', 'two'],
  );
});

t.test('events: close does not wait for a store that is away', async t => {
  const { events, clock, state } = eventLog();
  state.away = true;
  events.add(EVENT);
  await events.close();
  t.equal(clock.pending, 0);
});

t.test('events: old ones are swept once an hour', async t => {
  const { events, clock, state } = eventLog();
  for (let minute = 0; minute < 61; minute++) {
    events.add(EVENT);
    await clock.advance(60_000);
  }
  t.same(state.swept, [{ ageMs: 30 * 86_400_000, keep: 100_000 }]);
});

t.test('regression: what an agent says cannot keep the store from taking events', async t => {
  const store = await freshStore(t);
  const { clock, log } = eventLog();
  const events = new EventLog(store, new StoreHealth(log), { clock, random: systemRandom, log, msid: MSID_1 });
  events.add({ ...EVENT, description: `lost: ${'a\0b'.repeat(1_000)}` });
  events.add({ ...EVENT, description: 'behind it' });
  await events.close();
  const { rows } = await store.events({ page: 1, pagesize: 10 });
  t.match(rows, [{ description: 'behind it' }, { description: /^lost: abab/ }]);
  t.ok((rows[1]?.description.length ?? 0) <= 1_000);
});

t.test('regression: old events are deleted until none is left, a batch a call', async t => {
  const { events, clock, state } = eventLog();
  state.old = 12_345;
  await clock.advance(3_600_000);
  events.add(EVENT);
  await clock.advance(1_000);
  for (let i = 0; i < 20; i++) await settle();
  t.equal(state.old, 0);
  t.equal(state.swept.length, 14);
  t.match(state.swept[0], { keep: 100_000 });
});

t.test("regression: a server whose clock is behind the store's by weeks keeps its new events", async t => {
  const store = await freshStore(t);
  const { log } = eventLog();
  const clock = new FakeClock(Date.now() - 40 * 86_400_000);
  const events = new EventLog(store, new StoreHealth(log), { clock, random: systemRandom, log, msid: MSID_1 });
  events.add(EVENT);
  await clock.advance(500);
  await events.close();
  t.equal(await store.deleteEvents({ ageMs: 30 * 86_400_000 }), 0);
  const { rows } = await store.events({ page: 1, pagesize: 10 });
  t.ok(Math.abs(Date.now() - (rows[0]?.created ?? 0)) < 60_000);
});

t.test('events: what an agent has said is cleaned', async t => {
  const { events, clock, state } = eventLog();
  events.add({ ...EVENT, description: `one\0\n${'x'.repeat(2_000)}` });
  await clock.advance(1_000);
  t.match(state.batches[0]?.[0]?.description, /^one x+$/);
  t.ok((state.batches[0]?.[0]?.description.length ?? 0) <= 1_000);
});
