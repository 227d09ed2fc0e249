import { delay } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { peerText } from '../../lib/text/peer-text.js';
import {
  Answer,
  CancelCommand,
  type CommandId,
  commandIdOf,
  FLAG,
  LIMITS,
  type Link,
  type Message,
  type Packet,
  readyLimits,
} from '../../protocol/index.js';
import { waitMsOf } from '../handlers/by-resource.js';
import type { Consequence, SharedHandlerParts } from '../handlers/handler.js';
import { handleRequest, isAboutLinks, tooMany } from '../handlers/index.js';
import { answersText, KEPT_LIMITS, messagesOf } from './answers-text.js';
import type { CommandJournal } from './command-journal.js';
import type { CommandOutcome } from './command-state.js';
import type { CommandProgress } from './progress.js';
import type { CommandsUnderWay } from './under-way.js';

/** What the requests of all links of an agent share. */
export interface ServedRequestsParts extends SharedHandlerParts {
  /** Undefined: the agent does nothing about ids. */
  readonly journal: CommandJournal | undefined;
  readonly progress: CommandProgress;
  readonly underWay: CommandsUnderWay;
  /** Aborts when the agent stops. */
  stopping(): AbortSignal;
}

/** The link on which requests come. */
export interface ServedLink {
  readonly link: Link;
  /** Aborts when it ends. */
  readonly signal: AbortSignal;
  /** Bytes of one packet on it. */
  readonly packetBytes: number;
}

/** A packet with an id, and who has asked for it. */
interface Asked {
  readonly request: Packet;
  readonly link: Link;
  readonly recall: AbortSignal;
  tell(outcome: CommandOutcome): void;
}

/** How long a link that a newer one replaces waits for the answers to its commands. */
const RETIRE_MS = 30_000;

/**
 * Answers the requests of a server. Those without an id belong to their link: they count as in progress on it, and end with
 * it. Those with an id belong to the agent: they go on when their link ends, and no link waits for them.
 */
export class ServedRequests {
  readonly #parts: ServedRequestsParts;
  /** Requests without an id that are not answered yet, each with the time until which it counts as in progress. */
  readonly #inProgress = new Map<Packet, number>();
  /** What ends the packets of this link that are not answered yet, by their sequences. */
  readonly #recalls = new Map<bigint, (reason: Error) => void>();
  #onIdle: (() => void) | undefined;

  constructor(parts: ServedRequestsParts) {
    this.#parts = parts;
  }

  /** Whether a command is in progress: for the time that the server waits for it, and `commandTimeoutMs` at most. */
  get isBusy(): boolean {
    const now = this.#parts.clock.now();
    for (const until of this.#inProgress.values()) if (now < until) return true;
    return false;
  }

  /** Answers a request. @param onConsequence is told, behind the answer, what its commands mean for the agent */
  async serve(request: Packet, on: ServedLink, onConsequence: (consequence: Consequence) => void): Promise<void> {
    const [first] = request.messages;
    if (first !== undefined && CancelCommand.is(first)) {
      this.#recall(first);
      answer(on.link, request, [Answer.encode({ result: true })]);
    } else if (!this.#carryOutOnce(request, on.link)) await this.#serve(request, on, onConsequence);
  }

  /** Resolves when the requests without an id are answered, after 30 s at most, or when the signal aborts. */
  async idle(signal: AbortSignal): Promise<void> {
    if (this.#inProgress.size === 0) return;
    await Promise.race([
      new Promise<void>(resolve => {
        this.#onIdle = resolve;
      }),
      delay(this.#parts.clock, RETIRE_MS, signal),
    ]);
  }

  /** The link has ended. */
  clear(): void {
    this.#inProgress.clear();
  }

  #recall(command: Message): void {
    const { sequence, reason } = CancelCommand.decode(command);
    if (sequence === undefined) return;
    this.#recalls.get(BigInt(sequence))?.(new Error(`cancelled by the server: ${peerText(reason ?? '')}`));
  }

  // ---- without an id

  async #serve(
    request: Packet,
    { link, signal, packetBytes }: ServedLink,
    onConsequence: (consequence: Consequence) => void,
  ): Promise<void> {
    if (this.#inProgress.size >= LIMITS.requestsInProgress) {
      answer(link, request, tooMany(request));
      return;
    }
    this.#inProgress.set(request, this.#parts.clock.now() + this.#allowedMs(request));
    const { log } = this.#parts;
    const recall = new AbortController();
    this.#recalls.set(request.sequence, reason => recall.abort(reason));
    const { answers, consequences } = await handleRequest(request, {
      ...this.#parts,
      signal,
      recall: recall.signal,
      id: undefined,
      limits: readyLimits(packetBytes),
      progress: text => log.debug('A command is in progress', { progress: peerText(String(text)) }),
      // With the link the answer goes.
      abandoned() {},
    });
    this.#inProgress.delete(request);
    this.#recalls.delete(request.sequence);
    answer(link, request, answers);
    for (const consequence of consequences) onConsequence(consequence);
    if (this.#inProgress.size === 0) this.#onIdle?.();
  }

  /** How long the server waits for the commands of a packet, one after another. */
  #allowedMs({ messages }: Packet): number {
    const { commandTimeoutMs } = this.#parts;
    return messages.reduce((sum, message) => {
      const waitMs = waitMsOf(message);
      return sum + (waitMs > 0 ? Math.min(waitMs, commandTimeoutMs) : commandTimeoutMs);
    }, 0);
  }

  // ---- with an id

  /** @returns false when the packet has no id, and is to be served as any other */
  #carryOutOnce(request: Packet, link: Link): boolean {
    const { journal } = this.#parts;
    if (journal === undefined) return false;
    const tell = (outcome: CommandOutcome) => answer(link, request, answersOf(request, outcome));
    let id: CommandId | undefined;
    try {
      id = commandIdOf(request.messages);
    } catch (error) {
      tell({ kind: 'refused', why: reasonOf(error) });
      return true;
    }
    if (id === undefined) return false;
    if (isAboutLinks(request)) {
      tell({ kind: 'refused', why: "commands about the agent's links have no id" });
      return true;
    }
    const named = id;
    const recall = this.#parts.underWay.recallOf(named.commandId);
    const work = () => this.#ask(journal, named, { request, link, recall, tell });
    this.#recalls.set(request.sequence, reason => this.#parts.underWay.recall(named.commandId, reason));
    if ((request.flags & FLAG.inSequence) === 0) void work();
    else if (!this.#parts.underWay.inTurn(work)) {
      this.#recalls.delete(request.sequence);
      this.#parts.underWay.ended(named.commandId);
      tell({ kind: 'refused', why: `${LIMITS.requestsInProgress} packets in sequence wait for their turn already` });
    }
    return true;
  }

  /** Until the packet is not in progress any more. */
  async #ask(journal: CommandJournal, id: CommandId, { request, link, recall, tell }: Asked): Promise<void> {
    const { commandId } = id;
    // Whoever still wants what has waited for its turn on a link that has ended asks for it again.
    if (link.closed === undefined) {
      if (recall.aborted) tell({ kind: 'refused', why: reasonOf(recall.reason) });
      else {
        const asker = { isThere: () => link.closed === undefined, tell };
        await journal.ask(id, asker, () => this.#carryOut(request, commandId, recall));
      }
    }
    this.#recalls.delete(request.sequence);
    this.#parts.underWay.ended(commandId);
  }

  /** @returns undefined when nobody knows what becomes of the commands */
  async #carryOut(request: Packet, id: string, recall: AbortSignal): Promise<string | undefined> {
    const { progress, stopping } = this.#parts;
    let isKnown = true;
    let isDone = false;
    const { answers } = await handleRequest(request, {
      ...this.#parts,
      signal: stopping(),
      recall,
      id,
      limits: KEPT_LIMITS,
      progress(text) {
        if (!isDone) progress.say(id, String(text));
      },
      abandoned() {
        isKnown = false;
      },
    });
    isDone = true;
    progress.end(id);
    return isKnown ? answersText(answers) : undefined;
  }
}

function answer(link: Link, request: Packet, answers: readonly Message[]): void {
  // With sequence −1 nobody waits for an answer.
  if (request.sequence >= 0n) link.answer(request, answers);
}

/** One answer for each command. */
function answersOf({ messages }: Packet, outcome: CommandOutcome): readonly Message[] {
  if (outcome.kind === 'answered') return messagesOf(outcome.answers);
  const { type, fields } = Answer.encode({ result: false, details: peerText(outcome.why) });
  return messages.map(() => ({ type, fields: { ...fields, muster: { outcome: outcome.kind } } }));
}
