import { AGENT_MOVE_CAUSES, AGENT_MOVE_KINDS } from '../../protocol/moves.js';
import type { Page, PageQuery } from './page.js';

/** How a host has come to a server, or that it has lost its server. */
export const MOVE_KINDS = [
  ...AGENT_MOVE_KINDS,
  /** No server has it any more. */
  'lost',
] as const;

export type MoveKind = (typeof MOVE_KINDS)[number];

/** Why. It is a closed set: what depends on it can name them all. */
export const MOVE_CAUSES = [
  ...AGENT_MOVE_CAUSES,
  /** The agent has stopped in order. */
  'agent-stopped',
  /** The server has ended the link. */
  'server-ended',
  /** The server has stopped in order. */
  'server-stopped',
  /** The server is Down, or was killed. */
  'server-down',
  /** The host was removed. */
  'removed',
  /** The store and the links did not agree, and were set right. */
  'corrected',
  /** The agent does not say: it is not one of Muster's. */
  'unknown',
] as const;

export type MoveCause = (typeof MOVE_CAUSES)[number];

/** Where hosts were, and why they went. */
export interface MoveStore {
  /** Newest first. @param query its page has at most `ROWS_A_PAGE` rows */
  moves(query: MoveQuery): Promise<Page<MoveRow>>;
  /** How many there were of each kind and cause, and how long hosts had no Ready link. */
  moveSummary(query: MoveSelection): Promise<readonly MoveSummary[]>;
  /** Deletes records that are too old, or not among the newest `keep`; at most 1,000 a call. @returns how many */
  deleteMoves(bounds: MoveBounds): Promise<number>;
}

export type ArrivalKind = Exclude<MoveKind, 'lost'>;

/** A server has lost a host. */
export interface Loss {
  /** In words, as the row of the host keeps it. */
  readonly reason: string;
  /** For the record of the move. */
  readonly cause: MoveCause;
}

/** A host has come to a server, as that server knows. */
export interface Arrival {
  /** undefined: the agent does not say. */
  readonly kind: ArrivalKind | undefined;
  readonly cause: MoveCause;
  /** The server is the first one in the host's list. */
  readonly isPreferred: boolean;
  /** Milliseconds without a Ready link before; null: not known, or there was none before. */
  readonly gapMs: number | null;
}

export interface MoveRow {
  /** One for each record. */
  readonly id: string;
  readonly hostId: number;
  /** When, by the store's clock. */
  readonly at: number;
  /** The server that had the host before; null: none ever had. */
  readonly from: number | null;
  /** The server that has it now; null: none. */
  readonly to: number | null;
  readonly kind: MoveKind;
  readonly cause: MoveCause;
  /** As in `Arrival`. */
  readonly gapMs: number | null;
}

/** All that is given holds. */
export interface MoveSelection {
  readonly hostId?: number;
  /** A server that had the host before, or has it now. */
  readonly msid?: number;
  readonly kind?: MoveKind;
  readonly cause?: MoveCause;
  /** At this moment or later. */
  readonly since?: number;
  /** Before this moment. */
  readonly until?: number;
}

export interface MoveQuery extends PageQuery, MoveSelection {}

export interface MoveSummary {
  readonly kind: MoveKind;
  readonly cause: MoveCause;
  readonly count: number;
  /** Of those whose gap is known; undefined: of none it is. Milliseconds. */
  readonly gap: GapPercentiles | undefined;
}

export interface GapPercentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface MoveBounds {
  /** Those that are older are deleted, by the store's clock. */
  readonly ageMs: number;
  readonly keep: number;
}

/**
 * How a host has come to a server whose agent does not say. Pure.
 * @param row what the row said before: which server had the host, or had it last; and whether it had it still
 */
export function arrivalKind(
  arrival: Pick<Arrival, 'kind' | 'isPreferred'> | undefined,
  { from, isHeld, to }: { readonly from: number | null; readonly isHeld: boolean; readonly to: number },
): ArrivalKind {
  if (arrival?.kind !== undefined) return arrival.kind;
  if (from === null) return 'connect';
  if (from === to) return isHeld ? 'register' : 'connect';
  return isHeld && arrival?.isPreferred === true ? 'failback' : 'failover';
}
