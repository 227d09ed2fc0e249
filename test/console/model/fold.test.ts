import fc from 'fast-check';
import t from 'tap';
import { ASTRAY, advance, fold, hostsOfRow, NO_DATA, NO_LINK, refold, rowOf } from '../../../src/console/model/fold.js';
import { NOT_YET, type Step, type Track, whereAt } from '../../../src/console/model/tracks.js';
import { runAtOnce } from '../../../src/lib/interruptible.js';
import { step, track } from './helpers.js';

const folded = (...[tracks, options]: Parameters<typeof fold>) => runAtOnce(fold(tracks, options));

/** A grid of one row, ten columns of 100 ms. */
function row(...tracks: readonly Track[]): readonly number[] {
  return [...folded(tracks, { columns: 10, rows: 1, start: 1_000, end: 2_000 }).cells];
}

t.test('fold: a host without moves has one colour, and nothing before it came', async t => {
  t.same(row(track('a')), Array(10).fill(1));
  t.same(row(track('a', { preferred: 2 })), Array(10).fill(ASTRAY + 1));
  t.same(row(track('a', { first: 0 })), Array(10).fill(NO_LINK));
  t.same(row(track('a', { first: NOT_YET })), Array(10).fill(NO_DATA));
  const come = track('a', { first: NOT_YET, steps: [step(1_500, 1, { kind: 'connect', gap: undefined })] });
  t.same(row(come), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
});

t.test('fold: a failover is a gap and another colour; a gap that is shorter than a column fills one', async t => {
  const failed = track('a', { steps: [step(1_450, 2, { gap: 10 })] });
  t.same(row(failed), [1, 1, 1, 1, NO_LINK, ...Array(5).fill(ASTRAY + 2)]);
  // Its server has noticed only later that the host was gone.
  const noticed = track('a', { steps: [step(1_400, 0, { kind: 'lost' }), step(1_600, 2, { gap: 350 })] });
  t.same(row(noticed), [1, 1, NO_LINK, NO_LINK, NO_LINK, NO_LINK, ...Array(4).fill(ASTRAY + 2)]);
});

t.test('fold: moves before and after the window are of no consequence but for where hosts are in it', async t => {
  const moved = track('a', { steps: [step(100, 2, { gap: 50 }), step(900, 3), step(2_000, 1)] });
  t.same(row(moved), Array(10).fill(ASTRAY + 3));
  const late = track('a', { steps: [step(500, 0, { kind: 'lost' }), step(5_000, 2, { gap: 4_500 })] });
  t.same(row(late), Array(10).fill(NO_LINK));
});

t.test('fold: a row shows the worst of its hosts', async t => {
  const well = track('a');
  const astray = track('b', { steps: [step(1_200, 2, { gap: 0 }), step(1_800, 1, { gap: 0 })] });
  const gone = track('c', { steps: [step(1_400, 0, { kind: 'lost' }), step(1_500, 1)] });
  t.same(row(well, astray, gone), [1, 1, 102, 102, NO_LINK, 102, 102, 102, 1, 1]);
});

t.test('fold: each host has one row, and each row at least one host', async t => {
  for (const [rows, hosts] of [
    [1, 1],
    [3, 3],
    [3, 10],
    [7, 100],
    [599, 10_000],
  ] as const) {
    const places = Array.from({ length: rows }, (_, index) => hostsOfRow({ rows, hosts }, index));
    t.equal(places[0]?.[0], 0);
    t.equal(places.at(-1)?.[1], hosts);
    t.ok(places.every(([from, to], index) => to > from && (index === 0 || places[index - 1]?.[1] === from)));
    t.ok(
      places.every(
        ([from, to], index) => rowOf({ rows, hosts }, from) === index && rowOf({ rows, hosts }, to - 1) === index,
      ),
    );
  }
});

const steps = fc
  .array(
    fc.record({
      after: fc.integer({ min: 1, max: 400 }),
      server: fc.integer({ min: 0, max: 3 }),
      gap: fc.option(fc.integer({ min: 0, max: 300 })),
    }),
    { maxLength: 12 },
  )
  .map(all => {
    let at = 500;
    return all.map(({ after, server, gap }): Step => {
      at += after;
      return step(at, server, { gap: server === 0 ? undefined : (gap ?? undefined) });
    });
  });
const tracks = fc
  .array(fc.record({ first: fc.integer({ min: -1, max: 3 }), preferred: fc.integer({ min: 1, max: 3 }), steps }), {
    minLength: 1,
    maxLength: 12,
  })
  .map(all => all.map((one, index) => track(`h${index}`, one)));

t.test('fold: what is folded step by step is what is folded at once (fast-check)', async () => {
  fc.assert(
    fc.property(
      tracks,
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 30 }),
      fc.nat(11),
      (all, rows, by, changed) => {
        const options = { columns: 20, rows, start: 1_000, end: 2_000 };
        const place = changed % all.length;
        const before = all.map((one, index) => (index === place ? { ...one, steps: one.steps.slice(0, 2) } : one));
        const grid = folded(before, options);
        refold(grid, all, [place]);
        const moved = advance(grid, all, by);
        const whole = folded(all, { ...options, start: 1_000 + by * 50, end: 2_000 + by * 50 });
        return Buffer.compare(moved.cells, whole.cells) === 0;
      },
    ),
    { numRuns: 300 },
  );
});

t.test('fold: rows are folded in steps of a bounded size, each once, and told when they are', async t => {
  const many = Array.from({ length: 10_000 }, (_, index) => track(`h${index}`, { preferred: (index % 3) + 1 }));
  const told: (readonly [number, number])[] = [];
  const computation = fold(many, { columns: 2_000, rows: 1_200, start: 0, end: 86_400_000 }, (grid, from, to) => {
    told.push([from, to]);
    t.ok(grid.cells.subarray(from * 2_000, to * 2_000).every(cell => cell !== NO_DATA));
  });
  let steps = 0;
  while (!computation.next().done) t.equal(told.length, ++steps);
  t.equal(told[0]?.[0], 0);
  t.equal(told.at(-1)?.[1], 1_200);
  t.ok(told.every(([from, to], index) => to - from < 60 && (index === 0 || told[index - 1]?.[1] === from)));
});

t.test('fold: where a host was at any moment its cell is no better than that (fast-check)', async () => {
  fc.assert(
    fc.property(tracks, fc.integer({ min: 1_000, max: 1_999 }), (all, moment) => {
      const grid = folded(all, { columns: 20, rows: 12, start: 1_000, end: 2_000 });
      return all.every((one, place) => {
        const server = whereAt(one, moment);
        const least =
          server < 0 ? NO_DATA : server === 0 ? NO_LINK : server === one.preferred ? server : ASTRAY + server;
        return (grid.cells[place * 20 + Math.floor((moment - 1_000) / 50)] ?? 0) >= least;
      });
    }),
    { numRuns: 300 },
  );
});
