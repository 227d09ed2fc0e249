import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { type Message, withCommandId } from '../../protocol/index.js';
import type { CommandOutcomeKind, CommandSummary, NewCommandOutcome, Store } from '../store/store.js';
import { retryWhileAway } from '../store/store-health.js';
import type { CommandOutcome } from './outcome.js';
import { OutcomeWriter } from './outcome-writer.js';
import { nextStep, type RunRules } from './run-plan.js';
import type { Sender } from './sender.js';
import { isWell, storedOutcome } from './stored-outcome.js';

/** Commands for many hosts, as their job says. */
export interface CommandOrder extends RunRules {
  readonly commands: readonly Message[];
  /** Seconds for each host. */
  readonly wait: number;
  readonly inSequence: boolean;
  readonly stopOnError: boolean;
}

export interface CommandRunParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly msid: number;
  readonly store: Pick<
    Store,
    | 'takeCommands'
    | 'takenCommands'
    | 'recalledCommands'
    | 'giveBackCommands'
    | 'commandOutcomes'
    | 'commandSummary'
    | 'cancelCommands'
  >;
  readonly sender: Pick<Sender, 'send'>;
  /** The server that has the host now. */
  serverOf(hostId: number): number | null;
  /** The answer to the host's command is in the store: its agent need not keep it. */
  confirm(hostId: number, commandId: string): void;
  /** Aborted when the server stops: another one goes on with the job. */
  readonly stopping: AbortSignal;
}

/** Whether there may be more hosts; `not ours`: another server goes on with the job. */
type Step = 'more' | 'none' | 'not ours';

/** Characters of answers that one job keeps. */
const MOST_LENGTH = 256 * 2 ** 20;
/** How often people are told how far the job is, and it is looked what they have cancelled. */
const LOOK_MS = 1_000;
/** How long an agent remembers an id: as long as anybody could ask for it again. */
const ID_MS = 3_600_000;

/** The id of a host's command: an agent carries it out once, whoever asks for it. */
function hostCommandId(job: string, hostId: number): string {
  return `${job}/${hostId}`;
}

/** @returns undefined: it is not one that `hostCommandId` has made */
export function readCommandId(id: string): { readonly job: string; readonly hostId: number } | undefined {
  const [, job, host] = /^([0-9a-f-]{36})\/(\d{1,15})$/.exec(id) ?? [];
  return job === undefined ? undefined : { job, hostId: Number(host) };
}

/**
 * Carries out a job over many hosts. Hosts are marked in the store before their commands are sent: a server that goes on with
 * the job asks those again, by the same ids, and only agents that carry out each id once.
 */
export class CommandRun {
  readonly #parts: CommandRunParts;
  readonly #uuid: string;
  readonly #order: CommandOrder;
  readonly #writer: OutcomeWriter;
  /** Those that were taken by this run, or before it. */
  readonly #known = new Set<number>();
  /** Those on their way, and what takes each back. */
  readonly #inFlight = new Map<number, AbortController>();
  /** Surely not sent when this server has stopped. */
  readonly #unsent: number[] = [];
  #isOurs = true;
  /** Why nothing more is sent. */
  #stopReason: string | undefined;
  #taken = 0;
  #failures = 0;
  #length = 0;
  #wake: () => void = () => {};

  constructor(parts: CommandRunParts, uuid: string, order: CommandOrder) {
    this.#parts = parts;
    this.#uuid = uuid;
    this.#order = order;
    const { clock, log, msid, store, stopping } = parts;
    this.#writer = new OutcomeWriter({
      ...{ clock, log, msid, store, uuid, stopping },
      onWritten: outcomes => {
        // Of the others, an answer may still come.
        const answers = outcomes.filter(isAnswer);
        for (const { hostId } of answers) parts.confirm(hostId, hostCommandId(uuid, hostId));
      },
    });
  }

  /**
   * @param progress tells people how far it has come
   * @returns how many hosts have which outcome; undefined: another server goes on with the job
   * @throws StoreError
   */
  async run(progress: (text: string) => Promise<void>): Promise<CommandSummary | undefined> {
    try {
      const isOver = await this.#carryOutAll(progress);
      if (isOver) return await this.#summary();
    } catch (error) {
      if (!this.#parts.stopping.aborted) throw error;
    }
    this.#isOurs = this.#parts.stopping.aborted;
    if (this.#isOurs) await this.#handOver();
    // This server may get the job back, and then asks for what has no outcome: none may be on its way still. Failures are logged.
    else await this.#writer.end().catch(() => {});
    return undefined;
  }

  /** @returns whether all hosts have outcomes: if not, another server goes on with the job @throws the reason of `stopping` */
  async #carryOutAll(progress: (text: string) => Promise<void>): Promise<boolean> {
    const { clock } = this.#parts;
    const before = await this.#summary();
    this.#taken = before.total - before.waiting;
    const { total, failed, unsupported, refused, unknown } = before;
    this.#failures = failed + unsupported + refused + unknown;
    this.#length = before.answerLength;
    if ((await this.#askAgain()) === 'not ours') return false;
    const tell = () => progress(`${this.#taken - this.#inFlight.size} of ${total} hosts, ${this.#failures} not well`);
    let toldAt = clock.now();
    for (let more: Step = 'more'; more !== 'none' || this.#inFlight.size > 0; ) {
      this.#parts.stopping.throwIfAborted();
      if (more === 'more') more = await this.#step();
      else await this.#outcome();
      if (more === 'none' && this.#inFlight.size === 0) more = await this.#sendForgotten();
      if (more === 'not ours') return false;
      if (clock.now() - toldAt < LOOK_MS) continue;
      toldAt = clock.now();
      await tell();
    }
    // Those that ended just now may have no outcomes.
    this.#parts.stopping.throwIfAborted();
    await this.#writer.end();
    await tell();
    return true;
  }

  /** What was taken before this run may have been sent. What was cancelled since is not asked again. */
  async #askAgain(): Promise<Step> {
    const taken = await this.#inStore(store => store.takenCommands(this.#uuid, this.#parts.msid));
    if (taken === undefined) return 'not ours';
    for (const { hostId, isRecalled } of taken) {
      if (isRecalled) this.#giveUp(hostId, { kind: 'unknown', reason: 'cancelled when it may have been sent already' });
      else await this.#sendInTime(hostId, true);
    }
    return 'more';
  }

  /**
   * All seem to have outcomes. Of a call that seemed to fail the store may have taken hosts all the same: nobody has sent them
   * anything. Others were taken by a server to which the job belonged for a while.
   */
  async #sendForgotten(): Promise<Step> {
    const { msid } = this.#parts;
    const taken = await this.#inStore(store => store.takenCommands(this.#uuid, msid));
    if (taken === undefined) return 'not ours';
    for (const { hostId, by, isRecalled } of taken) {
      if (this.#known.has(hostId)) continue;
      const isSent = by !== msid;
      const reason = this.#stopReason ?? (isRecalled ? 'cancelled before it was sent' : undefined);
      if (reason === undefined || (isSent && !isRecalled)) await this.#sendInTime(hostId, isSent);
      else this.#giveUp(hostId, { kind: isSent ? 'unknown' : 'cancelled', reason });
    }
    return 'none';
  }

  async #sendInTime(hostId: number, isRepeated: boolean): Promise<void> {
    while (this.#inFlight.size >= this.#order.maxConcurrency) await this.#outcome();
    this.#parts.stopping.throwIfAborted();
    this.#send(hostId, isRepeated);
  }

  /** Nothing is sent to it any more. */
  #giveUp(hostId: number, outcome: CommandOutcome): void {
    this.#known.add(hostId);
    this.#note(storedOutcome(outcome, { hostId, durationMs: null, msid: null }));
  }

  /** The server stops. What was surely not sent is taken anew by whoever goes on; what it has heard is written. */
  async #handOver(): Promise<void> {
    const { store, msid, log } = this.#parts;
    while (this.#inFlight.size > 0) await this.#outcome();
    try {
      if (this.#unsent.length > 0) await store.giveBackCommands(this.#uuid, msid, this.#unsent);
      await this.#writer.end();
    } catch (error) {
      log.warn('A job is left to another server, which cannot know all that was done', {
        ...{ job: this.#uuid, reason: reasonOf(error) },
      });
    }
  }

  /** Takes hosts, or waits for one. */
  async #step(): Promise<Step> {
    const counts = { taken: this.#taken, inFlight: this.#inFlight.size, failures: this.#failures };
    const step = nextStep(counts, this.#order);
    if (step.kind === 'wait') {
      await this.#outcome();
      return 'more';
    }
    if (step.kind === 'stop') {
      this.#stopReason = step.reason;
      const done = await this.#inStore(store => store.cancelCommands(this.#uuid, step.reason, this.#parts.msid));
      return done === undefined ? 'not ours' : 'none';
    }
    const taken = await this.#inStore(store => store.takeCommands(this.#uuid, this.#parts.msid, step.count));
    if (taken === undefined) return 'not ours';
    this.#taken += taken.length;
    for (const hostId of taken) this.#send(hostId, false);
    return taken.length === step.count ? 'more' : 'none';
  }

  #send(hostId: number, isRepeated: boolean): void {
    const recall = new AbortController();
    this.#known.add(hostId);
    this.#inFlight.set(hostId, recall);
    void this.#carryOut(hostId, isRepeated, recall.signal).then(outcome => {
      this.#inFlight.delete(hostId);
      if (outcome !== undefined) this.#note(outcome);
      this.#wake();
    });
  }

  #note(outcome: NewCommandOutcome): void {
    if (!isWell(outcome)) this.#failures++;
    if (this.#isOurs) this.#writer.add(outcome);
    // Whoever carries the job out now may have sent what was not sent here. Nobody waits for this run any more.
    else if (isAnswer(outcome) && !this.#parts.stopping.aborted) {
      this.#writer.add(outcome);
      this.#writer.flush();
    }
  }

  /** @returns undefined: the server stops, and another one will ask. Never rejects */
  async #carryOut(hostId: number, isRepeated: boolean, recall: AbortSignal): Promise<NewCommandOutcome | undefined> {
    const { clock, sender, serverOf, stopping, log } = this.#parts;
    const { commands, wait, inSequence, stopOnError } = this.#order;
    const from = clock.now();
    try {
      const id = { commandId: hostCommandId(this.#uuid, hostId), expiresInMs: ID_MS };
      const options = { wait, inSequence, stopOnError, isRepeated, recall, signal: stopping };
      const outcome = await sender.send(hostId, withCommandId(commands, id), options);
      if (stopping.aborted && !recall.aborted && !isAnswer(outcome)) {
        if (outcome.kind !== 'unknown') this.#unsent.push(hostId);
        return undefined;
      }
      const durationMs = Math.round(clock.now() - from);
      return this.#bounded(storedOutcome(outcome, { hostId, durationMs, msid: serverOf(hostId) }));
    } catch (error) {
      log.warn('A command could not be written', { job: this.#uuid, hostId });
      const outcome = { kind: 'refused', reason: error instanceof Error ? error.message : String(error) } as const;
      return storedOutcome(outcome, { hostId, durationMs: null, msid: null });
    }
  }

  /** What is too much for one job is left out. */
  #bounded(outcome: NewCommandOutcome): NewCommandOutcome {
    this.#length += outcome.answers?.length ?? 0;
    return this.#length <= MOST_LENGTH ? outcome : { ...outcome, answers: null, isTruncated: true };
  }

  /** Until one of those on their way has an outcome, or it is time to look what was cancelled. */
  async #outcome(): Promise<void> {
    if (this.#inFlight.size === 0) return;
    const { clock } = this.#parts;
    let timer: Timer | undefined;
    const isLate = await new Promise<boolean>(resolve => {
      this.#wake = () => resolve(false);
      timer = clock.after(LOOK_MS, () => resolve(true));
    });
    timer?.cancel();
    if (isLate) await this.#recall();
  }

  async #recall(): Promise<void> {
    try {
      const recalled = await this.#parts.store.recalledCommands(this.#uuid);
      for (const hostId of recalled) this.#inFlight.get(hostId)?.abort(new Error('cancelled'));
    } catch {
      // The store is away: the next look finds it.
    }
  }

  async #summary(): Promise<CommandSummary> {
    const summary = await this.#inStore(store => store.commandSummary(this.#uuid));
    if (summary === undefined) throw new Error('the hosts of this job are gone');
    return summary;
  }

  #inStore<T>(call: (store: CommandRunParts['store']) => Promise<T>): Promise<T> {
    const { clock, stopping, store } = this.#parts;
    return retryWhileAway({ clock, stopping }, () => call(store));
  }
}

/** Whether the agent has said it. */
function isAnswer({ kind }: { readonly kind: CommandOutcomeKind }): boolean {
  return kind === 'answered' || kind === 'unsupported';
}
