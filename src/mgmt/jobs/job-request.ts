import type { JobRow, NewJob } from '../store/store.js';

/** A job that a server is asked to carry out. */
export interface JobRequest {
  /** The kind of job, such as `drain`. */
  readonly cmd: string;
  readonly params: Readonly<Record<string, string | number | boolean>>;
  /** The server that must carry it out; null: any one. */
  readonly targetMsid: number | null;
  /** The host that it is about. */
  readonly hostId: number | null;
  /** It is not started later than this, in milliseconds. @default it does not expire */
  readonly expiresInMs?: number;
}

/**
 * Writes the job into the store.
 * @param createdBy the name of the API key that asks for it. Undefined: this server does
 * @returns its row, as it was written @throws StoreError
 */
export type StartJob = (job: JobRequest, createdBy?: string) => Promise<JobRow>;

/** The job as the store takes it. @param createdBy the name of an API key, or the address of the server that asks for it */
export function newJob({ params, ...job }: JobRequest, createdBy: string): NewJob {
  return { ...job, params: JSON.stringify(params), createdBy };
}
