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

/** Settings of agent.properties that decisions depend on. */
export interface AgentRules {
  /** The first attempt after a loss comes after a random time up to this. File: `failover.spread.ms`. */
  readonly failoverSpreadMs: number;
  /** The wait after a cycle in which every host has failed. File: `backoff.seconds`; at most 60 s. */
  readonly backoff: BackoffOptions;
  /** Between checks of the preferred host; 0 is off. Beats the server's. File: `host.lb.check.interval` (seconds). */
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

/**
 * A link that was Ready for less than this counts as a failed dial of its host. Otherwise an agent would dial two
 * servers that accept it and fail again and again, without a backoff.
 */
const SETTLED_AFTER_MS = 5_000;
/** A link that was Ready for this long ends the backoff. */
const RESET_AFTER_MS = 30_000;
/** A move closes the old link at the second Ready, or this long after the first: CloudStack 4.13 sends only one. */
const SECOND_READY_MS = 5_000;
/** An agent whose connected host has left the list moves after a random time up to this. */
const LEAVE_SPREAD_MS = 30_000;
/** When no host of the new list accepts the agent, it tries again after this plus the random time. */
const LEAVE_AGAIN_MS = 60_000;
/** After this many failed cycles, the hosts of the last list that worked are tried as well. */
const FALLBACK_AFTER_CYCLES = 2;
/** While commands are in progress, a due check is put off by this. */
const BUSY_RETRY_MS = 1_000;
const CHECK_JITTER = 0.1;
/** The algorithm whose check stops once one check has succeeded. */
const SHUFFLE = 'shuffle';

type Step = readonly [AgentState, ...Effect[]];

/**
 * Decides what to do about an event. Every event has a result in every state. Events of links and dials that the state
 * does not know change nothing.
 */
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

/** Dials the next host of the cycle, or the first of a new cycle when all have been tried. */
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
      // A move that succeeds begins a new cycle: all other hosts may be tried again.
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

/** A new link is Ready: sets the time of the check, and takes what the server says. */
function connected(state: AgentState, update: HostUpdate, env: Env): Step {
  return onUpdate(scheduleCheck(state, env), update, env, false);
}

/** The new link of a move is accepted for good: the old one may end. */
function settle(state: AgentState, { link, old }: Phase & { kind: 'settling' }, env: Env): Step {
  return [upOn(arrived(state, link), link, env), { kind: 'retire', id: old.id }];
}

/** A move has ended on `link`. On the preferred host its check has succeeded. */
function arrived(state: AgentState, { host }: LinkRef): AgentState {
  return host === state.list.hosts[0] ? checkSucceeded(state) : state;
}

/** The phase `up` on a link. A host that is not in the list is left after a random time. */
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
      // The dial of the move becomes the failover.
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
      // The old server still owns the agent, because the new one has not had its second Ready answered.
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

/** What the age of a lost link means for the backoff and for the next host. */
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

/** Takes a new list. The hosts that it adds join the current cycle. */
function withList(state: AgentState, list: HostList, env: Env): AgentState {
  const isNew = (host: string) => !state.list.hosts.includes(host);
  const listed = { ...state, list, check: { ...state.check, done: false } };
  const remaining = plan(listed, readyLink(state)?.host).filter(host => isNew(host) || state.remaining.includes(host));
  const after = onlyListed({ ...listed, remaining });
  return after.phase.kind === 'up' ? upOn(after, after.phase.link, env) : after;
}

/** Removes hosts that are not in the list from those still to be tried. */
function onlyListed(state: AgentState): AgentState {
  const isListed = (host: string) => state.list.hosts.includes(host);
  const { phase, remaining } = state;
  const after = { ...state, remaining: remaining.filter(isListed) };
  if (phase.kind !== 'moving') return after;
  const move = { ...phase.move, targets: phase.move.targets.filter(isListed) };
  return { ...after, phase: { ...phase, move } };
}

/** When a host of the list is Ready, the list becomes `last.setup.completed.host`. */
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

/** The dial of a move has failed: tries the next target, or stays. */
function moveOn(state: AgentState, { link, move }: Moving, env: Env): Step {
  const up: Up = { kind: 'up', link, leaveAt: undefined };
  if (move.targets.length > 0) return startMove(state, up, move.reason, move.targets);
  const stayed = upOn(state, link, env, move.reason === 'left-list' ? LEAVE_AGAIN_MS : 0);
  if (move.reason !== 'migrate') return [stayed];
  return [stayed, log('error', 'Cannot migrate: no other management server took this agent', { host: link.host })];
}

/** Ends a move and stays on the old link. */
function stay(state: AgentState, { link, dial }: Moving, why: string, env: Env): Step {
  return [upOn(state, link, env), { kind: 'drop', id: dial.id, why }];
}

/** Two names of one server: the agent is already connected to the host that it dialled. */
function onSameServer(state: AgentState, id: number, env: Env): Step {
  const { phase } = state;
  if (phase.kind === 'joining') {
    // The link to that server has been lost since the dial began.
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

/** Sets the time of the next check: the interval, shortened by a random 0 to 10 %, so that agents spread out. */
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
