import type { Page, PageQuery } from './page.js';

/** What is wrong now, and what was: raised once and cleared once, whichever servers see it. */
export interface AlertStore {
  /** @returns false when one of this subject is not cleared yet, and nothing changed */
  raiseAlert(alert: NewAlert): Promise<boolean>;
  /** @returns false when none of this subject is there that is not cleared */
  clearAlert(subject: string): Promise<boolean>;
  /** The subjects of those that are not cleared, at most `OPEN_ALERTS`. */
  openAlerts(): Promise<readonly string[]>;
  /** Newest first. @param query its page has at most `ROWS_A_PAGE` rows */
  alerts(query: AlertQuery): Promise<Page<AlertRow>>;
  /**
   * The oldest one whose coming or end was not told yet. Nobody else is given it for `leaseMs`.
   * @returns undefined: nothing is to be told, or others have taken it
   */
  takeAlertNotice(leaseMs: number): Promise<AlertNotice | undefined>;
  /** Some webhooks have it, and others not yet: whoever takes it next tells those alone. */
  alertNoticeReached(notice: Pick<AlertNotice, 'id' | 'about'>, urls: readonly string[]): Promise<void>;
  /** It was told, or is told no more. What has become due meanwhile stays due. */
  endAlertNotice(notice: Pick<AlertNotice, 'id' | 'about'>): Promise<void>;
  /** Deletes those that were cleared so long ago, by the store's clock; at most 1,000 a call. @returns how many */
  deleteAlerts(ageMs: number): Promise<number>;
}

export const OPEN_ALERTS = 1_000;

export interface NewAlert {
  /** Of the caller. */
  readonly uuid: string;
  /** What it is about: there is one alert of a subject at a time. */
  readonly subject: string;
  /** CloudStack's number and name of the kind. */
  readonly type: number;
  readonly name: string;
  readonly description: string;
}

export interface AlertRow extends NewAlert {
  readonly id: number;
  /** When it was raised, by the store's clock. */
  readonly created: number;
  /** When it was cleared. */
  readonly cleared: number | null;
}

export interface AlertNotice extends AlertRow {
  readonly about: 'raised' | 'cleared';
  /** How often it was taken, with this time. */
  readonly attempts: number;
  /** The webhooks that have it. */
  readonly reached: readonly string[];
}

/** What is left out is not asked for. */
export interface AlertQuery extends PageQuery {
  readonly uuid?: string;
  readonly type?: number;
  /** A part of the description or of the name, in any case. */
  readonly keyword?: string;
  /** Only those that are not cleared. */
  readonly isOpen?: boolean;
}
