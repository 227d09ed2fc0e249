import type { AgentMoveCause, AgentMoveKind } from '../protocol/index.js';
import type { AgentEvent } from './agent-events.js';
import { type AgentState, type Arrival, type MoveReason, readyLink } from './agent-state.js';

const MOVES: Readonly<Record<MoveReason, Pick<Arrival, 'kind' | 'cause'>>> = {
  failback: { kind: 'failback', cause: 'preferred' },
  migrate: { kind: 'migrate', cause: 'asked' },
  suspect: { kind: 'suspect', cause: 'silent' },
  'left-list': { kind: 'left-list', cause: 'list-changed' },
  register: { kind: 'register', cause: 'row-lost' },
  certificates: { kind: 'register', cause: 'certificates' },
};

/** What the dials under way are for. Pure. */
export function purposeOf({ phase, loss }: AgentState): { kind: AgentMoveKind; cause: AgentMoveCause } {
  if (phase.kind === 'moving') return MOVES[phase.move.reason];
  return loss === undefined ? { kind: 'connect', cause: 'started' } : { kind: 'failover', cause: loss.how };
}

/**
 * Notes that the Ready link is another one, or is lost. Pure.
 * @param before the state that the event came to
 * @param after what the step has made of it
 */
export function withArrival(
  before: AgentState,
  after: AgentState,
  event: AgentEvent,
  { now }: { readonly now: number },
): AgentState {
  const [from, to] = [readyLink(before), readyLink(after)];
  if (to === undefined) {
    if (from === undefined) return after;
    return { ...after, loss: { at: now, how: event.kind === 'lost' ? event.how : 'closed' } };
  }
  // When the link of a move is lost again, the agent stays where it was.
  if (to.id === from?.id || event.kind !== 'ready') return after;
  const { kind, cause } = purposeOf(before);
  return { ...after, loss: undefined, arrival: { kind, cause, gapMs: gapOf(before, now) } };
}

function gapOf({ phase, loss }: AgentState, now: number): number | undefined {
  if (phase.kind === 'moving') return phase.silentSince === undefined ? 0 : Math.round(now - phase.silentSince);
  return loss === undefined ? undefined : Math.round(now - loss.at);
}
