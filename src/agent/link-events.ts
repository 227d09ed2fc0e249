import type { AgentEvent } from './agent-events.js';
import { type AgentState, type IdleReason, type MoveReason, readyLink } from './agent-state.js';

/** What an agent tells of its link. Hosts are entries of its host list; reasons are for people. */
export interface LinkEvents {
  /** There is a Ready link, and was none. */
  readonly ready: { readonly host: string };
  /** There is no Ready link any more: it is looking for another. */
  readonly lost: { readonly host: string; readonly reason: string };
  /**
   * A new Ready link has taken the place of one that was well until then. The two may be to the same host. Without a reason
   * the new one has ended at once, and the one before is in use again.
   */
  readonly moved: { readonly from: string; readonly to: string; readonly reason?: MoveReason };
  /** It does not dial any more: its host was removed, or a server has shut it down. */
  readonly idle: { readonly reason: IdleReason };
}

/** One of them, with its name. */
export type LinkEvent = {
  [Name in keyof LinkEvents]: { readonly name: Name; readonly event: LinkEvents[Name] };
}[keyof LinkEvents];

/** What a step has changed about the link. @param cause the event of the step */
export function linkEventsOf(before: AgentState, after: AgentState, cause: AgentEvent): readonly LinkEvent[] {
  const events: LinkEvent[] = [];
  const [from, to] = [readyLink(before), readyLink(after)];
  if (from === undefined && to !== undefined) events.push({ name: 'ready', event: { host: to.host } });
  if (from !== undefined && to === undefined) {
    events.push({ name: 'lost', event: { host: from.host, reason: cause.kind === 'lost' ? cause.why : cause.kind } });
  }
  if (from !== undefined && to !== undefined && from.id !== to.id) {
    const why = before.phase.kind === 'moving' && { reason: before.phase.move.reason };
    events.push({ name: 'moved', event: { from: from.host, to: to.host, ...why } });
  }
  if (after.phase.kind === 'idle' && before.phase.kind !== 'idle') {
    events.push({ name: 'idle', event: { reason: after.phase.reason } });
  }
  return events;
}
