import t from 'tap';
import { Assignments } from '../../../src/mgmt/lists/assignments.js';
import { HOSTS_A_BATCH, type PreferredEntry } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { settle } from '../../helpers/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';

const SERVERS = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
const EVEN = new Map<string, number>();

/** Assigns, and tells what holds then. */
function assigning(assignments: Assignments) {
  return Object.assign(assignments, {
    assigned(hostId: number, servers: readonly string[], weights: ReadonlyMap<string, number>) {
      assignments.assign(hostId, servers, weights);
      return assignments.of(hostId);
    },
  });
}

function bench() {
  const log = new RecordingLog();
  const health = new StoreHealth(log);
  const bench = {
    health,
    outage: false,
    /** Lets the next writes wait until it is called. */
    hold: undefined as Promise<void> | undefined,
    batches: [] as (readonly PreferredEntry[])[],
    rows: new Map<number, string | null>(),
    assignments: undefined as unknown as ReturnType<typeof assigning>,
  };
  const store = {
    async setPreferred(batch: readonly PreferredEntry[]) {
      await bench.hold;
      if (bench.outage) throw new StoreError('STORE_UNAVAILABLE', 'setPreferred');
      bench.batches.push(batch);
      for (const { id, preferred } of batch) bench.rows.set(id, preferred);
    },
  };
  bench.assignments = assigning(new Assignments(store, health, log));
  return bench;
}

t.test('assignments: a host that has none gets one, keeps it, and its row follows', async t => {
  const { assignments, rows } = bench();
  const first = assignments.assigned(1, SERVERS, EVEN);
  t.ok(first !== undefined && SERVERS.includes(first));
  t.equal(assignments.assigned(1, SERVERS, EVEN), first);
  t.equal(assignments.assigned(1, [...SERVERS].reverse(), new Map([['192.0.2.3', 9]])), first, 'whatever else changes');
  await settle();
  t.same([...rows], [[1, first]]);
});

t.test('assignments: shares stay below the cap by the counters alone', async t => {
  const { assignments } = bench();
  const counts = new Map(SERVERS.map(address => [address, 0]));
  const over: string[] = [];
  for (let id = 1; id <= 3_000; id++) {
    const first = assignments.assigned(id, SERVERS, EVEN) ?? '';
    counts.set(first, (counts.get(first) ?? 0) + 1);
    const most = Math.ceil((1.05 * id) / 3);
    for (const [address, led] of counts) if (led > most) over.push(`${address} leads ${led} of ${id}`);
  }
  t.same(over, []);
});

t.test('assignments: a host that was removed makes room, and is forgotten before it was written', async t => {
  const b = bench();
  for (let id = 1; id <= 90; id++) b.assignments.learn(id, '192.0.2.1');
  for (let id = 1; id <= 90; id++) b.assignments.forget(id);
  for (let id = 101; id <= 160; id++) b.assignments.learn(id, SERVERS[1 + (id % 2)] ?? '');
  t.equal(b.assignments.assigned(200, SERVERS, EVEN), '192.0.2.1', 'its 90 count no longer');
  await settle();
  b.outage = true;
  b.assignments.assigned(201, SERVERS, EVEN);
  await settle();
  b.assignments.forget(201);
  b.outage = false;
  await b.health.watch(async () => {});
  await settle();
  t.same([...b.rows.keys()], [200]);
});

t.test('assignments: many choices are written in batches', async t => {
  const b = bench();
  for (let id = 1; id <= 1_200; id++) b.assignments.assigned(id, SERVERS, EVEN);
  await settle();
  t.same(
    b.batches.map(({ length }) => length),
    // The first went off alone; the others gathered behind it.
    [1, HOSTS_A_BATCH, HOSTS_A_BATCH, 199],
  );
  t.equal(b.rows.size, 1_200);
});

t.test('assignments: while the store is away choices hold in memory, and are written once when it is back', async t => {
  const b = bench();
  b.outage = true;
  const first = b.assignments.assigned(1, SERVERS, EVEN);
  await settle();
  const second = b.assignments.assigned(2, SERVERS, EVEN);
  t.equal(b.assignments.learn(1, '192.0.2.9'), false, 'a row that is older than the choice');
  t.equal(b.assignments.assigned(1, SERVERS, EVEN), first);
  b.outage = false;
  await b.health.watch(async () => {});
  await settle();
  t.same(
    [...b.rows],
    [
      [1, first],
      [2, second],
    ],
  );
  t.equal(b.batches.length, 1);
});

t.test('assignments: a host whose server is gone keeps its assignment and its row', async t => {
  const b = bench();
  b.assignments.learn(1, '192.0.2.9');
  t.equal(b.assignments.assigned(1, SERVERS, EVEN), '192.0.2.9', 'lists go by the scores meanwhile');
  await settle();
  t.same(b.batches, [], 'the server may come back, or all are computed anew');
  t.equal(b.assignments.assigned(1, [...SERVERS, '192.0.2.9'], EVEN), '192.0.2.9');
});

t.test('assignments: what another server has placed anew is taken over, and said to be news once', async t => {
  const { assignments } = bench();
  t.equal(assignments.learn(1, '192.0.2.2'), true);
  t.equal(assignments.learn(1, '192.0.2.2'), false);
  t.equal(assignments.learn(1, '192.0.2.3'), true);
  t.equal(assignments.assigned(1, SERVERS, EVEN), '192.0.2.3');
});

t.test('regression: a row that was read before the choice was written does not undo it', async t => {
  const b = bench();
  const first = b.assignments.assigned(1, SERVERS, EVEN);
  await settle();
  t.equal(b.assignments.learn(1, null), false, 'a long reading that had begun before');
  t.equal(b.assignments.assigned(1, SERVERS, EVEN), first);
  await settle();
  t.equal(b.batches.length, 1);
});

t.test('assignments: without servers there is nobody to lead', async t => {
  t.equal(bench().assignments.assigned(1, [], EVEN), undefined);
});
