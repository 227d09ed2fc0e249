import type { Effect } from '../agent-events.js';
import type { AgentState, Check, LinkRef } from '../agent-state.js';
import { log, type StepInput } from './step.js';

const CHECK_JITTER = 0.1;
/** The algorithm whose check stops once one check has succeeded. */
const SHUFFLE = 'shuffle';
/** A failback that lasts for less than this doubles the time to the next check. */
const FAILBACK_HOLDS_MS = 5 * 60_000;
/** The doubling ends here. */
const LONGEST_DAMPED_MS = 30 * 60_000;
/** The shortest interval, 1 s, times this is more than `LONGEST_DAMPED_MS`. */
const MOST_DAMPING = 2 ** 11;
/** A check that a server has asked for is repeated after this where checks are off, until one has succeeded. */
const TRIGGERED_AGAIN_MS = 60_000;

/** Sets the time of the next check anew. One that a server has asked for keeps its time. */
export function scheduleCheck(state: AgentState, input: StepInput): AgentState {
  const { isTriggered, nextAt } = state.check;
  return isTriggered && nextAt !== undefined ? state : postponeCheck(state, input);
}

/** The next check is due in one interval, shortened by a random 0 to 10 %, so that agents spread out. */
export function postponeCheck(state: AgentState, input: StepInput): AgentState {
  const { check } = state;
  const intervalMs = intervalOf(check, input);
  const nextAt = intervalMs === 0 ? undefined : input.now + intervalMs * (1 - CHECK_JITTER * input.random());
  return { ...state, check: { ...check, nextAt } };
}

/** @returns milliseconds; 0 when no check is due */
function intervalOf(check: Check, input: StepInput): number {
  const wantedMs = input.rules.checkIntervalMs ?? check.intervalMs;
  const isOff = wantedMs === 0 || check.isDone;
  if (isOff && !check.isTriggered) return 0;
  const intervalMs = isOff ? TRIGGERED_AGAIN_MS : wantedMs;
  return Math.min(intervalMs * check.damping, Math.max(intervalMs, LONGEST_DAMPED_MS));
}

/** A server asks for a check now. */
export function triggerCheck(state: AgentState, input: StepInput): AgentState {
  return { ...state, check: { ...state.check, nextAt: input.now, isDone: false, isTriggered: true } };
}

/** The agent is on its preferred host. */
export function checkSucceeded(state: AgentState, input: StepInput): AgentState {
  const { check, list } = state;
  const isDone = check.isDone || list.algorithm === SHUFFLE;
  if (isDone === check.isDone && !check.isTriggered) return state;
  return postponeCheck({ ...state, check: { ...check, isDone, isTriggered: false } }, input);
}

/**
 * The agent has left a link, or lost it. When a failback has brought it there and it did not last, the next one comes
 * later; when the agent has been on its preferred host for long enough, at the usual time again.
 */
export function afterDeparture(state: AgentState, link: LinkRef, input: StepInput): readonly [AgentState, ...Effect[]] {
  const { check } = state;
  // While checks are rare, a link lasts for as long as no check is due: that alone is no good sign.
  const dampedMs = check.damping === 1 ? 0 : Math.min(intervalOf(check, input), LONGEST_DAMPED_MS);
  const hasHeld = input.now - link.since >= Math.max(FAILBACK_HOLDS_MS, dampedMs);
  if (hasHeld && (link.isFailback || link.host === state.list.hosts[0])) return [withDamping(state, 1)];
  if (hasHeld || !link.isFailback) return [state];
  const damped = withDamping(state, Math.min(check.damping * 2, MOST_DAMPING));
  if (check.damping > 1) return [damped];
  return [
    damped,
    log('warn', 'Going back to the preferred host did not last: trying it more and more seldom', {
      host: link.host,
      lastedMs: Math.round(input.now - link.since),
    }),
  ];
}

function withDamping(state: AgentState, damping: number): AgentState {
  return { ...state, check: { ...state.check, damping } };
}
