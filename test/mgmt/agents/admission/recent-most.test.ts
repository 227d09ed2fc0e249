import t from 'tap';
import { RecentMost } from '../../../../src/mgmt/agents/admission/recent-most.js';

t.test('recent most: a greater number counts at once, a smaller one when a window of time has gone by', async t => {
  const recent = new RecentMost(100);
  t.equal(recent.note(5, 0), 5);
  t.equal(recent.note(9, 50), 9);
  t.equal(recent.note(2, 99), 9);
  t.equal(recent.note(2, 199), 9, 'of the window before');
  t.equal(recent.note(3, 200), 3);
  t.equal(recent.note(1, 201), 3);
});

t.test('recent most: what was noted long ago counts no more', async t => {
  const recent = new RecentMost(100);
  recent.note(9, 1_050);
  t.equal(recent.note(0, 1_200), 0);
});
