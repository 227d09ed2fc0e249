import type { Page, PageQuery } from './page.js';

/** What only one server can do, as a row that this server carries out while others wait for it. */
export interface JobStore {
  /** Each call makes another one: after a StoreError nobody calls it again by itself. */
  createJob(job: NewJob): Promise<JobRow>;
  /** What a server has to look after, at one moment. @param except UUIDs of running jobs that are left out */
  openJobs(msid: number, except: readonly string[]): Promise<OpenJobs>;
  /** @returns whether the job is the caller's now: of all that ask, one is told so. An expired job is given to none */
  startJob(uuid: string, msid: number): Promise<boolean>;
  /**
   * Nobody needs the job any more: if it is pending it has failed, and is never started.
   * @returns false when it has begun, has ended, or is not there
   */
  cancelJob(uuid: string, outcome: Omit<JobOutcome, 'status'>): Promise<boolean>;
  /** @returns false when the job does not run, or not there */
  jobProgress(uuid: string, msid: number, progress: string): Promise<boolean>;
  /** @returns false when the job does not run, or not there */
  finishJob(uuid: string, msid: number, outcome: JobOutcome): Promise<boolean>;
  /**
   * The server does not run any more: what it was carrying out has failed, and what only it could do, too. What another
   * server can go on with is pending again.
   * @param keepPending what waits for it stays: it starts anew and will look
   * @returns how many
   */
  failJobsOfServer(msid: number, outcome: Omit<JobOutcome, 'status'>, keepPending?: boolean): Promise<number>;
  /**
   * The server is silent, and may live: what another one can go on with is pending again, if the counter of its heartbeat is
   * still `beat`.
   * @returns how many
   */
  releaseJobsOfServer(msid: number, beat: number): Promise<number>;
  job(uuid: string): Promise<JobRow | undefined>;
  /** Newest first. @param query its page has at most `ROWS_A_PAGE` rows */
  jobs(query: JobQuery): Promise<Page<JobRow>>;
  /** Pending and running jobs that each server must carry out, or has begun to. */
  countPendingJobs(): Promise<ReadonlyMap<number, number>>;
  /** Deletes jobs that ended or expired more than `ageMs` ago, by the store's clock; at most 1,000 a call. @returns how many */
  deleteOldJobs(ageMs: number): Promise<number>;
}

export const JOBS_A_LOOK = 100;

/** Jobs of one server, each kind oldest first and at most `JOBS_A_LOOK`. */
export interface OpenJobs {
  /** What it may start: its own, and those that any server may carry out. */
  readonly pending: readonly JobRow[];
  /** What it has started and not finished. */
  readonly running: readonly JobRow[];
}

/** `expired`: it was not started before its time was out, and never will be. */
export type JobStatus = 'pending' | 'running' | 'succeeded' | 'failed' | 'expired';

export interface NewJob {
  readonly cmd: string;
  /** JSON. */
  readonly params: string;
  /** Which server must carry it out; null: any. */
  readonly targetMsid: number | null;
  /** What it is about. */
  readonly hostId: number | null;
  readonly createdBy: string | null;
  /** It is not started later than this after it was made, by the store's clock. @default it does not expire */
  readonly expiresInMs?: number | undefined;
  /** When the server that carries it out has ended, another one goes on with it. @default false */
  readonly isResumable?: boolean | undefined;
}

/** Moments are by the store's clock. */
export interface JobRow extends Omit<NewJob, 'expiresInMs' | 'isResumable'> {
  readonly id: number;
  readonly uuid: string;
  readonly status: JobStatus;
  /** The server that carries it out, or did. */
  readonly runnerMsid: number | null;
  readonly progress: string | null;
  readonly resultCode: number | null;
  /** JSON. */
  readonly result: string | null;
  readonly created: number;
  readonly started: number | null;
  /** When it ended or expired. */
  readonly completed: number | null;
}

export interface JobQuery extends PageQuery {
  /** Only jobs made at this moment or later, by the store's clock. */
  readonly since?: number;
  /** Only jobs that this server carries out, or must. */
  readonly msid?: number;
}

export interface JobOutcome {
  readonly status: 'succeeded' | 'failed';
  readonly resultCode: number;
  /** JSON. */
  readonly result: string;
}
