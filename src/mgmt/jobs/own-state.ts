import { reasonOf } from '../../lib/errors.js';
import { drainPurpose } from '../cluster/server-state.js';
import { drain } from './drain.js';
import type { JobRunner } from './job-runner.js';
import type { Drains, RunningDrain, ServerJobParts } from './server-job-parts.js';

/** Heartbeats in a row: another server may just have been started. */
const NOBODY_AFTER_PASSES = 5;

/**
 * What must hold of this server's own state: in PreparingForMaintenance and PreparingForShutDown it drains, in
 * ShuttingDown it ends. However it came into the state, and whatever became of the job: one pass at each heartbeat
 * begins the work when nothing has. In Maintenance it tells when no other server can take agents.
 */
export class OwnState {
  readonly #parts: ServerJobParts;
  readonly #jobs: Pick<JobRunner, 'look'>;
  #isEnding = false;
  #passesWithoutTarget = 0;

  constructor(parts: ServerJobParts, jobs: Pick<JobRunner, 'look'>) {
    this.#parts = parts;
    this.#jobs = jobs;
  }

  /** Never rejects. */
  async reconcile(): Promise<void> {
    const { membership, drains, stopping, log } = this.#parts;
    if (stopping.aborted) return;
    this.#tellWhenNobodyTakesAgents();
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

  /** Agents without any server: an operator has to know, and can take this one back. */
  #tellWhenNobodyTakesAgents(): void {
    const { agents, membership, address, events, log } = this.#parts;
    const { host } = agents.lists.configuration.values;
    const isNobody = membership.state === 'Maintenance' && !membership.othersCanTakeAgents(host);
    this.#passesWithoutTarget = isNobody ? this.#passesWithoutTarget + 1 : 0;
    if (this.#passesWithoutTarget !== NOBODY_AFTER_PASSES) return;
    const description = `No management server can take agents: ${address} is in Maintenance, and no other of host can`;
    events.add({ type: 'SERVER.NONE', level: 'ERROR', description });
    log.error(description);
  }
}

/** A server that stops drains in its own way, whatever its state. */
function isUnderWay({ current }: Drains, purpose: RunningDrain['purpose']): boolean {
  return current?.purpose === purpose || current?.purpose === 'stop';
}
