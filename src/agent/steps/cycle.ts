import { type BackoffOptions, fullJitter } from '../../lib/backoff.js';
import { formatHostList, LIMITS } from '../../protocol/index.js';
import type { AgentEvent, Effect } from '../agent-events.js';
import { type AgentState, type Dial, type Joining, type LinkRef, readyDueAt, readyLimitMs } from '../agent-state.js';
import { planCycle } from '../host-cycler.js';
import { afterDeparture } from './check.js';
import { log, prependEffects, type Step, type StepInput } from './step.js';

/**
 * A link that was Ready for less than this counts as a failed dial of its host. Otherwise an agent would dial two
 * servers that accept it and fail again and again, without a backoff.
 */
const SETTLED_AFTER_MS = 5_000;
/** A link that was Ready for this long ends the backoff. */
const RESET_AFTER_MS = 30_000;
/** After this many failed cycles, the hosts of the last list that worked are tried as well. */
const FALLBACK_AFTER_CYCLES = 2;
/** What a cycle counts in which every host has refused the connection at once. */
const REFUSED_CYCLE = 0.25;

/** The order of a new cycle, from behind the host `after`. */
export function plan(state: AgentState, after: string | undefined): readonly string[] {
  const { list, avoid, failed, lastCompleted, failedCycles } = state;
  const fallback = failedCycles >= FALLBACK_AFTER_CYCLES ? (lastCompleted?.hosts ?? []) : [];
  return planCycle({ hosts: list.hosts, avoid, failed, fallback, after });
}

/** Dials the next host of the cycle, or the first of a new cycle when all have been tried. */
export function join(state: AgentState, input: StepInput): Step {
  const remaining = state.remaining.length > 0 ? state.remaining : plan(state, undefined);
  return dialNext({ ...state, remaining }, [], input);
}

/** Dials the next host of the cycle beside those that are under way. */
function dialNext(state: AgentState, dials: readonly Dial[], input: StepInput, isEnrolled = false): Step {
  const [host, ...remaining] = state.remaining;
  if (host === undefined) return [state];
  const dial = newDial(state, host, isEnrolled);
  const phase = joining([...dials, dial], remaining, input);
  return [{ ...state, phase, remaining, nextDialId: dial.id + 1 }, dialEffect(dial)];
}

export function newDial({ nextDialId, credentials }: AgentState, host: string, isEnrolled = false): Dial {
  return { id: nextDialId, host, isConnected: false, answeredAt: undefined, credentials, isEnrolled };
}

/** A dial without a Ready link. */
function dialEffect({ id, host }: Dial): Effect {
  return { kind: 'dial', id, host, unlike: undefined, leavesServer: false, transferred: false, isUrgent: true };
}

/** Without a Ready link; the next host is dialled before long, unless one of the dials is connected. */
export function joining(dials: readonly Dial[], remaining: readonly string[], input: StepInput): Joining {
  const isAlone = remaining.length === 0 || dials.some(({ isConnected }) => isConnected);
  return { kind: 'joining', dials, nextAt: isAlone ? undefined : input.now + LIMITS.connectStaggerMs };
}

export function onJoiningTick(state: AgentState, phase: Joining, input: StepInput): Step {
  const [waiting, ...effects] = giveUpWaiting(state, input);
  if (phase.nextAt === undefined || input.now < phase.nextAt) return [waiting, ...effects];
  return prependEffects(dialNext(waiting, phase.dials, input), ...effects);
}

/** A server that has answered Startup, and was not Ready in its time, is given up. */
export function giveUpWaiting(state: AgentState, input: StepInput): Step {
  const dueAt = readyDueAt(state);
  if (dueAt === undefined || input.now < dueAt) return [state];
  const { phase } = state;
  const why = `the server was not ready within ${readyLimitMs(state) / 1000} s`;
  // The failure of the dial is an event of its own, which comes next.
  if (phase.kind === 'joining') {
    const [dial] = phase.dials;
    if (dial === undefined) return [state];
    const dials = [{ ...dial, answeredAt: undefined }];
    return [
      { ...state, phase: { ...phase, dials } },
      { kind: 'give-up', id: dial.id, why },
    ];
  }
  if (phase.kind !== 'moving') return [state];
  const dial = { ...phase.dial, answeredAt: undefined };
  return [
    { ...state, phase: { ...phase, dial } },
    { kind: 'give-up', id: dial.id, why },
  ];
}

/** The first TCP connection goes on. The other dials end; their hosts have not failed and stay in the cycle. */
export function onConnected(state: AgentState, phase: Joining, id: number): Step {
  const dial = phase.dials.find(other => other.id === id);
  if (dial === undefined) return [state];
  const [alone, ...effects] = endOthers(state, phase, id);
  return [
    { ...alone, phase: { kind: 'joining', dials: [{ ...dial, isConnected: true }], nextAt: undefined } },
    ...effects,
    { kind: 'proceed', id },
  ];
}

/** Ends the dials beside one. */
export function endOthers(state: AgentState, phase: Joining, id: number): Step {
  const others = phase.dials.filter(other => other.id !== id);
  const remaining = [...others.map(({ host }) => host), ...state.remaining];
  const drops = others.map(other => ({ kind: 'drop', id: other.id, why: 'another host was faster' }) as const);
  return [{ ...state, remaining }, ...drops];
}

export function onJoinFailed(
  state: AgentState,
  phase: Joining,
  { id, why, how }: AgentEvent & { kind: 'dial-failed' },
  input: StepInput,
): Step {
  const dial = phase.dials.find(other => other.id === id);
  if (dial === undefined) return [state];
  if (how === 'enrolled' && !dial.isEnrolled) {
    const again = { ...state, remaining: [dial.host, ...state.remaining] };
    return prependEffects(dialNext(again, [], input, true), enrolledLog(dial));
  }
  const level = how === 'agent-refused' ? 'error' : 'warn';
  const said = log(level, `Cannot connect to host: ${dial.host}`, { host: dial.host, reason: why });
  const counted = {
    ...withFailed(state, dial.host),
    onlyRefused: state.onlyRefused && how === 'connection-refused',
  };
  const dials = phase.dials.filter(other => other !== dial);
  const wasLast = phase.dials.at(-1) === dial;
  if (counted.remaining.length > 0 && (wasLast || dials.length === 0)) {
    return prependEffects(dialNext(counted, dials, input), said);
  }
  if (dials.length > 0) return [{ ...counted, phase: { ...phase, dials } }, said];
  return prependEffects(cycleFailed(counted, dial.host, input), said);
}

/** The host's last dial has failed. */
export function withFailed(state: AgentState, host: string): AgentState {
  return state.failed.includes(host) ? state : { ...state, failed: [...state.failed, host] };
}

/** A host is Ready. */
export function withoutFailed(state: AgentState, host: string): AgentState {
  return { ...state, failed: state.failed.filter(other => other !== host) };
}

function cycleFailed(state: AgentState, lastHost: string, input: StepInput): Step {
  const failures = state.failures + (state.onlyRefused ? REFUSED_CYCLE : 1);
  const failedCycles = state.failedCycles + 1;
  const waitMs = fullJitter(Math.ceil(failures), backoffOf(state, input), input.random());
  const counted = { ...state, failures, failedCycles, onlyRefused: true };
  const remaining = plan(counted, lastHost);
  const effects: Effect[] = [];
  if (failedCycles === FALLBACK_AFTER_CYCLES && remaining.some(host => !state.list.hosts.includes(host))) {
    effects.push(
      log('warn', 'No management server of the host list answers: trying those of the last list that worked as well', {
        list: formatHostList(state.list),
        last: state.lastCompleted ? formatHostList(state.lastCompleted) : '',
      }),
    );
  }
  return [{ ...counted, phase: { kind: 'waiting', until: input.now + waitMs }, remaining }, ...effects];
}

/**
 * A server that restarts refuses at once, which costs it nothing. Its agents come back over the time that it has told for its
 * loss: later than that it would wait for them, and sooner they would wait for it.
 */
function backoffOf({ onlyRefused, spreadMs }: AgentState, { rules }: StepInput): BackoffOptions {
  if (!onlyRefused || spreadMs === 0) return rules.backoff;
  return { ...rules.backoff, baseMs: Math.max(rules.failoverSpreadMs, spreadMs) };
}

/** The only link is lost: the next host is dialled before long. */
export function failOver(state: AgentState, link: LinkRef, why: string, input: StepInput): Step {
  const [without, ...effects] = afterLoss(state, link, input);
  const [host] = without.remaining;
  const lost = lostLog(link, why);
  if (host === undefined) return prependEffects(cycleFailed(without, link.host, input), lost, ...effects);
  const waitMs = input.random() * Math.max(input.rules.failoverSpreadMs, state.spreadMs);
  return [
    { ...without, phase: { kind: 'waiting', until: input.now + waitMs } },
    lost,
    ...effects,
    log('info', `Reconnecting to host: ${host}`, { host, waitMs: Math.round(waitMs) }),
  ];
}

/** What the age of a lost link means for the backoff, for the next host and for the check. */
export function afterLoss(state: AgentState, link: LinkRef, input: StepInput): Step {
  const [departed, ...effects] = afterDeparture(state, link, input);
  const age = input.now - link.since;
  if (age < SETTLED_AFTER_MS) return [{ ...withFailed(departed, link.host), onlyRefused: false }, ...effects];
  const counted = age < RESET_AFTER_MS ? departed : { ...departed, failures: 0, failedCycles: 0 };
  return [{ ...counted, remaining: plan(counted, link.host), onlyRefused: true }, ...effects];
}

/** No failure of the host: it has closed the link to see the certificate. */
export function enrolledLog({ host }: Dial): Effect {
  return log('info', `Enrolled by host: ${host}; connecting again with the certificate`, { host });
}

/** @param stays the link that is Ready still */
export function lostLog(link: LinkRef, why: string, stays?: LinkRef): Effect {
  const fields = { host: link.host, reason: why, ...(stays && { stays: stays.host }) };
  return log('warn', `Lost connection to host: ${link.host}`, fields);
}
