import fc from 'fast-check';
import t from 'tap';
import { type CommandEvent, type CommandState, next } from '../../../src/agent/commands/command-state.js';
import { property } from '../../helpers/property.js';

const EVENTS: readonly CommandEvent[] = [
  { kind: 'asked' },
  { kind: 'written' },
  { kind: 'not-written', why: 'ENOSPC' },
  { kind: 'finished', answers: '[]' },
  { kind: 'confirmed' },
  { kind: 'dropped' },
];

/** The states and effects of a sequence of events, in short. */
function play(...kinds: readonly CommandEvent['kind'][]): readonly string[] {
  let state: CommandState | undefined;
  return kinds.map(kind => {
    const event = EVENTS.find(other => other.kind === kind) as CommandEvent;
    const step = next('a', state, event);
    state = step.state;
    const effects = step.effects.map(effect => {
      if (effect.kind === 'write') return `write ${effect.record.kind}`;
      return effect.kind === 'tell' ? `tell ${effect.outcome.kind}` : effect.kind;
    });
    return [state?.kind ?? 'nothing', ...effects].join(', ');
  });
}

t.test('command state: from the question to the confirmation', async t => {
  t.same(play('asked', 'written', 'asked', 'finished', 'asked', 'confirmed', 'asked'), [
    'writing, write started',
    'running, run',
    'running',
    'finished, tell answered, write finished',
    'finished, tell answered',
    'confirmed, write confirmed',
    'confirmed, tell unknown',
  ]);
});

t.test('command state: what is not written is not carried out, and may be given again', async t => {
  t.same(play('asked', 'not-written', 'asked', 'written'), [
    'writing, write started',
    'nothing, tell refused',
    'writing, write started',
    'running, run',
  ]);
});

t.test('command state: confirmed while it runs, and dropped when it is kept', async t => {
  t.same(play('asked', 'written', 'confirmed', 'finished').slice(2), [
    'running',
    'confirmed, tell answered, write confirmed',
  ]);
  t.same(play('asked', 'written', 'finished', 'dropped', 'asked', 'confirmed').slice(3), [
    'unknown, write unknown',
    'unknown, tell unknown',
    'confirmed, write confirmed',
  ]);
});

property(
  'command state: any sequence of events has a result, and commands run at most once for each written id',
  fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 }),
  events => {
    let state: CommandState | undefined;
    let runs = 0;
    for (const event of events) {
      const step = next('a', state, event);
      state = step.state;
      if (step.effects.some(({ kind }) => kind === 'run')) runs++;
      if (step.effects.filter(({ kind }) => kind === 'tell').length > 1) return false;
      // Only what was refused may be carried out later.
      if (state === undefined && runs > 0) return false;
    }
    return runs <= 1;
  },
);
