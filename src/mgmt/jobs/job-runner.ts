import { type Clock, delay } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { retryWhile } from '../../lib/retry.js';
import { type EventSink, eventsAskedBy } from '../cluster/events.js';
import type { JobOutcome, JobRow, Store } from '../store/store.js';
import { isAway, type StoreHealth } from '../store/store-health.js';
import { Sweep } from '../store/sweep.js';
import { failure } from './job-outcome.js';

/**
 * Carries out one kind of job.
 * @returns the result, as the API shows it; undefined: the job is left to another server. What it throws is its failure
 */
export type JobWork = (
  job: {
    readonly params: Readonly<Record<string, unknown>>;
    readonly hostId: number | null;
    readonly uuid: string;
    /** Who has asked for it: see `StartJob`. */
    readonly createdBy: string | null;
    /** Where its events go: they name who has asked for it. */
    readonly events: EventSink;
  },
  progress: (text: string) => Promise<void>,
) => Promise<Readonly<Record<string, unknown>> | undefined>;

export interface JobRunnerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly health: StoreHealth;
  readonly events: EventSink;
  readonly msid: number;
  /** By `cmd`. */
  readonly work: Readonly<Record<string, JobWork>>;
}

type JobRunnerStore = Pick<
  Store,
  'openJobs' | 'startJob' | 'jobProgress' | 'finishJob' | 'deleteOldJobs' | 'deleteOldCommands'
>;

const LOOK_MS = 2_000;
const KEPT_MS = 7 * 86_400_000;
/** The hosts of a job are there before the job is. */
const MADE_WITHIN_MS = 600_000;

/**
 * Carries out what only this server can do, and others ask for through the store. Each look compares the store's jobs
 * with those that this process knows: a pending job is started, and one that is running by this server and is not known
 * here is carried out, too: its start was committed though the call failed. Jobs that a former process of this server
 * had begun have failed before this one looks: `Membership.join` sees to it.
 */
export class JobRunner {
  readonly #store: JobRunnerStore;
  readonly #parts: JobRunnerParts;
  /** UUIDs of the jobs whose outcome is not in the store yet. */
  readonly #known = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #looking: Promise<void> = Promise.resolve();
  /** A look that has not begun yet. */
  #nextLook: Promise<void> | undefined;
  readonly #sweep: Sweep;

  constructor(store: JobRunnerStore, parts: JobRunnerParts) {
    this.#store = store;
    this.#parts = parts;
    const { clock, log } = parts;
    this.#sweep = new Sweep({
      ...{ clock, log, what: 'jobs and commands' },
      deleteSome: async () => (await store.deleteOldJobs(KEPT_MS)) || store.deleteOldCommands(MADE_WITHIN_MS),
    });
  }

  start(): void {
    void this.#lookAgainAndAgain();
  }

  /** Begins no job any more. @returns when those that were begun have ended, or are left to others */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#sweep.stop();
    await Promise.all(this.#running);
  }

  /** Looks at once: a job of ours has just been made. */
  look(): Promise<void> {
    // One after another: a job that ends while a list is read must not be taken for one that is not known.
    this.#nextLook ??= this.#looking.then(() => {
      this.#nextLook = undefined;
      return this.#lookOnce();
    });
    this.#looking = this.#nextLook;
    return this.#looking;
  }

  async #lookAgainAndAgain(): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#stopping;
    for (;;) {
      await delay(clock, LOOK_MS, signal);
      if (signal.aborted) return;
      await this.look();
    }
  }

  async #lookOnce(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const { health, msid, log } = this.#parts;
    try {
      // Read before the jobs are: one that has ended by then is not running in the store.
      const known = [...this.#known];
      const { running, pending } = await health.watch(() => this.#store.openJobs(msid, known));
      for (const job of running) this.#begin(job);
      for (const job of pending) await this.#startPending(job);
      void this.#sweep.look();
    } catch (error) {
      log.debug('Jobs could not be looked at', { reason: reasonOf(error) });
    }
  }

  /** @throws StoreError: the store is away */
  async #startPending(job: JobRow): Promise<void> {
    const { msid, log } = this.#parts;
    if (this.#stopping.signal.aborted) return;
    try {
      if (await this.#store.startJob(job.uuid, msid)) this.#begin(job);
    } catch (error) {
      if (isAway(error)) throw error;
      // It must not hold up the others.
      log.warn('A job could not be started; it is tried again', { job: job.uuid, reason: reasonOf(error) });
    }
  }

  /**
   * One that is known goes on: it was taken from this server when that was silent, and has come back to it. If it has ended
   * meanwhile, the next look begins it.
   */
  #begin(job: JobRow): void {
    if (this.#stopping.signal.aborted || this.#known.has(job.uuid)) return;
    this.#known.add(job.uuid);
    const carriedOut = this.#carryOut(job).finally(() => {
      this.#known.delete(job.uuid);
      this.#running.delete(carriedOut);
    });
    this.#running.add(carriedOut);
  }

  async #carryOut(job: JobRow): Promise<void> {
    const { log } = this.#parts;
    const fields = { cmd: job.cmd, job: job.uuid };
    log.info('Job started', fields);
    let outcome: JobOutcome;
    try {
      const result = await this.#work(job);
      if (result === undefined) return log.info('Job left to another server', fields);
      outcome = { status: 'succeeded', resultCode: 0, result: JSON.stringify(result) };
      log.info('Job succeeded', fields);
    } catch (error) {
      const reason = reasonOf(error);
      outcome = failure(reason);
      log.warn('Job failed', { ...fields, reason });
    }
    await this.#finish(job, outcome);
  }

  async #work(job: JobRow): Promise<Readonly<Record<string, unknown>> | undefined> {
    const { log, msid, work, events } = this.#parts;
    const carryOut = work[job.cmd];
    if (carryOut === undefined) {
      throw new Error(`this server does not know the job ${job.cmd}: is it of another version?`);
    }
    // Written by one of our own servers.
    const params = JSON.parse(job.params) as Record<string, unknown>;
    const { hostId, uuid, createdBy } = job;
    const asked = createdBy === null ? events : eventsAskedBy(createdBy, events);
    return carryOut({ params, hostId, uuid, createdBy, events: asked }, async text => {
      try {
        await this.#store.jobProgress(job.uuid, msid, text);
      } catch (error) {
        // For people who wait; the work goes on without it.
        log.debug('The progress of a job could not be written', { job: job.uuid, reason: reasonOf(error) });
      }
    });
  }

  /** Until it is written; an outcome that the store refuses is replaced by one that says so. */
  async #finish(job: JobRow, outcome: JobOutcome): Promise<void> {
    const { health, msid, clock, log } = this.#parts;
    const stopping = this.#stopping.signal;
    let isReported = false;
    const report = (error: unknown) => {
      if (isReported || stopping.aborted) return;
      isReported = true;
      const fields = { job: job.uuid, reason: reasonOf(error) };
      log.warn('The outcome of a job could not be written; it is tried again', fields);
    };
    const write = async () => {
      try {
        await health.watch(() => this.#store.finishJob(job.uuid, msid, outcome));
      } catch (error) {
        report(error);
        if (isAway(error)) throw error;
        await health.watch(() => this.#store.finishJob(job.uuid, msid, withoutResult(outcome, error)));
      }
    };
    // When this server stops, the next process of it finds the job as it was left.
    await retryWhile({ clock, stopping }, write, () => true).catch(() => {});
  }
}

function withoutResult({ status }: JobOutcome, error: unknown): JobOutcome {
  const done = status === 'succeeded' ? 'it was carried out, but its result' : 'it failed, and its reason';
  return failure(`${done} could not be kept: ${reasonOf(error)}`);
}
