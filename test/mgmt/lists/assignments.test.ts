import t from 'tap';
import { Assignments } from '../../../src/mgmt/lists/assignments.js';
import { type AssignmentEntry, HOSTS_A_BATCH } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { settle } from '../../../src/testing/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';

const SERVERS = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
const EVEN = new Map<string, number>();

/** A host's row without a coming assignment, or with one. */
const row = (preferred: string | null, nextPreferred: string | null = null, nextGeneration: number | null = null) => ({
  preferred,
  nextPreferred,
  nextGeneration,
});

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
    batches: [] as (readonly AssignmentEntry[])[],
    rows: new Map<number, string>(),
    /** The generation that is committed in the store. */
    generation: 0,
    changes: 0,
    assignments: undefined as unknown as ReturnType<typeof assigning>,
  };
  const store = {
    async assignHosts(batch: readonly AssignmentEntry[], generation: number) {
      await bench.hold;
      if (bench.outage) throw new StoreError('STORE_UNAVAILABLE', 'assignHosts');
      if (generation !== bench.generation) return undefined;
      bench.batches.push(batch);
      for (const { id, preferred } of batch) if (!bench.rows.has(id)) bench.rows.set(id, preferred);
      return batch.map(({ id }) => bench.rows.get(id) ?? null);
    },
  };
  const onChange = () => {
    bench.changes++;
  };
  bench.assignments = assigning(new Assignments({ store, health, log, generation: 0, onChange }));
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
  for (let id = 1; id <= 90; id++) b.assignments.learn(id, row('192.0.2.1'));
  for (let id = 1; id <= 90; id++) b.assignments.forget(id);
  for (let id = 101; id <= 160; id++) b.assignments.learn(id, row(SERVERS[1 + (id % 2)] ?? ''));
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
  t.equal(b.assignments.learn(1, row('192.0.2.9')), false, 'a row that is older than the choice');
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
  b.assignments.learn(1, row('192.0.2.9'));
  t.equal(b.assignments.assigned(1, SERVERS, EVEN), '192.0.2.9', 'lists go by the scores meanwhile');
  await settle();
  t.same(b.batches, [], 'the server may come back, or all are computed anew');
  t.equal(b.assignments.assigned(1, [...SERVERS, '192.0.2.9'], EVEN), '192.0.2.9');
});

t.test('assignments: what another server has placed anew is taken over, and said to be news once', async t => {
  const { assignments } = bench();
  t.equal(assignments.learn(1, row('192.0.2.2')), true);
  t.equal(assignments.learn(1, row('192.0.2.2')), false);
  t.equal(assignments.learn(1, row('192.0.2.3')), true);
  t.equal(assignments.assigned(1, SERVERS, EVEN), '192.0.2.3');
});

t.test('regression: a row that was read before the choice was written does not undo it', async t => {
  const b = bench();
  const first = b.assignments.assigned(1, SERVERS, EVEN);
  await settle();
  t.equal(b.assignments.learn(1, row(null)), false, 'a long reading that had begun before');
  t.equal(b.assignments.assigned(1, SERVERS, EVEN), first);
  await settle();
  t.equal(b.batches.length, 1);
});

t.test('assignments: without servers there is nobody to lead', async t => {
  t.equal(bench().assignments.assigned(1, [], EVEN), undefined);
});

t.test('assignments: those of a generation to come count when it is taken, and all at once', async t => {
  const { assignments } = bench();
  assignments.learn(1, row('192.0.2.1'));
  assignments.learn(2, row('192.0.2.2'));
  t.equal(assignments.learn(1, row('192.0.2.1', '192.0.2.3', 5)), false, 'no news yet');
  t.equal(assignments.learn(3, row('192.0.2.1', '192.0.2.2', 5)), true, 'a host that was not known');
  const held = () => [1, 2, 3].map(id => assignments.of(id));
  t.same(held(), ['192.0.2.1', '192.0.2.2', '192.0.2.1']);
  assignments.take(4);
  t.same(held(), ['192.0.2.1', '192.0.2.2', '192.0.2.1']);
  assignments.take(5);
  t.same(held(), ['192.0.2.3', '192.0.2.2', '192.0.2.2']);
  t.equal(assignments.learn(1, row('192.0.2.1', '192.0.2.3', 5)), false, 'the same row again');
});

t.test('assignments: a row that was written for two later generations shows neither before its time', async t => {
  const { assignments } = bench();
  assignments.learn(1, row('192.0.2.1'));
  // Generation 5 was committed, and 6 begun, since the configuration was read.
  t.equal(assignments.learn(1, row('192.0.2.2', '192.0.2.3', 6)), false);
  t.equal(assignments.of(1), '192.0.2.1');
  assignments.take(5);
  t.equal(assignments.of(1), '192.0.2.2');
  assignments.take(6);
  t.equal(assignments.of(1), '192.0.2.3');
});

t.test(
  'assignments: a generation counts at once, and is carried over in turns, whatever comes between two of them',
  async t => {
    const HOSTS = 10_000;
    const { assignments } = bench();
    for (let id = 0; id < HOSTS; id++) {
      assignments.learn(id, row('192.0.2.1'));
      assignments.learn(id, row('192.0.2.1', '192.0.2.2', 5));
    }
    // Of host 1 generation 6 is begun already.
    assignments.learn(1, row('192.0.2.2', '192.0.2.3', 6));
    assignments.take(5);
    const all = (id: number) => assignments.of(id) === '192.0.2.2';
    t.ok(Array.from({ length: HOSTS }, (_, id) => id).every(all), 'before anything is carried over');
    const settling = assignments.settle();
    settling.next();
    assignments.forget(HOSTS - 1);
    t.equal(assignments.learn(HOSTS - 2, row('192.0.2.2', '192.0.2.3', 6)), false);
    assignments.take(6);
    let steps = 1;
    while (!settling.next().done) steps++;
    t.ok(steps >= HOSTS / 1_000);
    t.same(
      [0, 1, HOSTS - 3, HOSTS - 2, HOSTS - 1].map(id => assignments.of(id)),
      ['192.0.2.2', '192.0.2.3', '192.0.2.2', '192.0.2.3', undefined],
    );
    const first = assignments.assigned(HOSTS, ['192.0.2.2', '192.0.2.3'], EVEN);
    t.equal(first, '192.0.2.3', 'the counts are those of what counts');
  },
);

t.test('assignments: an attempt that was abandoned is forgotten', async t => {
  const { assignments } = bench();
  assignments.learn(1, row('192.0.2.1', '192.0.2.3', 5));
  assignments.learn(1, row('192.0.2.1'));
  assignments.take(6);
  t.equal(assignments.of(1), '192.0.2.1');
});

t.test('assignments: what was chosen by a former generation is not written, and chosen anew', async t => {
  const b = bench();
  b.generation = 1;
  b.assignments.assigned(1, ['192.0.2.9'], EVEN);
  await settle();
  t.same([...b.rows], [], 'the store has another generation');
  b.assignments.take(1);
  t.equal(b.assignments.of(1), undefined);
  t.equal(b.assignments.assigned(1, ['192.0.2.1'], EVEN), '192.0.2.1');
  await settle();
  t.same([...b.rows], [[1, '192.0.2.1']]);
});

t.test('assignments: of two servers that choose for one host the first to write decides', async t => {
  const b = bench();
  b.rows.set(1, '192.0.2.9');
  b.assignments.assigned(1, SERVERS, EVEN);
  await settle();
  t.equal(b.assignments.of(1), '192.0.2.9');
  t.equal(b.changes, 1, 'agents are compared with their lists');
});
