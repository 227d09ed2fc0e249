import t from 'tap';
import { lookOf } from '../../../src/console/model/jobs.js';

const STALE = '19 agents have moved, 2 are left';

t.test(
  'regression: jobs: of a drain that has ended its result is shown, and not the last it said under way',
  async t => {
    t.same(lookOf({ jobstatus: 0, progress: STALE }), { kind: 'notice', state: 'under way', howFar: STALE });
    t.same(lookOf({ jobstatus: 1, progress: STALE, jobresult: { moved: 21, leftcount: 0, left: [], forced: false } }), {
      ...{ kind: 'good', state: 'done' },
      howFar: '21 agents have moved, none is left',
    });
  },
);

t.test('regression: jobs: who is left by a drain is named, with the reason, and that is not green', async t => {
  const left = Array.from({ length: 7 }, (_, index) => ({
    ...{ hostid: `id-${index}`, name: `kvm-${index}` },
    why: 'it has not answered yet',
  }));
  const look = (fields: object) => lookOf({ jobstatus: 1, jobresult: { moved: 1, leftcount: 7, left, ...fields } });
  const named = [0, 1, 2, 3, 4].map(index => `kvm-${index} (it has not answered yet)`).join(', ');
  t.same(look({}), {
    ...{ kind: 'notice', state: 'done, some are left' },
    howFar: `1 agent has moved, 7 are left: ${named} and 2 more`,
  });
  t.match(look({ leftcount: 1, left: left.slice(0, 1), forced: true }), {
    howFar: '1 agent has moved, 1 is left: kvm-0 (it has not answered yet); their links were closed',
  });
  t.match(look({ cancelled: true }), { kind: 'notice', state: 'cancelled' });
});

t.test('jobs: what failed says why, and a command how its hosts fared', async t => {
  const failed = { jobstatus: 2, progress: 'waiting', jobresult: { errorcode: 530, errortext: 'it is gone' } };
  t.same(lookOf(failed), { kind: 'bad', state: 'failed', howFar: 'it is gone' });
  const commandsummary = { total: 12, waiting: 0, sent: 0, answered: 10, failed: 1, refused: 0, unknown: 2 };
  t.match(lookOf({ jobstatus: 1, jobresult: { commandsummary } }), { howFar: '10 answered, 1 failed, 2 unknown' });
  t.same(lookOf({ jobstatus: 1 }), { kind: 'good', state: 'done', howFar: '' });
});
