import type { JournalRecord } from './journal-records.js';

/**
 * What an agent knows of one packet of commands with an id.
 *
 *     writing ─written─▶ running ─finished─▶ finished ─confirmed─▶ confirmed
 *        │ not written      │ the process     │ no room for the answers
 *        ▼                  ▼ has ended       ▼
 *     nothing            unknown ──────────────────────confirmed─▶ confirmed
 */
export type CommandState =
  /** Its id is being written to the journal. */
  | { readonly kind: 'writing' }
  /** `isWanted`: no server has its outcome yet. */
  | { readonly kind: 'running'; readonly isWanted: boolean }
  /** The answers, as the text of a body. They are kept until a server has them. */
  | { readonly kind: 'finished'; readonly answers: string }
  /** Perhaps carried out. */
  | { readonly kind: 'unknown'; readonly why: string }
  /** A server has its outcome. Only the id is remembered. */
  | { readonly kind: 'confirmed' };

export type CommandEvent =
  | { readonly kind: 'asked' }
  /** The journal has its id. */
  | { readonly kind: 'written' }
  | { readonly kind: 'not-written'; readonly why: string }
  | { readonly kind: 'finished'; readonly answers: string }
  /** A server has stored its outcome. */
  | { readonly kind: 'confirmed' }
  /** There is no room for its answers any more. */
  | { readonly kind: 'dropped' };

/** What becomes of a packet with an id, for whoever has asked. */
export type CommandOutcome =
  | { readonly kind: 'answered'; readonly answers: string }
  | { readonly kind: 'refused' | 'unknown'; readonly why: string };

export type CommandEffect =
  | { readonly kind: 'write'; readonly record: JournalRecord }
  | { readonly kind: 'run' }
  /** Tell all who have asked. */
  | { readonly kind: 'tell'; readonly outcome: CommandOutcome };

export interface CommandStep {
  /** Undefined: nothing is remembered. */
  readonly state: CommandState | undefined;
  readonly effects: readonly CommandEffect[];
}

/** The process that carried the commands out has ended meanwhile. */
export const PROCESS_ENDED = 'the process of the agent ended while the commands were in progress';
const NO_ROOM = 'the commands were carried out, and their answers are no longer kept: there was no room for them';
const CONFIRMED = 'the commands were carried out before, and a server has confirmed their outcome';

/** Decides what to do about an event of the packet with this id. Total: an event that means nothing changes nothing. */
export function next(id: string, state: CommandState | undefined, event: CommandEvent): CommandStep {
  switch (event.kind) {
    case 'asked':
      return onAsked(id, state);
    case 'written':
      return state?.kind === 'writing' ? step({ kind: 'running', isWanted: true }, { kind: 'run' }) : step(state);
    case 'not-written':
      return state?.kind === 'writing' ? step(undefined, tell('refused', event.why)) : step(state);
    case 'finished':
      return onFinished(id, state, event.answers);
    case 'confirmed':
      return onConfirmed(id, state);
    case 'dropped': {
      if (state?.kind !== 'finished') return step(state);
      return step({ kind: 'unknown', why: NO_ROOM }, { kind: 'write', record: { kind: 'unknown', id, why: NO_ROOM } });
    }
  }
}

function onAsked(id: string, state: CommandState | undefined): CommandStep {
  switch (state?.kind) {
    case undefined:
      return step({ kind: 'writing' }, { kind: 'write', record: { kind: 'started', id } });
    case 'writing':
    case 'running':
      return step(state);
    case 'finished':
      return step(state, { kind: 'tell', outcome: { kind: 'answered', answers: state.answers } });
    case 'unknown':
      return step(state, tell('unknown', state.why));
    case 'confirmed':
      return step(state, tell('unknown', CONFIRMED));
  }
}

function onFinished(id: string, state: CommandState | undefined, answers: string): CommandStep {
  if (state?.kind !== 'running') return step(state);
  const answered: CommandEffect = { kind: 'tell', outcome: { kind: 'answered', answers } };
  if (!state.isWanted) {
    return step({ kind: 'confirmed' }, answered, { kind: 'write', record: { kind: 'confirmed', id } });
  }
  return step({ kind: 'finished', answers }, answered, { kind: 'write', record: { kind: 'finished', id, answers } });
}

function onConfirmed(id: string, state: CommandState | undefined): CommandStep {
  switch (state?.kind) {
    case 'running':
      return step({ kind: 'running', isWanted: false });
    case 'finished':
    case 'unknown':
      return step({ kind: 'confirmed' }, { kind: 'write', record: { kind: 'confirmed', id } });
    case undefined:
    case 'writing':
    case 'confirmed':
      return step(state);
  }
}

function step(state: CommandState | undefined, ...effects: readonly CommandEffect[]): CommandStep {
  return { state, effects };
}

function tell(kind: 'refused' | 'unknown', why: string): CommandEffect {
  return { kind: 'tell', outcome: { kind, why } };
}
