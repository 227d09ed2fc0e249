import type { Message } from '../../protocol/index.js';
import type { CommandOutcome } from './outcome.js';

/** Where the agent of a host can be asked. */
export type Place =
  /** It has a link to this server. */
  | { readonly kind: 'here' }
  /** Another server has it. */
  | { readonly kind: 'at'; readonly msid: number };

export type Whereabouts =
  | Place
  | { readonly kind: 'nowhere'; readonly why: string }
  /** There is no such host, or not any more. */
  | { readonly kind: 'removed' };

/** What whoever was asked to send the commands has said. */
export type Reply =
  | { readonly kind: 'answered'; readonly messages: readonly Message[]; readonly isUnsupported: boolean }
  /** The agent has not got them. `isFinal`: it is of no use to ask again. */
  | { readonly kind: 'notSent'; readonly reason: string; readonly isFinal: boolean }
  /** The agent may have carried them out. `isRepeatable`: whether it knows commands by their ids; undefined: not known. */
  | { readonly kind: 'lost'; readonly reason: string; readonly isRepeatable: boolean | undefined };

/**
 * Commands on their way to the agent of one host.
 *
 *     locating ─place─▶ asking ─answered──────────────────────▶ over
 *      ▲  │ nowhere      │ │ cancel, deadline
 *      │  ▼              │ └──────────▶ ending ─reply──────────▶ over
 *     waiting ◀──────────┘ not sent; or lost, and repeatable
 *
 * A recall does the same as a cancel, but waits for the answer of what was sent: `recalling`, until a reply, or an end.
 *
 * Commands that the agent may have got (`mayBeSent`) are asked again only of an agent that carries out each id once.
 */
export type SendState =
  | { readonly kind: 'locating'; readonly mayBeSent: boolean; readonly isFresh: boolean; readonly why: string }
  | { readonly kind: 'asking'; readonly mayBeSent: boolean; readonly isFresh: boolean }
  | { readonly kind: 'waiting'; readonly mayBeSent: boolean; readonly why: string }
  | { readonly kind: 'recalling'; readonly mayBeSent: boolean }
  | { readonly kind: 'ending'; readonly mayBeSent: boolean; readonly end: SendEnd }
  | { readonly kind: 'over' };

export type SendEvent =
  | { readonly kind: 'located'; readonly whereabouts: Whereabouts }
  /** It is time to look again where the host is. */
  | { readonly kind: 'look' }
  | { readonly kind: 'replied'; readonly reply: Reply }
  /** The caller does not want them to be sent any more; an agent that has them is asked to end them. */
  | { readonly kind: 'recall' }
  | { readonly kind: SendEnd };

/** The caller does not want them to be sent any more; the time for all of it is over; or this server stops. */
export type SendEnd = 'cancel' | 'deadline' | 'stop';

export type SendEffect =
  /** `isFresh`: by what the store says now, not by what was read last. */
  | { readonly kind: 'locate'; readonly isFresh: boolean }
  /** `isRepeated`: only if the agent carries out each id once. */
  | { readonly kind: 'ask'; readonly place: Place; readonly isRepeated: boolean }
  | { readonly kind: 'wait' }
  | { readonly kind: 'recall' }
  | { readonly kind: 'take back' }
  | { readonly kind: 'finish'; readonly outcome: CommandOutcome };

export interface SendStep {
  readonly state: SendState;
  readonly effect: SendEffect | undefined;
}

/** @param mayBeSent somebody may have sent them before, who has gone */
export function begun(mayBeSent: boolean): SendStep {
  return {
    state: { kind: 'locating', mayBeSent, isFresh: false, why: '' },
    effect: { kind: 'locate', isFresh: false },
  };
}

/** Total: an event that does not fit the state changes nothing. @param hasIds each command has a `commandId` */
export function next(state: SendState, event: SendEvent, hasIds: boolean): SendStep {
  if (state.kind === 'over') return unchanged(state);
  switch (event.kind) {
    case 'located':
      return state.kind === 'locating' ? located(state, event.whereabouts) : unchanged(state);
    case 'look':
      return state.kind === 'waiting' ? locating(state.mayBeSent, state.why) : unchanged(state);
    case 'replied':
      if (state.kind === 'asking') return replied(state, event.reply, hasIds);
      if (state.kind === 'recalling') return recalled(state, event.reply);
      return state.kind === 'ending' ? ended(state, event.reply) : unchanged(state);
    case 'recall':
      return recall(state);
    case 'cancel':
    case 'deadline':
    case 'stop':
      return ending(state, event.kind);
  }
}

function located(state: SendState & { kind: 'locating' }, whereabouts: Whereabouts): SendStep {
  const { mayBeSent, isFresh } = state;
  switch (whereabouts.kind) {
    case 'here':
    case 'at':
      return {
        state: { kind: 'asking', mayBeSent, isFresh },
        effect: { kind: 'ask', place: whereabouts, isRepeated: mayBeSent },
      };
    case 'removed':
      return notSent(mayBeSent, 'refused', 'there is no such host');
    case 'nowhere':
      return isFresh ? waiting(mayBeSent, whereabouts.why) : locating(mayBeSent, whereabouts.why);
  }
}

function replied(state: SendState & { kind: 'asking' }, reply: Reply, hasIds: boolean): SendStep {
  const { mayBeSent, isFresh } = state;
  if (reply.kind === 'answered') return answered(reply);
  if (reply.kind === 'notSent') {
    if (reply.isFinal) return notSent(mayBeSent, 'refused', reply.reason);
    return again(mayBeSent, isFresh, reply.reason);
  }
  if (!hasIds || reply.isRepeatable === false) return over({ kind: 'unknown', reason: reply.reason });
  return again(true, isFresh, reply.reason);
}

/** The first time at once by what the store says, and from then on after a while. */
function again(mayBeSent: boolean, isFresh: boolean, why: string): SendStep {
  return isFresh ? waiting(mayBeSent, why) : locating(mayBeSent, why);
}

function recall(state: Exclude<SendState, { kind: 'over' }>): SendStep {
  switch (state.kind) {
    case 'asking':
      return { state: { kind: 'recalling', mayBeSent: state.mayBeSent }, effect: { kind: 'recall' } };
    case 'locating':
    case 'waiting':
      return unsent(state.mayBeSent, 'cancel', state.why);
    case 'recalling':
    case 'ending':
      return unchanged(state);
  }
}

function recalled({ mayBeSent }: SendState & { kind: 'recalling' }, reply: Reply): SendStep {
  if (reply.kind === 'answered') return answered(reply);
  if (reply.kind === 'notSent') return unsent(mayBeSent, 'cancel', reply.reason);
  // To ask again would have it carried out if it was not sent.
  return over({ kind: 'unknown', reason: `taken back when it was sent already; then: ${reply.reason}` });
}

function ending(state: Exclude<SendState, { kind: 'over' }>, end: SendEnd): SendStep {
  switch (state.kind) {
    case 'asking':
    case 'recalling':
      return { state: { kind: 'ending', mayBeSent: state.mayBeSent, end }, effect: { kind: 'take back' } };
    case 'ending':
      return unchanged(state);
    case 'locating':
    case 'waiting':
      return unsent(state.mayBeSent, end, state.why);
  }
}

function ended({ mayBeSent, end }: SendState & { kind: 'ending' }, reply: Reply): SendStep {
  if (reply.kind === 'answered') return answered(reply);
  if (reply.kind === 'notSent') return unsent(mayBeSent, end, reply.reason);
  return over({ kind: 'unknown', reason: UNANSWERED[end] });
}

const UNANSWERED: Readonly<Record<SendEnd, string>> = {
  cancel: 'taken back when it was sent already',
  deadline: 'no answer in time',
  stop: 'this server stopped before the answer came',
};

function unsent(mayBeSent: boolean, end: SendEnd, why: string): SendStep {
  if (end === 'cancel') return notSent(mayBeSent, 'cancelled', 'taken back before it was sent');
  if (end === 'stop') return notSent(mayBeSent, 'refused', 'this server stops');
  return notSent(mayBeSent, 'refused', why === '' ? 'not sent in time' : `not sent in time: ${why}`);
}

function notSent(mayBeSent: boolean, kind: 'refused' | 'cancelled', reason: string): SendStep {
  return over(mayBeSent ? { kind: 'unknown', reason: `it was sent before; then: ${reason}` } : { kind, reason });
}

function answered({ messages, isUnsupported }: Reply & { kind: 'answered' }): SendStep {
  return over({ kind: isUnsupported ? 'unsupported' : 'answered', messages });
}

function locating(mayBeSent: boolean, why: string): SendStep {
  return { state: { kind: 'locating', mayBeSent, isFresh: true, why }, effect: { kind: 'locate', isFresh: true } };
}

function waiting(mayBeSent: boolean, why: string): SendStep {
  return { state: { kind: 'waiting', mayBeSent, why }, effect: { kind: 'wait' } };
}

function over(outcome: CommandOutcome): SendStep {
  return { state: { kind: 'over' }, effect: { kind: 'finish', outcome } };
}

function unchanged(state: SendState): SendStep {
  return { state, effect: undefined };
}
