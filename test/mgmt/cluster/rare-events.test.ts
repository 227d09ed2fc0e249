import t from 'tap';
import { RareEvents } from '../../../src/mgmt/cluster/rare-events.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

t.test('rare events: the same is told once in a time, and something else is told meanwhile', async t => {
  const clock = new FakeClock();
  const events = new RareEvents({ clock, everyMs: 1_000, most: 10 });
  t.equal(events.isDue('a'), true);
  t.equal(events.isDue('a'), false);
  t.equal(events.isDue('b'), true);
  await clock.advance(999);
  t.equal(events.isDue('a'), false);
  await clock.advance(1);
  t.equal(events.isDue('a'), true);
  t.equal(events.isDue('a'), false, 'the time counts from the last telling');
});

t.test('rare events: within the time so many are told, and no more are remembered', async t => {
  const clock = new FakeClock();
  const events = new RareEvents({ clock, everyMs: 1_000, most: 3 });
  const due = (from: number) => Array.from({ length: 5 }, (_, i) => events.isDue(`${from + i}`));
  t.strictSame(due(0), [true, true, true, false, false]);
  await clock.advance(500);
  t.strictSame(due(10), [false, false, false, false, false], 'those that were not told do not count');
  await clock.advance(500);
  t.strictSame(due(20), [true, true, true, false, false]);
});

t.test('rare events: each makes room when its own time is over', async t => {
  const clock = new FakeClock();
  const events = new RareEvents({ clock, everyMs: 1_000, most: 2 });
  t.equal(events.isDue('a'), true);
  await clock.advance(600);
  t.equal(events.isDue('b'), true);
  t.equal(events.isDue('c'), false);
  await clock.advance(400);
  t.equal(events.isDue('c'), true, 'in the place of a');
  t.equal(events.isDue('a'), false);
  t.equal(events.isDue('b'), false);
});
