import t from 'tap';
import { dateText, parseMoment } from '../../src/api/moment.js';

t.test('moment: dates are read in every form that clients send', async t => {
  const moment = Date.UTC(2026, 10, 22, 9, 0, 0);
  const forms = ['+0000', '+00:00', 'Z', '.000Z', '.000+0000'].map(end => `2026-11-22T09:00:00${end}`);
  t.same(
    forms.map(parseMoment),
    forms.map(() => moment),
  );
  t.equal(parseMoment('2026-11-22T10:00:00+0100'), moment);
  t.same(['', '2026-11-22', '2026-13-22T09:00:00Z', '2026-11-22T09:00:00'].map(parseMoment), Array(4).fill(undefined));
});

t.test('moment: what is written is read again, in whole seconds', async t => {
  const moment = Date.UTC(2026, 10, 22, 9, 5, 7);
  t.equal(dateText(moment + 999), '2026-11-22T09:05:07+0000');
  t.equal(parseMoment(dateText(moment)), moment);
});
