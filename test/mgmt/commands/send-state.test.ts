import t from 'tap';
import { begun, next, type Reply, type SendEvent, type SendStep } from '../../../src/mgmt/commands/send-state.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const RUNS = 5_000;
const LOST: Reply = { kind: 'lost', reason: 'the link ended', isRepeatable: undefined };
const NOT_SENT: Reply = { kind: 'notSent', reason: 'no link', isFinal: false };
const ANSWERED: Reply = { kind: 'answered', messages: [], isUnsupported: false };

/** Any way to an outcome. @returns what is wrong with it */
function play(seed: number): string | undefined {
  const random = seededRandom(seed);
  const oneOf = <T>(items: readonly T[]): T => items[random.int(items.length)] as T;
  const hasIds = random.int(2) === 0;
  let step: SendStep = begun(false);
  let wasLost = false;
  let asked = 0;
  let outcome: string | undefined;
  for (let events = 0; events < 200; events++) {
    const { effect } = step;
    if (effect?.kind === 'ask') {
      if (outcome !== undefined) return `seed ${seed}: asked after the end`;
      if (effect.isRepeated !== wasLost) return `seed ${seed}: isRepeated ${effect.isRepeated}, lost ${wasLost}`;
      if (wasLost && !hasIds) return `seed ${seed}: a CloudStack agent was asked again`;
      asked++;
    }
    if (effect?.kind === 'finish') {
      if (outcome !== undefined) return `seed ${seed}: two outcomes`;
      outcome = effect.outcome.kind;
      if (wasLost && (outcome === 'refused' || outcome === 'cancelled')) return `seed ${seed}: ${outcome}, though sent`;
      if (!wasLost && outcome === 'unknown') return `seed ${seed}: unknown, though not sent`;
      if (outcome === 'answered' && asked === 0) return `seed ${seed}: answered by nobody`;
    }
    const reply = oneOf([
      LOST,
      NOT_SENT,
      NOT_SENT,
      { ...LOST, isRepeatable: false },
      { ...NOT_SENT, isFinal: true },
      ANSWERED,
    ]);
    const event: SendEvent = oneOf<SendEvent>([
      {
        kind: 'located',
        whereabouts: oneOf([{ kind: 'here' }, { kind: 'at', msid: 2 }, { kind: 'nowhere', why: '' }] as const),
      },
      { kind: 'replied', reply },
      { kind: 'look' },
      ...(random.int(10) === 0 ? [{ kind: oneOf(['cancel', 'deadline', 'stop', 'recall'] as const) }] : []),
    ]);
    const { kind } = step.state;
    if (event.kind === 'replied' && reply.kind === 'lost' && ['asking', 'recalling', 'ending'].includes(kind))
      wasLost = true;
    step = next(step.state, event, hasIds);
  }
  return outcome === undefined ? `seed ${seed}: no outcome` : undefined;
}

t.test(`send state: exactly one outcome, and a true one (${RUNS} seeds)`, async t => {
  const wrong = Array.from({ length: RUNS }, (_, seed) => play(seed)).filter(what => what !== undefined);
  t.same(wrong.slice(0, 5), []);
});

t.test('send state: what was read last is tried first, then what the store says, then it waits', async t => {
  const at = next(begun(false).state, { kind: 'located', whereabouts: { kind: 'at', msid: 2 } }, false);
  t.match(at.effect, { kind: 'ask', place: { kind: 'at', msid: 2 }, isRepeated: false });
  const read = next(at.state, { kind: 'replied', reply: NOT_SENT }, false);
  t.match(read.effect, { kind: 'locate', isFresh: true });
  const nowhere = next(read.state, { kind: 'located', whereabouts: { kind: 'nowhere', why: 'away' } }, false);
  t.match(nowhere.effect, { kind: 'wait' });
  t.match(next(nowhere.state, { kind: 'look' }, false).effect, { kind: 'locate', isFresh: true });
  t.match(next(nowhere.state, { kind: 'deadline' }, false).effect, {
    outcome: { kind: 'refused', reason: 'not sent in time: away' },
  });
});
