import type { JobRow } from '../store/store.js';

/** A job that one server is asked to carry out. */
export interface JobRequest {
  /** The kind of job, such as `drain`. */
  readonly cmd: string;
  readonly params: Readonly<Record<string, string | number | boolean>>;
  /** The server that must carry it out. Null: any server. */
  readonly targetMsid: number | null;
  /** The host that it is about. */
  readonly hostId: number | null;
}

/** Writes the job into the store. @returns its row, as it was written @throws StoreError */
export type StartJob = (job: JobRequest) => Promise<JobRow>;
