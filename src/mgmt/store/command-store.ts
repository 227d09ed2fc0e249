import type { JobRow, NewJob } from './job-store.js';
import type { Page, PageQuery } from './page.js';

/** Commands for many hosts: a job, and a row for each of its hosts, which ends with exactly one outcome. */
export interface CommandStore {
  /**
   * Writes the job and its hosts; nobody starts it before all of them are there. In several transactions, of which the last
   * one makes the job.
   * @returns the job; or why there is none: of another one with this key
   */
  createCommandJob(job: NewCommandJob): Promise<CommandJobMade>;
  /**
   * Takes the next hosts of a job, in their order, so that commands are sent to them: whoever finds them so later knows that
   * they may have been sent.
   * @returns their ids; undefined: the job is not carried out by `msid` any more
   */
  takeCommands(uuid: string, msid: number, count: number): Promise<readonly number[] | undefined>;
  /** The hosts that were taken and have no outcome. @returns undefined: the job is not carried out by `msid` any more */
  takenCommands(uuid: string, msid: number): Promise<readonly TakenCommand[] | undefined>;
  /** Of those, the hosts whose commands somebody has cancelled since. */
  recalledCommands(uuid: string): Promise<readonly number[]>;
  /** These were taken by `msid`, and surely not sent: whoever goes on with the job takes them anew. */
  giveBackCommands(uuid: string, msid: number, hostIds: readonly number[]): Promise<void>;
  /**
   * Writes outcomes, in one transaction. One that stands is replaced only if it is `unknown`, and the new one is not. Of a job
   * that is gone nothing is written.
   * @param by the server that has found them by carrying the job out: when another one does so by now, only answers are
   *   written. `agent`: the agents have said them
   */
  commandOutcomes(uuid: string, outcomes: readonly NewCommandOutcome[], by: number | 'agent'): Promise<void>;
  /**
   * Those that were not taken yet are cancelled.
   * @param by the server that carries the job out and ends it. `operator`: whoever does so is to take back those that were
   *   taken and have no outcome as well, see `recalledCommands`
   * @returns undefined: there is no such job, or it is not carried out by that server any more
   */
  cancelCommands(uuid: string, reason: string, by: number | 'operator'): Promise<CommandsCancelled | undefined>;
  /** How many hosts of a job have which outcome. @returns undefined: there is no such job */
  commandSummary(uuid: string): Promise<CommandSummary | undefined>;
  /** Why hosts are not well, the most frequent reason first; at most `COMMAND_REASONS`. @returns undefined: as above */
  commandReasons(uuid: string): Promise<readonly CommandReason[] | undefined>;
  /** In the order of the job's hosts. @param query its page has at most `ROWS_A_PAGE` rows */
  commandResults(query: CommandResultQuery): Promise<Page<CommandResultRow> | undefined>;
  /**
   * Deletes the hosts of jobs that are deleted, or were never made; at most 1,000 a call.
   * @param ageMs younger ones stay, by the store's clock: they may just be made
   * @returns how many
   */
  deleteOldCommands(ageMs: number): Promise<number>;
}

export const COMMANDS_A_CALL = 500;
export const COMMAND_REASONS = 50;

/** `waiting`: not sent. `taken`: perhaps sent. The others are outcomes. */
export type CommandState = 'waiting' | 'taken' | CommandOutcomeKind;
export type CommandOutcomeKind = 'answered' | 'unsupported' | 'refused' | 'cancelled' | 'unknown';

export interface NewCommandJob {
  readonly job: NewJob;
  readonly hostIds: readonly number[];
  /** Whoever gives it again gets the same job. */
  readonly key: string | null;
  /** Of all that the job says: another one with the same key is refused. */
  readonly digest: string;
}

export type CommandJobMade =
  | { readonly kind: 'made'; readonly job: JobRow }
  /** There was one with this key and digest. */
  | { readonly kind: 'known'; readonly job: JobRow }
  /** Another one with this key and digest is just being made. */
  | { readonly kind: 'being made' }
  /** The key is taken by one that says something else. */
  | { readonly kind: 'taken' };

export interface TakenCommand {
  readonly hostId: number;
  /** The server that has taken it; null: one of an older version. */
  readonly by: number | null;
  /** Somebody has cancelled it since: it is not sent any more. */
  readonly isRecalled: boolean;
}

/** How many hosts. */
export interface CommandsCancelled {
  /** They get nothing. */
  readonly cancelled: number;
  /** They are to be taken back, if they were not sent. */
  readonly recalled: number;
}

export interface NewCommandOutcome {
  readonly hostId: number;
  readonly kind: CommandOutcomeKind;
  /** Every answer has result=true; null: there is no answer. */
  readonly isGood: boolean | null;
  readonly reason: string | null;
  /** JSON, as in a body; null: there are none, or they were too large. */
  readonly answers: string | null;
  readonly isTruncated: boolean;
  readonly durationMs: number | null;
  /** The server that had the host. */
  readonly msid: number | null;
}

export interface CommandSummary {
  readonly total: number;
  readonly waiting: number;
  readonly taken: number;
  readonly answered: number;
  /** Of those that answered: with result=false. */
  readonly failed: number;
  readonly unsupported: number;
  readonly refused: number;
  readonly cancelled: number;
  readonly unknown: number;
  /** Of all answers, in characters or bytes: as the database counts. */
  readonly answerLength: number;
}

/** Hosts that have one outcome for one reason. */
export interface CommandReason {
  readonly state: CommandOutcomeKind;
  readonly reason: string | null;
  readonly hosts: number;
  /** Of the first of them. */
  readonly hostName: string;
}

export interface CommandResultQuery extends PageQuery {
  readonly uuid: string;
  readonly state?: CommandState | undefined;
}

export interface CommandResultRow extends Omit<NewCommandOutcome, 'kind'> {
  /** Ascending, from 0. */
  readonly id: number;
  readonly state: CommandState;
  readonly hostUuid: string;
  readonly hostName: string;
}
