import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import {
  KeptAnswersAnswer,
  KeptAnswersCommand,
  LIMITS,
  type Message,
  type Packet,
  RawJson,
} from '../../protocol/index.js';
import type { CommandJournal } from './command-journal.js';
import type { KeptOutcome } from './command-memory.js';

export interface KeptAnswersParts {
  readonly journal: CommandJournal;
  readonly clock: Clock;
  readonly log: Log;
}

/** A Ready link to a server that takes kept answers. */
export interface KeptAnswersPort {
  /** Bytes of one packet on it. */
  readonly packetBytes: number;
  /** @returns the packet that answers it */
  request(command: Message, timeoutMs: number): Promise<Packet>;
}

interface Current {
  readonly link: number;
  readonly port: KeptAnswersPort;
  /** What was kept before this was not told on this link, or perhaps in vain on another. */
  before: number;
  /** When each was offered on this link. */
  readonly offered: Map<string, number>;
}

type Kept = NonNullable<NonNullable<Parameters<typeof KeptAnswersCommand.encode>[0]['kept']>>[number];

/** How long a server has for its answer. */
const ANSWER_MS = 30_000;
/** What a packet has beside the answers, and what an entry has beside its answers. */
const AROUND_BYTES = 1024;
const ENTRY_BYTES = 256;
/** Values of one packet: brackets and commas of its text, at most. */
const BATCH_VALUES = LIMITS.bodyValues / 2;

/**
 * Offers the outcomes that no server has confirmed over the newest Ready link whose server takes them: those that could not
 * be told at once, the others when they have waited for a confirmation for a minute; and all of them again each minute.
 */
export class KeptAnswers {
  readonly #parts: KeptAnswersParts;
  #current: Current | undefined;
  /** Ids of which nobody was told. */
  readonly #untold = new Set<string>();
  #timer: Timer | undefined;
  #isOffering = false;
  #isAgainWanted = false;
  #isStopped = false;

  constructor(parts: KeptAnswersParts) {
    this.#parts = parts;
    for (const { id } of parts.journal.kept()) this.#untold.add(id);
    parts.journal.onKept((id, isTold) => {
      if (!isTold) this.#untold.add(id);
      this.#look();
    });
  }

  /** A link whose server takes kept answers is Ready. */
  linkReady(link: number, port: KeptAnswersPort): void {
    if (this.#current?.link === link) return;
    this.#current = { link, port, before: this.#parts.clock.now(), offered: new Map() };
    this.#look();
  }

  /** A link has ended: what was told on it may be lost. */
  linkEnded(link: number): void {
    if (this.#current?.link === link) this.#current = undefined;
    if (this.#current !== undefined) this.#current.before = this.#parts.clock.now();
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer?.cancel();
    if (this.#isStopped || this.#current === undefined) return;
    if (this.#isOffering) {
      this.#isAgainWanted = true;
      return;
    }
    this.#isOffering = true;
    void this.#offerAll(this.#current);
  }

  async #offerAll(current: Current): Promise<void> {
    const { clock, log } = this.#parts;
    try {
      // What is told in this turn of the event loop may be one of many.
      await clock.turn();
      for (;;) {
        if (this.#current !== current || this.#isStopped) break;
        const batch = this.#nextBatch(current);
        if (batch.length === 0) break;
        for (const { commandId = '' } of batch) current.offered.set(commandId, clock.now());
        const answer = await current.port.request(KeptAnswersCommand.encode({ kept: batch }), ANSWER_MS);
        this.#onAnswer(answer, batch);
      }
    } catch (error) {
      log.debug('Kept answers are not taken', { reason: reasonOf(error) });
    }
    this.#isOffering = false;
    const isAgainWanted = this.#isAgainWanted || this.#current !== current;
    this.#isAgainWanted = false;
    if (isAgainWanted) this.#look();
    else this.#lookLater();
  }

  #onAnswer({ messages: [message] }: Packet, batch: readonly Kept[]): void {
    if (message === undefined || !KeptAnswersAnswer.is(message)) return;
    const offered = new Set(batch.map(({ commandId }) => commandId));
    const taken = (KeptAnswersAnswer.decode(message).taken ?? []).filter(id => offered.has(id));
    this.#parts.journal.confirm(taken);
  }

  /** While anything is kept, it is offered again. */
  #lookLater(): void {
    const kept = new Set(Array.from(this.#parts.journal.kept(), ({ id }) => id));
    for (const id of this.#untold) if (!kept.has(id)) this.#untold.delete(id);
    if (this.#current === undefined || this.#isStopped) return;
    const { offered } = this.#current;
    for (const id of offered.keys()) if (!kept.has(id)) offered.delete(id);
    if (kept.size === 0) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(LIMITS.keptAgainMs, () => this.#look());
  }

  #nextBatch(current: Current): readonly Kept[] {
    const most = Math.min(LIMITS.keptBatchBytes, current.port.packetBytes) - AROUND_BYTES;
    const batch: Kept[] = [];
    let bytes = 0;
    let values = 0;
    for (const kept of this.#parts.journal.kept()) {
      if (batch.length >= LIMITS.keptBatchCommands) break;
      if (!this.#isDue(kept, current)) continue;
      const entry = entryOf(kept, current.port.packetBytes - AROUND_BYTES);
      bytes += entry.bytes;
      values += entry.values;
      if (batch.length > 0 && (bytes > most || values > BATCH_VALUES)) break;
      batch.push(entry.kept);
    }
    return batch;
  }

  #isDue({ id, since }: KeptOutcome, { before, offered }: Current): boolean {
    const now = this.#parts.clock.now();
    const offeredAt = offered.get(id);
    if (offeredAt !== undefined) return now >= offeredAt + LIMITS.keptAgainMs;
    return since < before || this.#untold.has(id) || now >= since + LIMITS.keptAgainMs;
  }
}

/** @param most bytes that the server takes at once */
function entryOf({ id, outcome }: KeptOutcome, most: number): { kept: Kept; bytes: number; values: number } {
  if ('unknown' in outcome) {
    return {
      kept: { commandId: id, unknown: outcome.unknown },
      bytes: ENTRY_BYTES + outcome.unknown.length,
      values: 5,
    };
  }
  const { answers } = outcome;
  const bytes = ENTRY_BYTES + Buffer.byteLength(answers);
  if (bytes > most) {
    const unknown = `the commands were carried out, and their answers, ${bytes} bytes, are more than this server takes`;
    return { kept: { commandId: id, unknown }, bytes: 2 * ENTRY_BYTES, values: 5 };
  }
  return { kept: { commandId: id, answers: new RawJson(answers) }, bytes, values: 5 + valuesIn(answers) };
}

/** At least as many as the text has. */
function valuesIn(text: string): number {
  return text.length - text.replace(/[,[{]/g, '').length;
}
