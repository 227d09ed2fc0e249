import t from 'tap';
import { arrivalOf } from '../../../src/mgmt/agents/arrival.js';
import { Answer, ReadyAnswer } from '../../../src/protocol/index.js';

const SILENT = { moveKind: undefined, connectionTransferred: false };
const said = (muster: Parameters<typeof ReadyAnswer.encode>[0]['muster']) =>
  ReadyAnswer.encode({ detailsMap: {}, result: true, muster });

t.test('arrival: what the agent says in its answer counts, and before that its Startup', async t => {
  const startup = { moveKind: 'failback', connectionTransferred: false } as const;
  const answer = said({ moveKind: 'failover', moveCause: 'reset', gapMs: 40 });
  t.same(arrivalOf(startup, answer, true), { kind: 'failover', cause: 'reset', isPreferred: true, gapMs: 40 });
  t.match(arrivalOf(startup, said({}), true), { kind: 'failback', cause: 'unknown', gapMs: null });
});

t.test('arrival: an agent of CloudStack says whether its server has asked, and no more', async t => {
  const answer = ReadyAnswer.encode({ detailsMap: {}, result: true });
  t.match(arrivalOf(SILENT, answer, false), { kind: undefined, cause: 'unknown', gapMs: null });
  const moved = { ...SILENT, connectionTransferred: true };
  t.match(arrivalOf(moved, Answer.encode({ result: true }), false), { kind: 'migrate', cause: 'asked' });
});

t.test('arrival: words that nobody knows, and times that cannot be, count as not said', async t => {
  const answer = said({ moveKind: 'lost', moveCause: 'server-down', gapMs: -1 });
  t.match(arrivalOf(SILENT, answer, false), { kind: undefined, cause: 'unknown', gapMs: null });
});
