import { formatHostList } from '../../protocol/index.js';
import type { AgentEvent, Effect } from '../agent-events.js';
import {
  type AgentState,
  type Dial,
  type LinkRef,
  leaveDueAt,
  type MoveReason,
  type Moving,
  migrationTargets,
  type Phase,
  presentDueAt,
  readyLink,
  staysOnHost,
} from '../agent-state.js';
import { planCycle } from '../host-cycler.js';
import { afterDeparture, checkSucceeded, postponeCheck, scheduleCheck } from './check.js';
import { afterLoss, enrolledLog, joining, lostLog, newDial, plan, withFailed, withoutFailed } from './cycle.js';
import { log, prependEffects, type Step, type StepInput } from './step.js';

/** A move closes the old link at the second Ready, or this long after the first: CloudStack 4.13 sends only one. */
const SECOND_READY_MS = 5_000;
/** An agent whose connected host has left the list moves after a random time up to this. */
const LEAVE_SPREAD_MS = 30_000;
/** When no server accepts the new certificates, or none is reached, the agent tries again after this. */
const PRESENT_AGAIN_MS = 60_000;
/** When no host of the new list accepts the agent, it tries again after this plus the random time. */
const LEAVE_AGAIN_MS = 60_000;
/** While commands are in progress, a due check is put off by this. */
const BUSY_RETRY_MS = 1_000;
/**
 * After a move the new server is asked once more when the old link has ended: a CloudStack server that cannot reach its
 * peer just then marks the host Alert, and the answer to the next ping says so.
 */
const PING_AFTER_END_MS = 1_000;

export type Up = Phase & { kind: 'up' };
export type Settling = Phase & { kind: 'settling' };

/** The phase `up` on a link. A host that is not in the list is left after a random time. */
export function upOn(state: AgentState, link: LinkRef, input: StepInput, leaveAfterMs = 0): AgentState {
  const isListed = state.list.hosts.includes(link.host);
  const leaveAt = isListed ? undefined : input.now + leaveAfterMs + input.random() * LEAVE_SPREAD_MS;
  return { ...state, phase: { kind: 'up', link, leaveAt } };
}

// ---- the way to the new link

function startMove(
  state: AgentState,
  { link }: { readonly link: LinkRef },
  reason: MoveReason,
  [host, ...targets]: readonly string[],
  {
    silentSince,
    isEnrolled = false,
  }: { readonly silentSince?: number | undefined; readonly isEnrolled?: boolean } = {},
): Step {
  if (host === undefined) return [state];
  const dial = newDial(state, host, isEnrolled);
  const { retiring } = state;
  const third: readonly Effect[] =
    retiring === undefined ? [] : [{ kind: 'drop', id: retiring, why: 'another move begins' }];
  return [
    {
      ...state,
      phase: { kind: 'moving', link, silentSince, dial, move: { reason, targets } },
      retiring: undefined,
      nextDialId: dial.id + 1,
    },
    ...third,
    {
      kind: 'dial',
      id: dial.id,
      host,
      unlike: staysOnHost(reason) ? undefined : link.id,
      leavesServer: leaves(reason),
      transferred: reason === 'migrate',
      isUrgent: false,
    },
  ];
}

export function onMoveConnected(state: AgentState, phase: Moving): Step {
  const dial: Dial = { ...phase.dial, isConnected: true };
  return [
    { ...state, phase: { ...phase, dial } },
    { kind: 'proceed', id: dial.id },
  ];
}

export function onMoveFailed(
  state: AgentState,
  phase: Moving,
  { why, how }: AgentEvent & { kind: 'dial-failed' },
  input: StepInput,
): Step {
  const { host } = phase.dial;
  if (how === 'enrolled' && !phase.dial.isEnrolled) {
    const { silentSince, move } = phase;
    const again = startMove(state, phase, move.reason, [host, ...move.targets], { silentSince, isEnrolled: true });
    return prependEffects(again, enrolledLog(phase.dial));
  }
  const said = log(how === 'agent-refused' ? 'error' : 'warn', `Cannot move to host: ${host}`, {
    host,
    move: phase.move.reason,
    reason: why,
  });
  return prependEffects(moveOn(withFailed(state, host), phase, input), said);
}

/** The dial of a move has ended: tries the next target, or stays. */
function moveOn(state: AgentState, phase: Moving, input: StepInput): Step {
  const { link, move, silentSince, dial } = phase;
  if (move.targets.length > 0) return startMove(state, phase, move.reason, move.targets, { silentSince });
  const others = othersThan(state, link.host).filter(host => host !== dial.host);
  if (silentSince !== undefined && move.reason !== 'suspect' && others.length > 0)
    return startMove(state, phase, 'suspect', others, { silentSince });
  const stayed = upOn(state, link, input, move.reason === 'left-list' ? LEAVE_AGAIN_MS : 0);
  if (move.reason !== 'migrate') return [stayed];
  return [stayed, log('error', 'Cannot migrate: no other management server took this agent', { host: link.host })];
}

/** Whether the move is away from the server, rather than to a host. */
function leaves(reason: MoveReason): boolean {
  return reason === 'migrate' || reason === 'suspect';
}

/** Ends a move and stays on the old link. */
function stay(state: AgentState, { link, dial }: Moving, why: string, input: StepInput): Step {
  return [upOn(state, link, input), { kind: 'drop', id: dial.id, why }];
}

/** Two names of one server: the agent is already connected to the host that it dialled. */
export function onMoveToSameServer(state: AgentState, phase: Moving, input: StepInput): Step {
  if (leaves(phase.move.reason)) return moveOn(state, phase, input);
  const link = { ...phase.link, host: phase.dial.host };
  return [upOn(arrived(state, link, input), link, input)];
}

/** Ends what a new list, or a new avoid list, has made pointless. */
export function reviseMove(state: AgentState, phase: Moving, input: StepInput): Step {
  const isListed = (host: string) => state.list.hosts.includes(host);
  const move = { ...phase.move, targets: phase.move.targets.filter(isListed) };
  const revised: Moving = { ...phase, move };
  const kept: AgentState = { ...state, phase: revised };
  if (move.reason === 'left-list' && isListed(phase.link.host)) {
    return stay(kept, revised, 'the connected host is in the list again', input);
  }
  if (isWanted(state, revised)) return [kept];
  const dropped: Effect = { kind: 'drop', id: phase.dial.id, why: 'the list no longer leads there' };
  return prependEffects(moveOn(kept, revised, input), dropped);
}

function isWanted(state: AgentState, { dial, move }: Moving): boolean {
  switch (move.reason) {
    case 'failback':
      return dial.host === state.list.hosts[0] && !isAvoided(state, dial.host);
    case 'register':
      return true;
    default:
      return state.list.hosts.includes(dial.host);
  }
}

// ---- the new link

export function onMoveReady(state: AgentState, phase: Moving, input: StepInput): Step {
  const { link: old, dial, move } = phase;
  const { id, host, credentials } = dial;
  const link: LinkRef = { id, host, credentials, since: input.now, isFailback: move.reason === 'failback' };
  const ready = withoutFailed(state, link.host);
  const moved: AgentState = {
    ...ready,
    phase: { kind: 'settling', link, old, until: input.now + SECOND_READY_MS },
    // A move that succeeds begins a new cycle: all other hosts may be tried again.
    remaining: plan(ready, link.host),
  };
  return [
    scheduleCheck(moved, input),
    log('info', `Connected to the host: ${link.host}`, { host: link.host, from: old.host, move: move.reason }),
  ];
}

/** The new link of a move is accepted for good: the old one may end. */
export function settle(state: AgentState, phase: Settling, input: StepInput): Step {
  const { id } = phase.old;
  const [settled, ...effects] = leaveOld(state, phase, input);
  return [{ ...settled, retiring: id }, ...effects, { kind: 'ping', id: phase.link.id }, { kind: 'retire', id }];
}

/** A link that was told to retire has ended. */
export function onRetired(state: AgentState, id: number, input: StepInput): AgentState {
  const ended = state.retiring === id ? { ...state, retiring: undefined } : state;
  return readyLink(ended) === undefined ? ended : pingSoon(ended, input);
}

/** The old link has ended by itself. */
export function onOldLost(state: AgentState, phase: Settling, input: StepInput): Step {
  const [settled, ...effects] = leaveOld(state, phase, input);
  return [pingSoon(settled, input), ...effects, { kind: 'ping', id: phase.link.id }];
}

/** The new link is lost. The old server still owns the agent: the new one has not had its second Ready answered. */
export function onNewLost(state: AgentState, { link, old }: Settling, input: StepInput): Step {
  const [departed, ...effects] = departedFrom(state, link, input);
  return [upOn(departed, old, input), ...effects];
}

function leaveOld(state: AgentState, { link, old }: Settling, input: StepInput): Step {
  if (link.host === old.host) return [upOn(state, link, input)];
  const [departed, ...effects] = departedFrom(state, old, input);
  return [upOn(arrived(departed, link, input), link, input), ...effects];
}

/** One link is left for another. When that makes checks rarer, the next one is later as well. */
function departedFrom(state: AgentState, link: LinkRef, input: StepInput): Step {
  const [departed, ...effects] = afterDeparture(state, link, input);
  return [departed.check.damping > state.check.damping ? postponeCheck(departed, input) : departed, ...effects];
}

function pingSoon(state: AgentState, input: StepInput): AgentState {
  return { ...state, pingAt: input.now + PING_AFTER_END_MS };
}

/** A move has ended on `link`. On the preferred host its check has succeeded. */
function arrived(state: AgentState, { host }: LinkRef, input: StepInput): AgentState {
  return host === state.list.hosts[0] ? checkSucceeded(state, input) : state;
}

/** The old link is lost during a move: the dial of the move becomes the failover. */
export function onLostWhileMoving(state: AgentState, { link, dial }: Moving, why: string, input: StepInput): Step {
  const [without, ...effects] = afterLoss(state, link, input);
  const remaining = without.remaining.filter(host => host !== dial.host);
  return [
    { ...without, phase: joining([dial], remaining, input), remaining },
    lostLog(link, why),
    ...effects,
    log('info', `Reconnecting to host: ${dial.host}`, { host: dial.host }),
  ];
}

// ---- reasons to move

/**
 * A server asks for a move. A move that is under way already goes on, with its dial and its targets, as far as they may
 * be the targets of this one.
 * @param added the hosts that the list which came with it has added
 */
export function migrate(state: AgentState, added: readonly string[], input: StepInput): Step {
  const { phase } = state;
  const allowed = migrationTargets(state);
  if (phase.kind === 'moving') {
    const { dial, move } = phase;
    if (!allowed.includes(dial.host) || staysOnHost(move.reason)) {
      const [stayed, ...effects] = stay(state, phase, 'the server asks for another move', input);
      return prependEffects(migrate(stayed, added, input), ...effects);
    }
    const wanted = move.reason === 'migrate' ? [...move.targets, ...added] : allowed;
    const targets = [...new Set(wanted)].filter(host => allowed.includes(host) && host !== dial.host);
    return [{ ...state, phase: { ...phase, move: { reason: 'migrate', targets } } }];
  }
  if (phase.kind !== 'up') return [state];
  if (allowed.length > 0) return startMove(state, phase, 'migrate', allowed);
  return [
    state,
    log('error', 'Cannot migrate: every other host of the list is avoided', { list: formatHostList(state.list) }),
  ];
}

export function onSuspect(
  state: AgentState,
  { id, silentMs }: { id: number; silentMs: number },
  input: StepInput,
): Step {
  const { phase } = state;
  if ((phase.kind !== 'up' && phase.kind !== 'moving') || phase.link.id !== id) return [state];
  const { host } = phase.link;
  const silent = log('warn', `Management server is silent: ${host}`, { host, silentMs: Math.round(silentMs) });
  const silentSince = input.now - silentMs;
  if (phase.kind === 'moving')
    return phase.silentSince === undefined ? [{ ...state, phase: { ...phase, silentSince } }, silent] : [state];
  const others = othersThan(state, host);
  if (others.length === 0) return [state, silent];
  return prependEffects(startMove(state, phase, 'suspect', others, { silentSince }), silent);
}

function othersThan(state: AgentState, here: string): readonly string[] {
  return plan(state, here).filter(host => host !== here);
}

export function onHeard(state: AgentState, id: number, input: StepInput): Step {
  const { phase } = state;
  if (phase.kind !== 'moving' || phase.link.id !== id || phase.silentSince === undefined) return [state];
  const { host } = phase.link;
  const said = log('info', `Management server speaks again: ${host}`, { host });
  if (phase.move.reason !== 'suspect') return [{ ...state, phase: { ...phase, silentSince: undefined } }, said];
  return prependEffects(stay(state, phase, 'the server speaks again', input), said);
}

export function onSendStartup(state: AgentState, id: number): Step {
  const { phase } = state;
  // The next PingAnswer says it again.
  if (phase.kind !== 'up' || phase.link.id !== id || state.retiring !== undefined) return [state];
  return startMove(state, phase, 'register', [phase.link.host]);
}

/** Other certificates are in use. The link is replaced as soon as it can be. */
export function onCredentials(state: AgentState, credentials: string, input: StepInput): Step {
  if (credentials === state.credentials) return [state];
  const changed = { ...state, credentials, presentAt: input.now };
  return changed.phase.kind === 'up' && isPresentDue(changed, changed.phase, input)
    ? present(changed, changed.phase, input)
    : [changed];
}

export function isPresentDue(state: AgentState, { link }: Up, input: StepInput): boolean {
  const dueAt = presentDueAt(state, link);
  return dueAt !== undefined && input.now >= dueAt;
}

export function isLeaveDue(state: AgentState, phase: Up, input: StepInput): boolean {
  const dueAt = leaveDueAt(state, phase);
  return dueAt !== undefined && input.now >= dueAt;
}

/** Opens a link that presents the certificates in use, to the server that the agent is on. */
export function present(state: AgentState, phase: Up, input: StepInput): Step {
  const { host } = phase.link;
  return prependEffects(
    startMove({ ...state, presentAt: input.now + PRESENT_AGAIN_MS }, phase, 'certificates', [host]),
    log('info', `Other certificates are in use: connecting anew to host: ${host}`, { host }),
  );
}

export function leave(state: AgentState, phase: Up): Step {
  const { list, avoid, failed } = state;
  const { host } = phase.link;
  return prependEffects(
    startMove(
      state,
      phase,
      'left-list',
      planCycle({ hosts: list.hosts, avoid, failed, fallback: [], after: undefined }),
    ),
    log('info', `Connected host has left the list: ${host}`, { host, list: formatHostList(list) }),
  );
}

export function onCheckDue(state: AgentState, phase: Up, input: StepInput): Step {
  const again = postponeCheck(state, input);
  const [preferred] = state.list.hosts;
  if (preferred === undefined) return [again];
  if (phase.link.host === preferred) return [checkSucceeded(again, input)];
  if (isAvoided(state, preferred)) return [again];
  if (input.busy || state.retiring !== undefined)
    return [{ ...state, check: { ...state.check, nextAt: input.now + BUSY_RETRY_MS } }];
  return startMove(again, phase, 'failback', [preferred]);
}

/** Whether an avoid list names a host, and not all hosts of the list. */
function isAvoided({ avoid, list }: AgentState, host: string): boolean {
  return avoid.includes(host) && list.hosts.some(other => !avoid.includes(other));
}
