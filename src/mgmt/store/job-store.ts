/** What only one server can do, as a row that this server carries out while others wait for it. */
export interface JobStore {
  createJob(job: NewJob): Promise<JobRow>;
  /** What `msid` may start, oldest first, at most `JOBS_A_LOOK`: its own, and those that any server may carry out. */
  pendingJobs(msid: number): Promise<readonly JobRow[]>;
  /** @returns whether the job is the caller's now: of all that ask, one is told so */
  startJob(uuid: string, msid: number): Promise<boolean>;
  /** @returns false when the job does not run, or not there */
  jobProgress(uuid: string, msid: number, progress: string): Promise<boolean>;
  /** @returns false when the job does not run, or not there */
  finishJob(uuid: string, msid: number, outcome: JobOutcome): Promise<boolean>;
  /**
   * The server does not run any more: what it was carrying out has failed, and what only it could do, too.
   * @param keepPending what waits for it stays: it starts anew and will look
   * @returns how many
   */
  failJobsOfServer(msid: number, outcome: Omit<JobOutcome, 'status'>, keepPending?: boolean): Promise<number>;
  job(uuid: string): Promise<JobRow | undefined>;
  /** Pending and running jobs that each server must carry out, or has begun to. */
  countPendingJobs(): Promise<ReadonlyMap<number, number>>;
  /** Finished ones, by the store's clock; at most 1,000 a call. @returns how many went */
  deleteJobsBefore(at: number): Promise<number>;
}

export const JOBS_A_LOOK = 100;

export type JobStatus = 'pending' | 'running' | 'succeeded' | 'failed';

export interface NewJob {
  readonly cmd: string;
  /** JSON. */
  readonly params: string;
  /** Which server must carry it out; null: any. */
  readonly targetMsid: number | null;
  /** What it is about. */
  readonly hostId: number | null;
  readonly createdBy: string | null;
}

/** Moments are by the store's clock. */
export interface JobRow extends NewJob {
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
  readonly completed: number | null;
}

export interface JobOutcome {
  readonly status: 'succeeded' | 'failed';
  readonly resultCode: number;
  /** JSON. */
  readonly result: string;
}
