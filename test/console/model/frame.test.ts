import fc from 'fast-check';
import t from 'tap';
import { carriesOn, columnsBehind, frameOf, placeIn, type View } from '../../../src/console/model/frame.js';

const DAY_MS = 86_400_000;
/** A view of a day that ends now. */
const live = (end: number, fields: Partial<View> = {}): View => ({
  ...{ columns: 1_000, rows: 500, hosts: 10_000, start: end - DAY_MS, end, isLive: true },
  ...fields,
});

t.test(
  'regression: frame: as time goes on a live grid is carried on, and the present is in its last column',
  async () => {
    const parts = {
      from: fc.nat(10 ** 9),
      columns: fc.integer({ min: 16, max: 4_000 }),
      ms: fc.array(fc.nat(200_000)),
    };
    fc.assert(
      fc.property(fc.record(parts), ({ from, columns, ms }) => {
        let end = DAY_MS + from;
        let frame = frameOf(live(end, { columns }));
        for (const later of [0, ...ms]) {
          end += later;
          const view = live(end, { columns });
          // After a long time it is made anew.
          if (later <= (DAY_MS / columns) * columns * 0.2 && !carriesOn(frame, view)) return false;
          frame = { ...frame, start: frame.start + columnsBehind(frame, view) * frame.step };
          if (Math.abs(frame.start - frameOf(view).start) > 1e-3) return false;
          const last = frame.start + frame.step * columns;
          if (!(last > end - 1e-3 && last - frame.step <= end + 1e-3)) return false;
        }
        return true;
      }),
      { numRuns: 500 },
    );
  },
);

t.test('frame: another size, another span and a time long after are other grids', async t => {
  const frame = frameOf(live(DAY_MS));
  t.equal(carriesOn(frame, live(DAY_MS + 1_000)), true);
  for (const fields of [{ columns: 999 }, { rows: 499 }, { start: DAY_MS / 2 }])
    t.equal(carriesOn(frame, live(DAY_MS, fields)), false);
  t.equal(carriesOn(frame, live(DAY_MS * 1.3)), false);
  t.equal(carriesOn(frame, live(DAY_MS - 100_000)), false);
  const past = live(DAY_MS, { isLive: false });
  t.equal(carriesOn(frameOf(past), past), true);
  t.equal(carriesOn(frameOf(past), { ...past, start: past.start + 1, end: past.end + 1 }), false);
});

t.test('frame: a former picture is where its times are', async t => {
  const frame = frameOf(live(DAY_MS, { isLive: false }));
  const quarter = { start: DAY_MS / 2, end: (3 * DAY_MS) / 4, isLive: false };
  t.same(placeIn(frame, live(DAY_MS, quarter)), { left: -2_000, width: 4_000 });
});
