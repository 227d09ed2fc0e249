import type { AgentEvent, Effect, HostUpdate } from './agent-events.js';
import { type AgentState, dialsOf, isCurrent, type LinkRef, readyLink } from './agent-state.js';
import { withArrival } from './arrival.js';
import { scheduleCheck } from './steps/check.js';
import {
  endOthers,
  failOver,
  giveUpWaiting,
  join,
  joining,
  lostLog,
  onConnected,
  onJoinFailed,
  onJoiningTick,
  withoutFailed,
} from './steps/cycle.js';
import { noteCompleted, onUpdate } from './steps/lists.js';
import {
  isLeaveDue,
  isPresentDue,
  leave,
  migrate,
  onCheckDue,
  onCredentials,
  onHeard,
  onLostWhileMoving,
  onMoveConnected,
  onMoveFailed,
  onMoveReady,
  onMoveToSameServer,
  onNewLost,
  onOldLost,
  onRetired,
  onSendStartup,
  onSuspect,
  present,
  settle,
  upOn,
} from './steps/moves.js';
import { log, prependEffects, type Step, type StepInput } from './steps/step.js';

/**
 * Decides what to do about an event. Every event has a result in every state. Events of links and dials that the state
 * does not know change nothing.
 */
export function next(
  state: AgentState,
  event: AgentEvent,
  input: StepInput,
): { state: AgentState; effects: readonly Effect[] } {
  const [after, ...effects] = step(state, event, input);
  return { state: withArrival(state, after, event, input), effects };
}

function step(state: AgentState, event: AgentEvent, input: StepInput): Step {
  switch (event.kind) {
    case 'tick':
      return onTick(state, input);
    case 'connected':
      return onDialConnected(state, event.id);
    case 'startup-answered':
      return onStartupAnswered(state, event.id, input);
    case 'address-failed':
      return onAddressFailed(state, event, input);
    case 'dial-failed':
      return onDialFailed(state, event, input);
    case 'same-server':
      return onSameServer(state, event.id, input);
    case 'ready':
      return onReady(state, event, input);
    case 'retired':
      return [onRetired(state, event.id, input)];
    case 'lost':
      return onLost(state, event, input);
    case 'update':
      return isCurrent(state, event.id) ? onUpdate(state, event.update, input, event.checkNow) : [state];
    case 'migrate':
      return isCurrent(state, event.id) ? onMigrate(state, event.update, input) : [state];
    case 'suspect':
      return onSuspect(state, event, input);
    case 'heard':
      return onHeard(state, event.id, input);
    case 'send-startup':
      return onSendStartup(state, event.id);
    case 'credentials':
      return onCredentials(state, event.credentials, input);
    case 'shutdown':
      return onShutdown(state, event);
  }
}

function onTick(state: AgentState, input: StepInput): Step {
  const link = readyLink(state);
  if (link !== undefined && state.pingAt !== undefined && input.now >= state.pingAt) {
    return prependEffects(onPhaseTick({ ...state, pingAt: undefined }, input), { kind: 'ping', id: link.id });
  }
  return onPhaseTick(state, input);
}

function onPhaseTick(state: AgentState, input: StepInput): Step {
  const { phase } = state;
  switch (phase.kind) {
    case 'waiting':
      return input.now < phase.until ? [state] : join(state, input);
    case 'joining':
      return onJoiningTick(state, phase, input);
    case 'moving':
      return giveUpWaiting(state, input);
    case 'settling':
      return input.now < phase.until ? [state] : settle(state, phase, input);
    case 'up':
      if (isLeaveDue(state, phase, input)) return leave(state, phase);
      if (isPresentDue(state, phase, input)) return present(state, phase, input);
      return state.check.nextAt !== undefined && input.now >= state.check.nextAt
        ? onCheckDue(state, phase, input)
        : [state];
    case 'idle':
      return [state];
  }
}

// ---- dials

function onDialConnected(state: AgentState, id: number): Step {
  const { phase } = state;
  if (phase.kind === 'joining') return onConnected(state, phase, id);
  return phase.kind === 'moving' && phase.dial.id === id ? onMoveConnected(state, phase) : [state];
}

function onStartupAnswered(state: AgentState, id: number, input: StepInput): Step {
  const { phase } = state;
  const dial = dialsOf(state).find(other => other.id === id);
  if (dial === undefined || (phase.kind !== 'moving' && phase.kind !== 'joining')) return [state];
  const answered = { ...dial, isConnected: true, answeredAt: input.now };
  if (phase.kind === 'moving') return [{ ...state, phase: { ...phase, dial: answered } }];
  const [alone, ...effects] = endOthers(state, phase, id);
  return [{ ...alone, phase: { kind: 'joining', dials: [answered], nextAt: undefined } }, ...effects];
}

/** The name has further addresses, to which the dial connects now. */
function onAddressFailed(state: AgentState, { id, why }: { id: number; why: string }, input: StepInput): Step {
  const { phase } = state;
  const dial = dialsOf(state).find(other => other.id === id);
  if (dial === undefined) return [state];
  const said = log('warn', `Cannot connect to an address of host: ${dial.host}`, { host: dial.host, reason: why });
  const again = { ...dial, isConnected: false, answeredAt: undefined };
  if (phase.kind === 'moving') return [{ ...state, phase: { ...phase, dial: again } }, said];
  return [{ ...state, phase: joining([again], state.remaining, input) }, said];
}

function onDialFailed(state: AgentState, event: AgentEvent & { kind: 'dial-failed' }, input: StepInput): Step {
  const { phase } = state;
  if (phase.kind === 'joining') return onJoinFailed(state, phase, event, input);
  return phase.kind === 'moving' && phase.dial.id === event.id ? onMoveFailed(state, phase, event, input) : [state];
}

function onSameServer(state: AgentState, id: number, input: StepInput): Step {
  const { phase } = state;
  if (phase.kind === 'joining') {
    // The link to that server has been lost since the dial began.
    return onJoinFailed(
      state,
      phase,
      { kind: 'dial-failed', id, why: 'it was the server just lost', how: 'other' },
      input,
    );
  }
  if (phase.kind !== 'moving' || phase.dial.id !== id) return [state];
  const [after, ...effects] = onMoveToSameServer(state, phase, input);
  return prependEffects(noteCompleted(after), ...effects);
}

// ---- ready and lost

function onReady(state: AgentState, event: { id: number; update: HostUpdate }, input: StepInput): Step {
  const { phase } = state;
  const { id, update } = event;
  if (phase.kind === 'joining') {
    const dial = phase.dials.find(other => other.id === id);
    if (dial === undefined) return [state];
    const [alone, ...effects] = endOthers(state, phase, id);
    const { host, credentials } = dial;
    const link: LinkRef = { id, host, credentials, since: input.now, isFailback: false };
    const up = scheduleCheck(upOn(withoutFailed(alone, link.host), link, input), input);
    const connected = log('info', `Connected to the host: ${link.host}`, { host: link.host });
    return prependEffects(onUpdate(up, update, input, false), ...effects, connected);
  }
  if (phase.kind === 'moving' && phase.dial.id === id) {
    const [moved, ...effects] = onMoveReady(state, phase, input);
    return prependEffects(onUpdate(moved, update, input, false), ...effects);
  }
  if (phase.kind === 'settling' && phase.link.id === id) {
    const [settled, ...effects] = settle(state, phase, input);
    return prependEffects(onUpdate(settled, update, input, false), ...effects);
  }
  return isCurrent(state, id) ? onUpdate(state, update, input, false) : [state];
}

function onLost(state: AgentState, { id, why }: { id: number; why: string }, input: StepInput): Step {
  const { phase } = state;
  if (state.retiring === id) return [{ ...state, retiring: undefined }];
  switch (phase.kind) {
    case 'up':
      return phase.link.id === id ? failOver(state, phase.link, why, input) : [state];
    case 'moving':
      return phase.link.id === id ? onLostWhileMoving(state, phase, why, input) : [state];
    case 'settling':
      if (phase.old.id === id) return onOldLost(state, phase, input);
      if (phase.link.id !== id) return [state];
      return prependEffects(onNewLost(state, phase, input), lostLog(phase.link, why, phase.old));
    case 'waiting':
    case 'joining':
    case 'idle':
      return [state];
  }
}

// ---- what servers ask for

function onMigrate(state: AgentState, update: HostUpdate, input: StepInput): Step {
  const [updated, ...effects] = onUpdate(state, update, input, false);
  const added = updated.list.hosts.filter(host => !state.list.hosts.includes(host));
  const { phase } = updated;
  if (phase.kind === 'settling') {
    const [settled, ...more] = settle(updated, phase, input);
    return prependEffects(migrate(settled, added, input), ...effects, ...more);
  }
  return prependEffects(migrate(updated, added, input), ...effects);
}

function onShutdown(state: AgentState, { id, removeHost }: { id: number; removeHost: boolean }): Step {
  const { phase } = state;
  if (!isCurrent(state, id)) return [state];
  const effects: Effect[] = [{ kind: 'quiesce', id }];
  if (phase.kind === 'moving') effects.push({ kind: 'drop', id: phase.dial.id, why: 'shut down by the server' });
  if (phase.kind === 'settling') effects.push({ kind: 'retire', id: phase.old.id });
  if (removeHost) effects.push({ kind: 'persist', changes: { zone: '', pod: '', cluster: '' } });
  const why = removeHost
    ? 'this host was removed from the management servers; to register it anew, set zone, pod and cluster and start the agent'
    : 'the management server shut it down; it will not reconnect until it is restarted';
  effects.push(log('error', `Agent stays idle: ${why}`));
  return [{ ...state, phase: { kind: 'idle', reason: removeHost ? 'removed' : 'shutdown' } }, ...effects];
}
