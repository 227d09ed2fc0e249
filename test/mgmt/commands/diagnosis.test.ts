import t from 'tap';
import { diagnosisOf } from '../../../src/mgmt/commands/diagnosis.js';
import { Answer, DoctorAnswer, LIMITS } from '../../../src/protocol/index.js';

const answered = (fields: Readonly<Record<string, unknown>>) =>
  diagnosisOf({ kind: 'answered', messages: [{ type: DoctorAnswer.type, fields }] });

t.test('diagnosis: what an agent says is cut, cleaned and counted', async t => {
  const finding = { level: 'dire', what: 'a\u001b[2J\nb', found: 'x'.repeat(10_000), more: 1 };
  const findings = Array.from({ length: LIMITS.doctorFindings + 5 }, () => finding);
  const found = answered({ result: false, details: `no\u0007${'y'.repeat(1_000)}`, findings });
  if ('none' in found) throw new Error(found.none);
  t.equal(found.findings.length, LIMITS.doctorFindings);
  t.same(found.findings[0], { level: 'error', what: 'a[2J b', found: 'x'.repeat(LIMITS.doctorTextLength) });
  t.match(found.details, /^noy{252}$/);
});

t.test('diagnosis: why there is none is said', async t => {
  const cases = [
    [answered({ findings: 7 }), /^the answer cannot be read: /],
    [
      diagnosisOf({ kind: 'answered', messages: [Answer.encode({ result: false, details: 'no' })] }),
      /^the agent says: no$/,
    ],
    [diagnosisOf({ kind: 'answered', messages: [] }), /answered nothing/],
    [diagnosisOf({ kind: 'unsupported', messages: [] }), /does not know this/],
    [diagnosisOf({ kind: 'refused', reason: 'not sent in time' }), /^not sent in time$/],
  ] as const;
  for (const [found, why] of cases) t.match(found, { none: why });
});
