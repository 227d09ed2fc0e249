import t from 'tap';
import { nextStep, type RunRules, type RunState } from '../../../src/mgmt/commands/run-plan.js';

const RULES: RunRules = { maxConcurrency: 8, maxErrors: 0, canary: 0 };
const step = (state: Partial<RunState>, rules: Partial<RunRules> = {}) =>
  nextStep({ taken: 0, inFlight: 0, failures: 0, ...state }, { ...RULES, ...rules });

t.test('run: as many hosts at a time as are allowed, and not one transaction for each', async t => {
  t.same(step({}), { kind: 'take', count: 8 });
  t.same(step({ taken: 8, inFlight: 8 }), { kind: 'wait' });
  t.same(step({ taken: 8, inFlight: 7 }), { kind: 'wait' }, 'one free place is not enough');
  t.same(step({ taken: 8, inFlight: 6 }), { kind: 'take', count: 2 });
  t.same(step({ taken: 9, inFlight: 0 }, { maxConcurrency: 1 }), { kind: 'take', count: 1 });
});

t.test('run: more failures than allowed end it', async t => {
  t.match(step({ taken: 8, inFlight: 3, failures: 1 }), {
    kind: 'stop',
    reason: /a host has failed, and maxerrors is 0/,
  });
  t.match(step({ taken: 8, inFlight: 3, failures: 1 }, { maxErrors: 1 }), { kind: 'take' });
  t.match(step({ taken: 8, inFlight: 3, failures: 8 }, { maxErrors: -1 }), { kind: 'take' });
});

t.test('run: the first hosts alone, and the others only if all of them are well', async t => {
  const canary = { canary: 3, maxErrors: -1 };
  t.same(step({}, canary), { kind: 'take', count: 3 });
  t.same(step({ taken: 3, inFlight: 3 }, canary), { kind: 'wait' });
  t.same(step({ taken: 3, inFlight: 1 }, canary), { kind: 'wait' });
  t.same(step({ taken: 3 }, canary), { kind: 'take', count: 8 });
  t.match(step({ taken: 3, failures: 1 }, canary), { kind: 'stop', reason: /first 3 hosts \(canary\)/ });
  t.match(
    step({ taken: 9, inFlight: 1, failures: 2 }, canary),
    { kind: 'take' },
    'later failures are counted by maxerrors',
  );
  t.same(step({}, { canary: 20 }), { kind: 'take', count: 8 }, 'a canary may be larger than what runs at once');
});

t.test('run: the canary of many cannot hang', async t => {
  for (const canary of [1, 2, 7, 8, 9, 30]) {
    const state = { taken: 0, inFlight: 0, failures: 0 };
    for (let i = 0; i < 1_000 && state.taken < 50; i++) {
      const next = nextStep(state, { ...RULES, canary });
      if (next.kind === 'take') {
        state.taken += next.count;
        state.inFlight += next.count;
      } else if (state.inFlight > 0) state.inFlight--;
      else t.fail(`nothing is on its way, and it waits: ${JSON.stringify({ canary, ...state })}`);
    }
    t.ok(state.taken >= 50);
  }
});
