import type { JobRow, JobStore } from '../../src/mgmt/store/store.js';

/** What a server may start. */
export async function pendingJobs(store: Pick<JobStore, 'openJobs'>, msid: number): Promise<readonly JobRow[]> {
  return (await store.openJobs(msid, [])).pending;
}
