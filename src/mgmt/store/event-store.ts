import type { Page, PageQuery } from './page.js';

/** What happened in the cluster, for people. */
export interface EventStore {
  /** In one transaction, in their order. Those that are there already stay as they are. @param batch at most `EVENTS_A_BATCH` */
  addEvents(batch: readonly NewEvent[]): Promise<void>;
  /** Newest first. @param query its page has at most `ROWS_A_PAGE` rows */
  events(query: EventQuery): Promise<Page<EventRow>>;
  /** Deletes events that are too old, or not among the newest `keep`; at most 1,000 a call. @returns how many */
  deleteEvents(bounds: EventBounds): Promise<number>;
}

export const EVENTS_A_BATCH = 500;

export type EventLevel = 'INFO' | 'WARN' | 'ERROR';

export interface NewEvent {
  /** Of the caller, who may give the event again when a call has failed. */
  readonly uuid: string;
  /** Such as `AGENT.DISCONNECT`. */
  readonly type: string;
  readonly level: EventLevel;
  readonly description: string;
  /** How long ago it happened. The store, which knows the time, makes a moment of it. */
  readonly ageMs: number;
  /** What it is about, such as `Host` and its UUID. */
  readonly resourceType: string | null;
  readonly resourceId: string | null;
  /** The server that saw it. */
  readonly msid: number | null;
  /** The name of the API key that asked for it. */
  readonly username: string | null;
}

export interface EventRow extends Omit<NewEvent, 'ageMs'> {
  readonly id: number;
  /** When it happened, by the store's clock. */
  readonly created: number;
}

/** What is left out is not asked for. */
export interface EventQuery extends PageQuery {
  readonly level?: EventLevel;
  readonly type?: string;
  /** A part of the description or of the type, in any case. */
  readonly keyword?: string;
  /** Created at this moment or later. */
  readonly since?: number;
}

export interface EventBounds {
  /** Those that happened so long ago are too old, by the store's clock. @default none is */
  readonly ageMs?: number;
  /** @default all */
  readonly keep?: number;
}
