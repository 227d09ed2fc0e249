import { peerText } from '../../lib/text/peer-text.js';
import { formatHostList, type HostList } from '../../protocol/index.js';
import type { Effect, HostUpdate } from '../agent-events.js';
import { type AgentState, readyLink } from '../agent-state.js';
import { scheduleCheck, triggerCheck } from './check.js';
import { plan } from './cycle.js';
import { reviseMove, upOn } from './moves.js';
import { log, prependEffects, type Step, type StepInput } from './step.js';

/** Takes what a server says about hosts. @param checkNow it asks for a check of the preferred host */
export function onUpdate(state: AgentState, update: HostUpdate, input: StepInput, checkNow: boolean): Step {
  const effects: Effect[] = [];
  let after = state;
  if (update.avoid !== undefined) after = withAvoided(after, update.avoid);
  const hasList = update.hosts !== undefined && update.hosts.length > 0;
  if (hasList && update.hosts) {
    const list = { hosts: update.hosts, algorithm: update.algorithm };
    const text = formatHostList(list);
    if (text !== formatHostList(state.list)) {
      after = withList(after, list, input);
      effects.push({ kind: 'persist', changes: { host: text } });
      const said = peerText(text);
      effects.push(log('info', `Processed new management server list: ${said}`, { list: said }));
    }
  }
  const seconds = update.checkIntervalSeconds;
  if (seconds !== undefined) after = { ...after, check: { ...after.check, intervalMs: seconds * 1000 } };
  if (hasList || seconds !== undefined) after = scheduleCheck(after, input);
  if (update.spreadMs !== undefined) after = { ...after, spreadMs: update.spreadMs };
  if (checkNow) after = triggerCheck(after, input);
  const [noted, ...more] = noteCompleted(after);
  const revised: Step = noted.phase.kind === 'moving' ? reviseMove(noted, noted.phase, input) : [noted];
  return prependEffects(revised, ...effects, ...more);
}

/** Takes the addresses to avoid. Of the hosts that are still to be tried, they come last from now on. */
function withAvoided(state: AgentState, avoid: readonly string[]): AgentState {
  if (avoid.join() === state.avoid.join()) return state;
  const warned = { ...state, avoid };
  const order = new Set([...plan(warned, readyLink(state)?.host), ...state.remaining]);
  return { ...warned, remaining: [...order].filter(host => state.remaining.includes(host)) };
}

/** Takes a new list. The hosts that it adds join the current cycle. */
function withList(state: AgentState, list: HostList, input: StepInput): AgentState {
  const isNew = (host: string) => !state.list.hosts.includes(host);
  const failed = state.failed.filter(host => list.hosts.includes(host));
  const listed = { ...state, list, failed, check: { ...state.check, isDone: false } };
  const remaining = plan(listed, readyLink(state)?.host).filter(host => isNew(host) || state.remaining.includes(host));
  const after = onlyListed({ ...listed, remaining });
  return after.phase.kind === 'up' ? upOn(after, after.phase.link, input) : after;
}

/** Removes hosts that are not in the list from those still to be tried. */
function onlyListed(state: AgentState): AgentState {
  return { ...state, remaining: state.remaining.filter(host => state.list.hosts.includes(host)) };
}

/** When a host of the list is Ready, the list becomes `last.setup.completed.host`. */
export function noteCompleted(state: AgentState): Step {
  const link = readyLink(state);
  const value = formatHostList(state.list);
  const isNoted = state.lastCompleted !== undefined && formatHostList(state.lastCompleted) === value;
  if (link === undefined || isNoted || !state.list.hosts.includes(link.host)) return [state];
  return [
    { ...onlyListed(state), lastCompleted: state.list },
    { kind: 'persist', changes: { 'last.setup.completed.host': value } },
  ];
}
