import t from 'tap';
import { type Claimant, claimGuid, type GuidState, isStale } from '../../../src/mgmt/agents/guid-fight.js';

const rules = { changes: 3, withinMs: 60_000 };
const a: Claimant = { address: '192.0.2.1', instanceId: 'a' };
const b: Claimant = { address: '192.0.2.2', instanceId: 'b' };

/** Carries out claims, each at its moment; the outcomes as letters: w(elcome), r(efused), R(efused, and said). */
function play(claims: readonly (readonly [at: number, who: Claimant])[]): {
  outcome: string;
  state: GuidState | undefined;
} {
  let state: GuidState | undefined;
  let outcome = '';
  for (const [at, who] of claims) {
    const result = claimGuid(state, who, at, rules);
    state = result.state;
    outcome += result.verdict.kind === 'welcome' ? 'w' : result.verdict.isFirst ? 'R' : 'r';
  }
  return { outcome, state };
}

t.test('guid fight: one agent may come back as often as it likes', async t => {
  t.equal(play(Array.from({ length: 50 }, (_, i) => [i, a] as const)).outcome, 'w'.repeat(50));
});

t.test('guid fight: three changes in a minute are borne, the fourth is refused, and the holder is named', async t => {
  const claims = [a, b, a, b].map((who, i) => [i * 1_000, who] as const);
  const { outcome, state } = play(claims);
  t.equal(outcome, 'wwww');
  const fourth = claimGuid(state, a, 4_000, rules);
  t.strictSame(fourth.verdict, { kind: 'refused', holder: b, waitMs: 60_000, isFirst: true });
});

t.test('guid fight: the newcomer stays out for a minute, said once, while the holder may come back', async t => {
  const fight = [a, b, a, b, a].map((who, i) => [i * 1_000, who] as const);
  t.equal(play([...fight, [5_000, a], [30_000, b], [63_999, a]]).outcome, 'wwwwRrwr');
  t.equal(play([...fight, [64_000, a]]).outcome, 'wwwwRw', 'a minute later it may try again');
});

t.test('guid fight: changes that lie a minute apart count for nothing', async t => {
  const slow = Array.from({ length: 12 }, (_, i) => [i * 20_000, i % 2 ? a : b] as const);
  t.equal(play(slow).outcome, 'w'.repeat(12), 'three in any minute');
  const faster = Array.from({ length: 5 }, (_, i) => [i * 19_999, i % 2 ? a : b] as const);
  t.equal(play(faster).outcome, 'wwwwR', 'four in 59,997 ms');
});

t.test('guid fight: another address alone, or another process alone, is a change', async t => {
  for (const other of [
    { ...a, address: '192.0.2.9' },
    { ...a, instanceId: 'z' },
    { ...a, instanceId: undefined },
  ]) {
    t.equal(play([a, other, a, other, a].map((who, i) => [i, who] as const)).outcome, 'wwwwR');
  }
});

t.test('guid fight: what is over may be forgotten, what is not may not', async t => {
  const { state } = play([
    [0, a],
    [1_000, b],
  ]);
  if (state === undefined) throw new Error('no state');
  t.equal(isStale(state, 60_999, rules), false);
  t.equal(isStale(state, 61_000, rules), true);
  const { state: closed } = play([a, b, a, b, a].map(who => [0, who] as const));
  if (closed === undefined) throw new Error('no state');
  t.equal(isStale(closed, 59_999, rules), false);
  t.equal(isStale(closed, 60_000, rules), true);
});
