import { type BackoffOptions, fullJitter } from '../lib/backoff.js';
import { formatHostList, type HostList } from '../protocol/index.js';
import type { AgentEvent, Effect, HostUpdate } from './agent-events.js';
import {
  type AgentState,
  type Dial,
  isCurrent,
  type LinkRef,
  type MoveReason,
  migrationTargets,
  type Phase,
  readyLink,
} from './agent-state.js';
import { planCycle } from './host-cycler.js';

export interface AgentRules {
  /** File: `failover.spread.ms`. */
  readonly failoverSpreadMs: number;
  /** File: `backoff.seconds`; at most 60 s. */
  readonly backoff: BackoffOptions;
  /** File: `host.lb.check.interval`; beats the server's. */
  readonly checkIntervalMs: number | undefined;
}

/** What a step is given beside the state and the event: the rules, the time, chance, and whether the agent is busy. */
export interface Env {
  readonly rules: AgentRules;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The resource is still working on commands of the connected server. */
  readonly busy: boolean;
}

/** A link that lived shorter than this counts as one more failure of its host, or two sick servers would be dialled in turn for ever. */
const SETTLED_AFTER_MS = 5_000;
/** A link that lived this long ends the backoff. */
const RESET_AFTER_MS = 30_000;
/** A move closes the old link at the second Ready, or this long after the first: 4.13 sends only one. */
const SECOND_READY_MS = 5_000;
/** An agent whose host has left the list moves within this. */
const LEAVE_SPREAD_MS = 30_000;
/** When none of the new list takes it, it tries again after this and the spread. */
const LEAVE_AGAIN_MS = 60_000;
/** The hosts of the last list that worked are tried as well, after this many full cycles. */
const FALLBACK_AFTER_CYCLES = 2;
/** With commands in progress the check waits this long. */
const BUSY_RETRY_MS = 1_000;
const CHECK_JITTER = 0.1;
/** Runs its check until one has succeeded. */
const SHUFFLE = 'shuffle';

type Step = readonly [AgentState, ...Effect[]];

/** Total: what to do about `event` in `state`. Events of links and dials that the state does not know change nothing. */
export function next(
  state: AgentState,
  event: AgentEvent,
  env: Env,
): { state: AgentState; effects: readonly Effect[] } {
  const [after, ...effects] = step(state, event, env);
  return { state: after, effects };
}

function step(state: AgentState, event: AgentEvent, env: Env): Step {
  switch (event.kind) {
    case 'tick':
      return onTick(state, env);
    case 'dial-failed':
      return onDialFailed(state, event, env);
    case 'same-server':
      return onSameServer(state, event.id, env);
    case 'ready':
      return onReady(state, event, env);
    case 'lost':
      return onLost(state, event, env);
    case 'update':
      return isCurrent(state, event.id) ? onUpdate(state, event.update, env, event.checkNow) : [state];
    case 'migrate':
      return isCurrent(state, event.id) ? onMigrate(state, event.update, env) : [state];
    case 'suspect':
      return onSuspect(state, event);
    case 'heard':
      return onHeard(state, event.id, env);
    case 'send-startup':
      return onSendStartup(state, event.id);
    case 'shutdown':
      return onShutdown(state, event);
  }
}

// ---- waiting and joining

function onTick(state: AgentState, env: Env): Step {
  const { phase } = state;
  switch (phase.kind) {
    case 'waiting':
      return env.now < phase.until ? [state] : join(state);
    case 'settling':
      return env.now < phase.until ? [state] : settle(state, phase, env);
    case 'up':
      if (phase.leaveAt !== undefined && env.now >= phase.leaveAt) return leave(state, phase);
      return state.check.nextAt !== undefined && env.now >= state.check.nextAt
        ? onCheckDue(state, phase, env)
        : [state];
    case 'joining':
    case 'moving':
    case 'idle':
      return [state];
  }
}

/** Dials the next host of the cycle; a used-up cycle begins anew. */
function join(state: AgentState): Step {
  const remaining = state.remaining.length > 0 ? state.remaining : plan(state, undefined);
  const [host, ...rest] = remaining;
  if (host === undefined) return [state];
  const dial = { id: state.nextDialId, host };
  return [
    { ...state, phase: { kind: 'joining', dial }, remaining: rest, nextDialId: dial.id + 1 },
    dialEffect(dial, undefined, false),
  ];
}

function plan({ list, avoid, lastCompleted, failures }: AgentState, after: string | undefined): readonly string[] {
  const fallback = failures >= FALLBACK_AFTER_CYCLES ? (lastCompleted?.hosts ?? []) : [];
  return planCycle({ hosts: list.hosts, avoid, fallback, after });
}

function onDialFailed(state: AgentState, event: AgentEvent & { kind: 'dial-failed' }, env: Env): Step {
  const { phase } = state;
  const { id, why } = event;
  const level = event.refused ? 'error' : 'warn';
  if (phase.kind === 'joining' && phase.dial.id === id) {
    const failed = log(level, `Cannot connect to host: ${phase.dial.host}`, { host: phase.dial.host, reason: why });
    if (state.remaining.length > 0) return prependEffects(join(state), failed);
    return prependEffects(cycleFailed(state, phase.dial.host, env), failed);
  }
  if (phase.kind === 'moving' && phase.dial.id === id) {
    const failed = log(level, `Cannot move to host: ${phase.dial.host}`, {
      host: phase.dial.host,
      move: phase.move.reason,
      reason: why,
    });
    return prependEffects(moveOn(state, phase, env), failed);
  }
  return [state];
}

function cycleFailed(state: AgentState, lastHost: string, env: Env): Step {
  const failures = state.failures + 1;
  const waitMs = fullJitter(failures, env.rules.backoff, env.random());
  const counted = { ...state, failures };
  const remaining = plan(counted, lastHost);
  const effects: Effect[] = [];
  if (failures === FALLBACK_AFTER_CYCLES && remaining.some(host => !state.list.hosts.includes(host))) {
    effects.push(
      log('warn', 'No management server of the host list answers: trying those of the last list that worked as well', {
        list: formatHostList(state.list),
        last: state.lastCompleted ? formatHostList(state.lastCompleted) : '',
      }),
    );
  }
  effects.push(
    log('warn', 'No management server could be reached: waiting', { waitMs: Math.round(waitMs), cycles: failures }),
  );
  return [{ ...counted, phase: { kind: 'waiting', until: env.now + waitMs }, remaining }, ...effects];
}

// ---- ready and lost

function onReady(state: AgentState, event: { id: number; update: HostUpdate }, env: Env): Step {
  const { phase } = state;
  if (phase.kind === 'joining' && phase.dial.id === event.id) {
    const link = { ...phase.dial, since: env.now };
    return prependEffects(
      connected(upOn(state, link, env), event.update, env),
      log('info', `Connected to the host: ${link.host}`, { host: link.host }),
    );
  }
  if (phase.kind === 'moving' && phase.dial.id === event.id) {
    const link = { ...phase.dial, since: env.now };
    const until = env.now + SECOND_READY_MS;
    const moved: AgentState = {
      ...state,
      phase: { kind: 'settling', link, old: phase.link, until },
      // A move that succeeds starts a new cycle: the hosts behind this one are all worth a try again.
      remaining: plan(state, link.host),
    };
    return prependEffects(
      connected(moved, event.update, env),
      log('info', `Connected to the host: ${link.host}`, {
        host: link.host,
        from: phase.link.host,
        move: phase.move.reason,
      }),
    );
  }
  if (phase.kind === 'settling' && phase.link.id === event.id) {
    const [settled, ...effects] = settle(state, phase, env);
    return prependEffects(onUpdate(settled, event.update, env, false), ...effects);
  }
  return isCurrent(state, event.id) ? onUpdate(state, event.update, env, false) : [state];
}

/** A new link is Ready: notes that its list works, sets the check's timer, takes what the server says. */
function connected(state: AgentState, update: HostUpdate, env: Env): Step {
  return onUpdate(scheduleCheck(state, env), update, env, false);
}

/** The old link has done its duty. */
function settle(state: AgentState, { link, old }: Phase & { kind: 'settling' }, env: Env): Step {
  return [upOn(arrived(state, link), link, env), { kind: 'retire', id: old.id }];
}

/** A move has come to its end on `link`: perhaps it was the way back. */
function arrived(state: AgentState, { host }: LinkRef): AgentState {
  return host === state.list.hosts[0] ? checkSucceeded(state) : state;
}

/** Up on `link`; a host that the list does not name is left before long. */
function upOn(state: AgentState, link: LinkRef, env: Env, leaveAfterMs = 0): AgentState {
  const isListed = state.list.hosts.includes(link.host);
  const leaveAt = isListed ? undefined : env.now + leaveAfterMs + env.random() * LEAVE_SPREAD_MS;
  return { ...state, phase: { kind: 'up', link, leaveAt } };
}

function onLost(state: AgentState, { id, why }: { id: number; why: string }, env: Env): Step {
  const { phase } = state;
  switch (phase.kind) {
    case 'up':
      return phase.link.id === id ? failOver(state, phase.link, why, env) : [state];
    case 'moving': {
      if (phase.link.id !== id) return [state];
      // The dial under way becomes the failover.
      const without = afterLoss(state, phase.link, env);
      const remaining = without.remaining.filter(host => host !== phase.dial.host);
      return [
        { ...without, phase: { kind: 'joining', dial: phase.dial }, remaining },
        lostLog(phase.link, why),
        log('info', `Reconnecting to host: ${phase.dial.host}`, { host: phase.dial.host }),
      ];
    }
    case 'settling':
      if (phase.old.id === id) return [upOn(arrived(state, phase.link), phase.link, env)];
      if (phase.link.id !== id) return [state];
      // The server that we came from still owns us: it has not seen the new one's second Ready answered.
      return [upOn(state, phase.old, env), lostLog(phase.link, why)];
    case 'waiting':
    case 'joining':
    case 'idle':
      return [state];
  }
}

function failOver(state: AgentState, link: LinkRef, why: string, env: Env): Step {
  const without = afterLoss(state, link, env);
  const [host] = without.remaining;
  if (host === undefined) return prependEffects(cycleFailed(without, link.host, env), lostLog(link, why));
  const waitMs = env.random() * env.rules.failoverSpreadMs;
  return [
    { ...without, phase: { kind: 'waiting', until: env.now + waitMs } },
    lostLog(link, why),
    log('info', `Reconnecting to host: ${host}`, { host, waitMs: Math.round(waitMs) }),
  ];
}

/** What the link's age says about the backoff, and about who is tried next. */
function afterLoss(state: AgentState, link: LinkRef, env: Env): AgentState {
  const age = env.now - link.since;
  const counted = age >= RESET_AFTER_MS ? { ...state, failures: 0 } : state;
  return age >= SETTLED_AFTER_MS ? { ...counted, remaining: plan(counted, link.host) } : counted;
}

// ---- what servers say

function onUpdate(state: AgentState, update: HostUpdate, env: Env, checkNow: boolean): Step {
  const effects: Effect[] = [];
  let after = state;
  if (update.avoid !== undefined) after = { ...after, avoid: update.avoid };
  const hasList = update.hosts !== undefined && update.hosts.length > 0;
  if (hasList && update.hosts) {
    const list = { hosts: update.hosts, algorithm: update.algorithm };
    const text = formatHostList(list);
    if (text !== formatHostList(state.list)) {
      after = withList(after, list, env);
      effects.push({ kind: 'persist', changes: { host: text } });
      effects.push(log('info', `Processed new management server list: ${text}`, { list: text }));
    }
  }
  const seconds = update.checkIntervalSeconds;
  if (seconds !== undefined) after = { ...after, check: { ...after.check, intervalMs: seconds * 1000 } };
  if (hasList || seconds !== undefined) after = scheduleCheck(after, env);
  if (checkNow) after = { ...after, check: { ...after.check, nextAt: env.now, done: false } };
  return prependEffects(noteCompleted(after), ...effects);
}

/** Takes a new list: the hosts that it adds are worth a try in the cycle under way. */
function withList(state: AgentState, list: HostList, env: Env): AgentState {
  const isNew = (host: string) => !state.list.hosts.includes(host);
  const listed = { ...state, list, check: { ...state.check, done: false } };
  const remaining = plan(listed, readyLink(state)?.host).filter(host => isNew(host) || state.remaining.includes(host));
  const after = onlyListed({ ...listed, remaining });
  return after.phase.kind === 'up' ? upOn(after, after.phase.link, env) : after;
}

/** Hosts that the list does not name are no longer tried. */
function onlyListed(state: AgentState): AgentState {
  const isListed = (host: string) => state.list.hosts.includes(host);
  const { phase, remaining } = state;
  const after = { ...state, remaining: remaining.filter(isListed) };
  if (phase.kind !== 'moving') return after;
  const move = { ...phase.move, targets: phase.move.targets.filter(isListed) };
  return { ...after, phase: { ...phase, move } };
}

/** `last.setup.completed.host` is the last list of which a host was Ready. */
function noteCompleted(state: AgentState): Step {
  const link = readyLink(state);
  const value = formatHostList(state.list);
  const isNoted = state.lastCompleted !== undefined && formatHostList(state.lastCompleted) === value;
  if (link === undefined || isNoted || !state.list.hosts.includes(link.host)) return [state];
  return [
    { ...onlyListed(state), lastCompleted: state.list },
    { kind: 'persist', changes: { 'last.setup.completed.host': value } },
  ];
}

function onMigrate(state: AgentState, update: HostUpdate, env: Env): Step {
  const [updated, ...effects] = onUpdate(state, update, env, false);
  const { phase } = updated;
  if (phase.kind === 'settling') {
    const [settled, ...more] = settle(updated, phase, env);
    return prependEffects(migrate(settled), ...effects, ...more);
  }
  if (phase.kind === 'moving') {
    const [stayed, ...more] = stay(updated, phase, 'the server asks for another move', env);
    return prependEffects(migrate(stayed), ...effects, ...more);
  }
  return prependEffects(migrate(updated), ...effects);
}

function migrate(state: AgentState): Step {
  const { phase } = state;
  if (phase.kind !== 'up') return [state];
  const targets = migrationTargets(state);
  if (targets.length > 0) return startMove(state, phase, 'migrate', targets);
  return [
    state,
    log('error', 'Cannot migrate: every other host of the list is avoided', { list: formatHostList(state.list) }),
  ];
}

function onSuspect(state: AgentState, { id, silentMs }: { id: number; silentMs: number }): Step {
  const { phase } = state;
  if (phase.kind !== 'up' || phase.link.id !== id) return [state];
  const others = plan(state, phase.link.host).filter(host => host !== phase.link.host);
  const silent = log('warn', `Management server is silent: ${phase.link.host}`, {
    host: phase.link.host,
    silentMs: Math.round(silentMs),
  });
  if (others.length === 0) return [state, silent];
  return prependEffects(startMove(state, phase, 'suspect', others), silent);
}

function onHeard(state: AgentState, id: number, env: Env): Step {
  const { phase } = state;
  if (phase.kind !== 'moving' || phase.link.id !== id || phase.move.reason !== 'suspect') return [state];
  return prependEffects(
    stay(state, phase, 'the server speaks again', env),
    log('info', `Management server speaks again: ${phase.link.host}`, { host: phase.link.host }),
  );
}

function onSendStartup(state: AgentState, id: number): Step {
  const { phase } = state;
  if (phase.kind !== 'up' || phase.link.id !== id) return [state];
  return startMove(state, phase, 'register', [phase.link.host]);
}

function onShutdown(state: AgentState, { id, removeHost }: { id: number; removeHost: boolean }): Step {
  const { phase } = state;
  if (!isCurrent(state, id)) return [state];
  const effects: Effect[] = [{ kind: 'quiesce', id }];
  if (phase.kind === 'moving') effects.push({ kind: 'drop', id: phase.dial.id, why: 'shut down by the server' });
  if (phase.kind === 'settling') effects.push({ kind: 'retire', id: phase.old.id });
  if (removeHost) effects.push({ kind: 'persist', changes: { zone: '', pod: '', cluster: '' } });
  const why = removeHost
    ? 'this host has been removed from the management servers'
    : 'the management server shut it down';
  effects.push(log('error', `Agent stays idle: ${why}; it will not reconnect until it is restarted`));
  return [{ ...state, phase: { kind: 'idle', reason: removeHost ? 'removed' : 'shutdown' } }, ...effects];
}

// ---- moves

type Up = Phase & { kind: 'up' };
type Moving = Phase & { kind: 'moving' };

function startMove(state: AgentState, { link }: Up, reason: MoveReason, [host, ...targets]: readonly string[]): Step {
  if (host === undefined) return [state];
  const dial = { id: state.nextDialId, host };
  return [
    { ...state, phase: { kind: 'moving', link, dial, move: { reason, targets } }, nextDialId: dial.id + 1 },
    dialEffect(dial, reason === 'register' ? undefined : link.id, reason === 'migrate'),
  ];
}

/** The dial of a move has failed: the next target, or stay. */
function moveOn(state: AgentState, { link, move }: Moving, env: Env): Step {
  const up: Up = { kind: 'up', link, leaveAt: undefined };
  if (move.targets.length > 0) return startMove(state, up, move.reason, move.targets);
  const stayed = upOn(state, link, env, move.reason === 'left-list' ? LEAVE_AGAIN_MS : 0);
  if (move.reason !== 'migrate') return [stayed];
  return [stayed, log('error', 'Cannot migrate: no other management server took this agent', { host: link.host })];
}

/** Gives up a move that is under way. */
function stay(state: AgentState, { link, dial }: Moving, why: string, env: Env): Step {
  return [upOn(state, link, env), { kind: 'drop', id: dial.id, why }];
}

/** Two names of one server: we are where we wanted to go. */
function onSameServer(state: AgentState, id: number, env: Env): Step {
  const { phase } = state;
  if (phase.kind === 'joining') {
    // The link that it was compared with is gone meanwhile.
    return onDialFailed(state, { kind: 'dial-failed', id, why: 'it was the server just lost', refused: false }, env);
  }
  if (phase.kind !== 'moving' || phase.dial.id !== id) return [state];
  if (phase.move.reason === 'migrate' || phase.move.reason === 'suspect') return moveOn(state, phase, env);
  const link = { ...phase.link, host: phase.dial.host };
  return noteCompleted(upOn(arrived(state, link), link, env));
}

function leave(state: AgentState, phase: Up): Step {
  return prependEffects(
    startMove(
      state,
      phase,
      'left-list',
      planCycle({ hosts: state.list.hosts, avoid: state.avoid, fallback: [], after: undefined }),
    ),
    log('info', `Connected host has left the list: ${phase.link.host}`, {
      host: phase.link.host,
      list: formatHostList(state.list),
    }),
  );
}

// ---- the preferred-host check

function onCheckDue(state: AgentState, phase: Up, env: Env): Step {
  const again = scheduleCheck(state, env);
  const [preferred] = state.list.hosts;
  if (preferred === undefined) return [again];
  if (phase.link.host === preferred) return [checkSucceeded(again)];
  const isAvoided = state.avoid.includes(preferred) && state.list.hosts.some(host => !state.avoid.includes(host));
  if (isAvoided) return [again];
  if (env.busy) return [{ ...state, check: { ...state.check, nextAt: env.now + BUSY_RETRY_MS } }];
  return startMove(again, phase, 'failback', [preferred]);
}

function checkSucceeded(state: AgentState): AgentState {
  if (state.list.algorithm !== SHUFFLE) return state;
  return { ...state, check: { ...state.check, done: true, nextAt: undefined } };
}

/** Sets the timer anew: the interval −10 % … 0, so that agents which failed over together do not check together. */
function scheduleCheck(state: AgentState, env: Env): AgentState {
  const intervalMs = env.rules.checkIntervalMs ?? state.check.intervalMs;
  const isOff = intervalMs === 0 || state.check.done;
  const nextAt = isOff ? undefined : env.now + intervalMs * (1 - CHECK_JITTER * env.random());
  return { ...state, check: { ...state.check, nextAt } };
}

// ---- small parts

function dialEffect(dial: Dial, unlike: number | undefined, transferred: boolean): Effect {
  return { kind: 'dial', ...dial, unlike, transferred };
}

function lostLog(link: LinkRef, why: string): Effect {
  return log('warn', `Lost connection to host: ${link.host}`, { host: link.host, reason: why });
}

function log(
  level: 'error' | 'warn' | 'info',
  message: string,
  fields?: Readonly<Record<string, string | number>>,
): Effect {
  return { kind: 'log', level, message, ...(fields && { fields }) };
}

/** The same step, with the effects `first` performed before its own. */
function prependEffects([state, ...effects]: Step, ...first: readonly Effect[]): Step {
  return [state, ...first, ...effects];
}
