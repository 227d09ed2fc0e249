import type { AgentEvent } from '../agent-events.js';
import { type AgentState, readyLink } from '../agent-state.js';
import type { AgentMeters, DialResult } from './agent-metrics.js';

/** Counts what a step of the agent has changed. @param event that of the step */
export function countStep(meters: AgentMeters, before: AgentState, after: AgentState, event: AgentEvent): void {
  const result = dialResult(before, after, event);
  if (result !== undefined) meters.dials.add({ result });
  if (after.list !== before.list && !isSameText(after, before)) meters.listChanges.add({});
  if (event.kind === 'suspect' && event.id === readyLink(before)?.id) meters.suspects.add({});
  if (after.loss !== undefined && before.loss === undefined) meters.losses.add({ how: after.loss.how });
  const { arrival } = after;
  if (arrival === undefined || arrival === before.arrival) return;
  const { kind, cause, gapMs } = arrival;
  meters.moves.add({ kind, cause });
  if (gapMs !== undefined) meters.gapSeconds.observe({ cause }, gapMs / 1_000);
}

function dialResult(before: AgentState, after: AgentState, event: AgentEvent): DialResult | undefined {
  switch (event.kind) {
    case 'ready':
      return after.arrival === before.arrival ? undefined : 'ready';
    case 'dial-failed':
      return event.how;
    case 'same-server':
      return 'same-server';
    default:
      return undefined;
  }
}

function isSameText({ list }: AgentState, { list: former }: AgentState): boolean {
  return list.algorithm === former.algorithm && list.hosts.join() === former.hosts.join();
}
