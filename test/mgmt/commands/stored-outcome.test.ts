import t from 'tap';
import { isWell, storedOutcome } from '../../../src/mgmt/commands/stored-outcome.js';
import { Answer, type Message } from '../../../src/protocol/index.js';

const OF = { hostId: 7, durationMs: 12, msid: 1 };
const answered = (...messages: Message[]) => storedOutcome({ kind: 'answered', messages }, OF);

t.test('outcome: well is when every answer is', async t => {
  const good = Answer.encode({ result: true });
  const bad = Answer.encode({ result: false, details: 'disk\u0007 is full' });
  t.equal(isWell(answered(good, good)), true);
  t.equal(isWell(answered(good, bad)), false);
  t.equal(isWell(answered()), false, 'no answer is none');
  t.match(answered(good, bad), { isGood: false, reason: /^disk.? is full$/, isTruncated: false, ...OF });
  t.equal(isWell(storedOutcome({ kind: 'unsupported', messages: [bad] }, OF)), false);
  const refused = storedOutcome({ kind: 'refused', reason: 'not connected' }, OF);
  t.match(refused, { kind: 'refused', isGood: null, reason: 'not connected', answers: null });
});

t.test('outcome: answers are JSON, and 64 KiB at most', async t => {
  const { answers } = answered({
    type: 'com.example.WorkAnswer',
    fields: { result: true, figure: 2n ** 60n, text: 'ü\ud800' },
  });
  t.match(JSON.parse(answers ?? ''), [{ 'com.example.WorkAnswer': { result: true, text: /^ü/ } }]);
  t.match(answers, '1152921504606846976', 'large numbers keep their digits');
  const long = answered({
    type: 'com.example.WorkAnswer',
    fields: { result: true, details: 'd', text: 'x'.repeat(70_000) },
  });
  t.equal(long.isTruncated, true);
  const text = 'x'.repeat(16_384);
  t.strictSame(JSON.parse(long.answers ?? ''), [{ 'com.example.WorkAnswer': { result: true, details: 'd', text } }]);
  const deep = answered({
    type: 'com.example.WorkAnswer',
    fields: { result: true, details: 'd', list: ['x'.repeat(70_000)] },
  });
  t.strictSame(JSON.parse(deep.answers ?? ''), [{ 'com.example.WorkAnswer': { result: true, details: 'd' } }]);
  const many = answered(
    ...Array.from({ length: 30 }, () => Answer.encode({ result: true, details: 'y'.repeat(9_000) })),
  );
  t.match(many, { isTruncated: true, answers: /y{1024}/, isGood: true });
  const tooMany = answered(...Array.from({ length: 3_000 }, () => Answer.encode({ result: true, details: 'z' })));
  t.match(tooMany, { isTruncated: true, answers: null, isGood: true });
});
