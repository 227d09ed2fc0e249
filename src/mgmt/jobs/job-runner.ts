import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { JobRow, Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';

/** Carries out one kind of job. @returns the result, as the API shows it; what it throws is the job's failure */
export type JobWork = (
  job: { readonly params: Readonly<Record<string, unknown>>; readonly hostId: number | null; readonly uuid: string },
  progress: (text: string) => Promise<void>,
) => Promise<Readonly<Record<string, unknown>>>;

export interface JobRunnerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly health: StoreHealth;
  readonly msid: number;
  /** By `cmd`. */
  readonly work: Readonly<Record<string, JobWork>>;
}

type JobRunnerStore = Pick<Store, 'pendingJobs' | 'startJob' | 'jobProgress' | 'finishJob' | 'deleteJobsBefore'>;

const LOOK_MS = 2_000;
const KEPT_MS = 7 * 86_400_000;
const SWEEP_MS = 3_600_000;

/** Carries out what only this server can do, and others ask for through the store. */
export class JobRunner {
  readonly #store: JobRunnerStore;
  readonly #options: JobRunnerOptions;
  readonly #running = new Set<string>();
  #timer: Timer | undefined;
  #sweptAt = 0;
  #stopped = false;

  constructor(store: JobRunnerStore, options: JobRunnerOptions) {
    this.#store = store;
    this.#options = options;
  }

  start(): void {
    this.#sweptAt = this.#options.clock.now();
    this.#lookLater();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Looks at once: a job of ours has just been made. */
  async look(): Promise<void> {
    const { health, msid, log } = this.#options;
    try {
      for (const job of await health.watch(() => this.#store.pendingJobs(msid))) {
        if (this.#stopped) return;
        if (!this.#running.has(job.uuid) && (await this.#store.startJob(job.uuid, msid))) void this.#carryOut(job);
      }
      await this.#sweep();
    } catch (error) {
      log.debug('Jobs could not be looked at', { reason: reasonOf(error) });
    }
  }

  #lookLater(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(LOOK_MS, () => void this.look().finally(() => this.#lookLater()));
  }

  async #carryOut(job: JobRow): Promise<void> {
    const { log, msid, work } = this.#options;
    this.#running.add(job.uuid);
    const facts = { cmd: job.cmd, job: job.uuid };
    const progress = async (text: string) => {
      try {
        await this.#store.jobProgress(job.uuid, msid, text);
      } catch (error) {
        // For people who wait; the work goes on without it.
        log.debug('The progress of a job could not be written', { ...facts, reason: reasonOf(error) });
      }
    };
    log.info('Job started', facts);
    try {
      const carryOut = work[job.cmd];
      if (carryOut === undefined)
        throw new Error(`this server does not know the job ${job.cmd}: is it of another version?`);
      // Written by one of our own servers.
      const params = JSON.parse(job.params) as Record<string, unknown>;
      const result = await carryOut({ params, hostId: job.hostId, uuid: job.uuid }, progress);
      await this.#finish(job, { status: 'succeeded', resultCode: 0, result: JSON.stringify(result) });
      log.info('Job succeeded', facts);
    } catch (error) {
      const errortext = reasonOf(error);
      log.warn('Job failed', { ...facts, reason: errortext });
      const result = JSON.stringify({ errorcode: 530, errortext });
      await this.#finish(job, { status: 'failed', resultCode: 530, result });
    } finally {
      this.#running.delete(job.uuid);
    }
  }

  /** The outcome waits for a store that is away. */
  async #finish(job: JobRow, outcome: Parameters<Store['finishJob']>[2], isFirst = true): Promise<void> {
    const { health, msid, clock, log } = this.#options;
    try {
      await health.watch(() => this.#store.finishJob(job.uuid, msid, outcome));
    } catch (error) {
      if (this.#stopped) return;
      const facts = { job: job.uuid, reason: reasonOf(error) };
      if (isFirst) log.warn('The outcome of a job could not be written; it is tried again', facts);
      clock.after(LOOK_MS, () => void this.#finish(job, outcome, false));
    }
  }

  async #sweep(): Promise<void> {
    const { clock } = this.#options;
    if (clock.now() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = clock.now();
    await this.#store.deleteJobsBefore(clock.wallTime() - KEPT_MS);
  }
}
