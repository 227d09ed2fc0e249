import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import { type Message, withCommandId } from '../../protocol/index.js';
import type { CommandSummary, NewCommandOutcome, Store } from '../store/store.js';
import { retryWhileAway } from '../store/store-health.js';
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
    'takeCommands' | 'takenCommands' | 'commandOutcomes' | 'commandSummary' | 'cancelCommands'
  >;
  readonly sender: Pick<Sender, 'send'>;
  /** The server that has the host now. */
  serverOf(hostId: number): number | null;
  /** The outcome of the host's command is in the store: its agent need not keep it. */
  confirm(hostId: number, commandId: string): void;
  /** Aborted when the server stops: another one goes on with the job. */
  readonly stopping: AbortSignal;
}

/** Whether there may be more hosts; `not ours`: another server goes on with the job. */
type Step = 'more' | 'none' | 'not ours';

/** Characters of answers that one job keeps. */
const MOST_LENGTH = 256 * 2 ** 20;
const PROGRESS_MS = 1_000;
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
  #taken = 0;
  #inFlight = 0;
  #failures = 0;
  #length = 0;
  #wake: () => void = () => {};

  constructor(parts: CommandRunParts, uuid: string, order: CommandOrder) {
    this.#parts = parts;
    this.#uuid = uuid;
    this.#order = order;
    const { clock, log, store, stopping } = parts;
    this.#writer = new OutcomeWriter({
      ...{ clock, log, store, uuid, stopping },
      onWritten: outcomes => {
        for (const { hostId } of outcomes) parts.confirm(hostId, hostCommandId(uuid, hostId));
      },
    });
  }

  /**
   * @param progress tells people how far it has come
   * @returns how many hosts have which outcome; undefined: another server goes on with the job
   * @throws StoreError; the reason of `stopping`
   */
  async run(progress: (text: string) => Promise<void>): Promise<CommandSummary | undefined> {
    const { clock } = this.#parts;
    const before = await this.#summary();
    this.#taken = before.total - before.waiting;
    const { failed, unsupported, refused, unknown } = before;
    this.#failures = failed + unsupported + refused + unknown;
    this.#length = before.answerLength;
    for (const { hostId } of await this.#inStore(store => store.takenCommands(this.#uuid))) {
      while (this.#inFlight >= this.#order.maxConcurrency) await this.#outcome();
      this.#send(hostId, true);
    }
    const total = before.total;
    const tell = () => progress(`${this.#taken - this.#inFlight} of ${total} hosts, ${this.#failures} not well`);
    let toldAt = clock.now();
    for (let more: Step = 'more'; more !== 'none' || this.#inFlight > 0; ) {
      this.#parts.stopping.throwIfAborted();
      if (more === 'more') more = await this.#step();
      else await this.#outcome();
      if (more === 'not ours') return undefined;
      if (clock.now() - toldAt < PROGRESS_MS) continue;
      toldAt = clock.now();
      await tell();
    }
    await this.#writer.end();
    await tell();
    return this.#summary();
  }

  /** Takes hosts, or waits for one. */
  async #step(): Promise<Step> {
    const counts = { taken: this.#taken, inFlight: this.#inFlight, failures: this.#failures };
    const step = nextStep(counts, this.#order);
    if (step.kind === 'wait') {
      await this.#outcome();
      return 'more';
    }
    if (step.kind === 'stop') {
      await this.#inStore(store => store.cancelCommands(this.#uuid, step.reason));
      return 'none';
    }
    const taken = await this.#inStore(store => store.takeCommands(this.#uuid, this.#parts.msid, step.count));
    if (taken === undefined) return 'not ours';
    this.#taken += taken.length;
    for (const { hostId } of taken) this.#send(hostId, false);
    return taken.length === step.count ? 'more' : 'none';
  }

  #send(hostId: number, isRepeated: boolean): void {
    this.#inFlight++;
    void this.#carryOut(hostId, isRepeated).then(outcome => {
      this.#inFlight--;
      if (outcome !== undefined) {
        if (!isWell(outcome)) this.#failures++;
        this.#writer.add(outcome);
      }
      this.#wake();
    });
  }

  /** @returns undefined: the server stops, and another one will ask. Never rejects */
  async #carryOut(hostId: number, isRepeated: boolean): Promise<NewCommandOutcome | undefined> {
    const { clock, sender, serverOf, stopping, log } = this.#parts;
    const { commands, wait, inSequence, stopOnError } = this.#order;
    const from = clock.now();
    try {
      const id = { commandId: hostCommandId(this.#uuid, hostId), expiresInMs: ID_MS };
      const options = { wait, inSequence, stopOnError, isRepeated, signal: stopping };
      const outcome = await sender.send(hostId, withCommandId(commands, id), options);
      if (stopping.aborted && outcome.kind !== 'answered') return undefined;
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

  /** Until one of those on their way has an outcome. */
  #outcome(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise(resolve => {
      this.#wake = resolve;
    });
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
