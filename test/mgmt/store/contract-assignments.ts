import { HOSTS_A_BATCH, ROWS_A_PAGE, type Store } from '../../../src/mgmt/store/store.js';
import { assignments, writtenAttempt } from '../../helpers/assign.js';
import { hostDescription } from '../../helpers/host-description.js';
import { registerHost } from '../../helpers/one-host.js';
import { type FreshStore, storeTest } from './store-test.js';

/** So few that a loaded machine has them in time. */
const HOSTS_A_CALL = 100;

/** Registers `count` hosts, whose ids are 1, 2, 3 … */
async function registered(store: Store, count: number): Promise<void> {
  const zone = await store.zoneId('default');
  for (let from = 0; from < count; from += HOSTS_A_CALL) {
    const size = Math.min(HOSTS_A_CALL, count - from);
    await store.registerHosts(Array.from({ length: size }, (_, i) => hostDescription(`guid${from + i + 1}`, zone)));
  }
}

const entry = (id: number, preferred: string) => ({ id, preferred });
const NONE = new Map<string, string>();

/** The assignments of hosts, by generation. */
export function assignmentsContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('assignments: a host that has none gets one, and keeps it', async (t, store) => {
    await registered(store, 4);
    await store.removeHost(4, 1_000);
    const first = [entry(2, 'b'), entry(1, 'a'), entry(4, 'a'), entry(99, 'a')];
    t.strictSame(await store.assignHosts(first, 0), ['b', 'a', null, null]);
    t.strictSame(await store.assignHosts([entry(1, 'c'), entry(3, 'c')], 0), ['a', 'c']);
    await registerHost(store, hostDescription('guid1', 1, { name: 'renamed' }));
    t.strictSame([...(await assignments(store)).values()], ['a', 'b', 'c']);
    t.equal(await store.assignHosts([entry(1, 'd')], 7), undefined, 'chosen by another generation');
  });

  test('assignments: those of a new generation count from its commit on, with the values', async (t, store) => {
    await registered(store, 4);
    await store.assignHosts([entry(1, 'a'), entry(2, 'a')], 0);
    const attempt = await writtenAttempt(store, [entry(1, 'b'), entry(3, 'b')]);
    t.strictSame([...(await assignments(store)).values()], ['a', 'a', null, null], 'not yet');
    const { generation } = attempt;
    t.match(await store.hostsById([1]), [{ preferred: 'a', nextPreferred: 'b', nextGeneration: generation }]);
    t.strictSame(await store.assignHosts([entry(3, 'c'), entry(4, 'c')], 0), ['c', 'c'], 'meanwhile');
    const values = new Map([['host', 'b']]);
    t.strictSame(await store.updateConfiguration(values, 0, { attempt }), { done: true, version: 1 });
    t.strictSame(await store.configuration(), {
      version: 1,
      values,
      assignmentGeneration: attempt.generation,
      revocation: 0,
      authorities: 0,
    });
    t.strictSame([...(await assignments(store)).values()], ['b', 'a', 'b', 'c']);
    t.strictSame(await store.assignHosts([entry(1, 'd')], attempt.generation), ['b']);
    t.strictSame(await store.updateConfiguration(NONE, 1, { attempt }), { done: false, version: 1 }, 'once only');
    const next = await writtenAttempt(store, [entry(1, 'e')]);
    t.ok(next.generation > attempt.generation);
    t.match(await store.host(1), { preferred: 'b', nextPreferred: 'e' }, 'the row keeps the one that counts');
    t.strictSame(
      await store.updateConfiguration(NONE, 1, { attempt: next }),
      { done: true, version: 2 },
      'values may stay',
    );
    t.strictSame([...(await assignments(store)).values()], ['e', 'a', 'b', 'c']);
  });

  test('assignments: with another configuration than expected, nothing of them counts', async (t, store) => {
    await registered(store, 1);
    await store.assignHosts([entry(1, 'a')], 0);
    const attempt = await writtenAttempt(store, [entry(1, 'b')]);
    await store.updateConfiguration(new Map([['host', 'c']]), 0);
    t.strictSame(await store.updateConfiguration(new Map([['host', 'b']]), 0, { attempt }), {
      done: false,
      version: 1,
    });
    t.strictSame(await store.configuration(), {
      version: 1,
      values: new Map([['host', 'c']]),
      assignmentGeneration: 0,
      revocation: 0,
      authorities: 0,
    });
    t.strictSame([...(await assignments(store)).values()], ['a']);
    t.match(
      await store.updateConfiguration(new Map([['host', 'b']]), 1, { attempt }),
      { done: true },
      'it is still there',
    );
  });

  test('assignments: an attempt that was abandoned leaves nothing', async (t, store, open) => {
    await registered(store, 1_200);
    const other = await open();
    const all = Array.from({ length: 1_200 }, (_, i) => i + 1);
    let dead = await writtenAttempt(store, []);
    for (let at = 0; at < all.length; at += HOSTS_A_BATCH) {
      const batch = all.slice(at, at + HOSTS_A_BATCH).map(id => entry(id, 'dead'));
      const written = await store.writeAssignments(dead, batch);
      if (written === undefined) throw new Error('nobody else has begun');
      dead = written;
    }
    const { step } = dead;
    t.strictSame(await other.beginAssignment(), { begun: false, step });
    t.strictSame(await other.beginAssignment(step - 1), { begun: false, step }, 'it has written since');
    const { cursor } = await store.hostVersions();
    const begun = await other.beginAssignment(step);
    t.match(begun, { begun: true, attempt: { generation: step + 1 } });
    t.equal(await store.writeAssignments(dead, [entry(1, 'late')]), undefined);
    t.match(await store.updateConfiguration(NONE, 0, { attempt: dead }), { done: false });
    t.equal((await store.hosts()).filter(({ nextPreferred }) => nextPreferred !== null).length, 0);
    const { versions, more } = await store.hostVersions(cursor);
    t.ok(versions.length === ROWS_A_PAGE && more, 'the others are told that it is gone');
    if (begun.begun)
      t.match(await other.updateConfiguration(NONE, 0, { attempt: begun.attempt }), { done: true, version: 1 });
    t.strictSame(new Set((await assignments(store)).values()), new Set([null]));
  });

  test('assignments: of servers that assign at the same moment one commits', async (t, store, open) => {
    await registered(store, 60);
    const stores = [store, await open(), await open()];
    const ids = Array.from({ length: 60 }, (_, i) => i + 1);
    const results = await Promise.all(
      stores.map(async (s, i) => {
        const begun = await s.beginAssignment();
        if (!begun.begun) return false;
        const attempt = await s.writeAssignments(
          begun.attempt,
          ids.map(id => entry(id, `server ${i}`)),
        );
        return (
          attempt !== undefined &&
          (await s.updateConfiguration(new Map([['host', `server ${i}`]]), 0, { attempt })).done
        );
      }),
    );
    t.ok(results.filter(done => done).length <= 1);
    const host = (await store.configuration()).values.get('host') ?? null;
    t.strictSame(new Set((await assignments(store)).values()), new Set([host]), 'and all hosts follow that one');
  });
}
