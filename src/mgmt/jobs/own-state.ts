import { reasonOf } from '../../lib/errors.js';
import { drainPurpose } from '../cluster/server-state.js';
import { drain } from './drain.js';
import type { JobRunner } from './job-runner.js';
import type { Drains, RunningDrain, ServerJobParts } from './server-job-parts.js';

/**
 * What must hold of this server's own state: in PreparingForMaintenance and PreparingForShutDown it drains, in
 * ShuttingDown it ends. However it came into the state, and whatever became of the job: one pass at each heartbeat
 * begins the work when nothing has.
 */
export class OwnState {
  readonly #parts: ServerJobParts;
  readonly #jobs: Pick<JobRunner, 'look'>;
  #isEnding = false;

  constructor(parts: ServerJobParts, jobs: Pick<JobRunner, 'look'>) {
    this.#parts = parts;
    this.#jobs = jobs;
  }

  /** Never rejects. */
  async reconcile(): Promise<void> {
    const { membership, drains, stopping, log } = this.#parts;
    if (stopping.aborted) return;
    if (membership.state === 'ShuttingDown') {
      if (!this.#isEnding) this.#parts.onShutdown();
      this.#isEnding = true;
      return;
    }
    const purpose = drainPurpose(membership.state);
    if (purpose === undefined || isUnderWay(drains, purpose)) return;
    // The job that belongs to the state knows the algorithm.
    await this.#jobs.look();
    if (drainPurpose(membership.state) !== purpose || isUnderWay(drains, purpose)) return;
    log.warn('This server is to be drained, and no job does it: it begins by itself', { purpose });
    void drain(this.#parts, { purpose, forced: false }, () => {}).catch(error =>
      log.warn('The drain has failed; it begins again', { purpose, reason: reasonOf(error) }),
    );
  }
}

/** A server that stops drains in its own way, whatever its state. */
function isUnderWay({ current }: Drains, purpose: RunningDrain['purpose']): boolean {
  return current?.purpose === purpose || current?.purpose === 'stop';
}
