import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { Semaphore } from '../../lib/semaphore.js';
import { peerText, peerTextIn } from '../../lib/text/peer-text.js';
import {
  agentOutcomeOf,
  commandIdOf,
  FLAG,
  isInPlaceOfResource,
  type Message,
  messagesOf,
  type RawBody,
  rawBodyOf,
  readyLimits,
} from '../../protocol/index.js';
import { answerTimeMs } from '../agents/attache.js';
import type { RequestSignals, ServerReply, ServerRequest } from '../cluster/links/server-request.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { ServerMeters } from '../metrics/server-metrics.js';
import { classLabel } from './command-classes.js';
import type { HostFinder } from './host-finder.js';
import { type CommandOutcome, isUnsupported } from './outcome.js';
import {
  begun,
  next,
  type Place,
  type Reply,
  type SendEffect,
  type SendEnd,
  type SendEvent,
  type SendState,
  type SendStep,
} from './send-state.js';

export interface SenderParts {
  readonly clock: Clock;
  readonly meters: Pick<ServerMeters, 'commands' | 'commandSeconds'>;
  readonly hosts: Pick<HostFinder, 'find'>;
  /** Unpacked bytes of one packet. */
  readonly packetMaxBytes: number;
  /** An agent has answered in the place of its resource, which has failed. */
  onResourceFailed(hostId: number, answer: Message): void;
  /** Sends commands to an agent of this server. Never rejects. */
  askHere(request: ServerRequest, signals: RequestSignals): Promise<ServerReply>;
  /** Has another server do it. Never rejects. */
  askServer(msid: number, request: ServerRequest, signals: RequestSignals): Promise<ServerReply>;
}

/** How commands are sent. */
export interface SendOptions {
  /**
   * Seconds for all of it: to find the agent, which may be on its way from one server to another, and to have its answer.
   * @default the longest `wait` of the commands, 60 if none has one; and 10 more
   */
  readonly wait?: number | undefined;
  /** Sent when those before them, in sequence to the same host by this server, have their outcomes. @default false */
  readonly inSequence?: boolean | undefined;
  /** When one command fails, those behind it are not carried out. @default true */
  readonly stopOnError?: boolean | undefined;
  /**
   * They may have been sent before, by somebody who has gone: only an agent that carries out each id once gets them.
   * @default false
   */
  readonly isRepeated?: boolean | undefined;
  /** Takes them back, if they were not sent yet; if they were, nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Takes them back, if they were not sent yet; if they were, a Muster agent is asked to end them, and the answer is waited
   * for.
   */
  readonly recall?: AbortSignal | undefined;
}

/** Those that are sent in sequence to one host. */
interface Line {
  readonly turns: Semaphore;
  held: number;
}

/** Sends commands to agents, whichever server has them. */
export class Sender {
  readonly #parts: SenderParts;
  /** By host id. */
  readonly #lines = new Map<number, Line>();
  readonly #under = new Set<Sending>();
  #isOver = false;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Packets of commands that wait for their outcomes. */
  get underWay(): number {
    return this.#under.size;
  }

  /** Takes back what is under way; from now on all is refused. */
  stop(): void {
    this.#isOver = true;
    for (const sending of [...this.#under]) sending.end('stop');
  }

  /**
   * Sends commands in one packet to the agent of a host, and tells what became of them. To a CloudStack agent nothing is sent
   * twice.
   * @param hostId as in `Attache.host`
   * @throws ProtocolError BODY_TOO_LARGE, BODY_JSON, TypeError: the messages cannot be written
   */
  async send(hostId: number, messages: readonly Message[], options: SendOptions = {}): Promise<CommandOutcome> {
    const [first] = messages;
    if (first === undefined) throw new TypeError('there are no commands to send');
    const { clock, meters } = this.#parts;
    const from = clock.now();
    const outcome = await this.#send(hostId, messages, options);
    meters.commands.add({ outcome: outcome.kind, class: classLabel(first.type) });
    meters.commandSeconds.observe({ outcome: outcome.kind }, (clock.now() - from) / 1_000);
    return outcome;
  }

  async #send(hostId: number, messages: readonly Message[], options: SendOptions): Promise<CommandOutcome> {
    const { wait } = options;
    const asked = wait === undefined ? messages : messages.map(message => withWait(message, wait));
    const body = rawBodyOf(asked, readyLimits(this.#parts.packetMaxBytes));
    if (this.#isOver) return { kind: 'refused', reason: 'this server stops' };
    if (this.#under.size >= MGMT_LIMITS.commandsHeld) return tooMany(this.#under.size);
    const sending = new Sending(this.#parts, { hostId, body, hasIds: commandIdOf(messages) !== undefined, options });
    this.#under.add(sending);
    try {
      const limitMs = wait === undefined ? answerTimeMs(messages) : wait * 1_000;
      return await this.#within(limitMs, sending, hostId, options);
    } finally {
      this.#under.delete(sending);
    }
  }

  async #within(limitMs: number, sending: Sending, hostId: number, options: SendOptions): Promise<CommandOutcome> {
    const { inSequence = false, signal, recall } = options;
    const { clock } = this.#parts;
    let timer = clock.after(limitMs, () => {
      // The agent itself ends its work at `wait`, and says so.
      if (!sending.isAsking || options.wait === undefined) sending.end('deadline');
      else timer = clock.after(MGMT_LIMITS.answerMarginMs, () => sending.end('deadline'));
    });
    const cancel = () => sending.end('cancel');
    signal?.addEventListener('abort', cancel, { once: true });
    const onRecall = () => sending.recall();
    recall?.addEventListener('abort', onRecall, { once: true });
    if (signal?.aborted) cancel();
    else if (recall?.aborted) onRecall();
    try {
      return inSequence ? await this.#inTurn(hostId, sending) : await sending.begin();
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', cancel);
      recall?.removeEventListener('abort', onRecall);
    }
  }

  async #inTurn(hostId: number, sending: Sending): Promise<CommandOutcome> {
    const line = this.#lines.get(hostId) ?? { turns: new Semaphore(), held: 0 };
    if (line.held >= MGMT_LIMITS.heldRequests) return tooMany(line.held);
    this.#lines.set(hostId, line);
    line.held++;
    try {
      const release = await line.turns.acquire(sending.ended).catch(() => undefined);
      try {
        return await sending.begin();
      } finally {
        release?.();
      }
    } finally {
      line.held--;
      if (line.held === 0) this.#lines.delete(hostId);
    }
  }
}

/** The agent is told how long it has, unless the command says so itself. */
function withWait({ type, fields }: Message, wait: number): Message {
  return fields.wait === undefined ? { type, fields: { ...fields, wait: Math.ceil(wait) } } : { type, fields };
}

function tooMany(held: number): CommandOutcome {
  return { kind: 'refused', reason: `${held} commands wait for their outcomes already` };
}

interface SendingParts {
  readonly hostId: number;
  readonly body: RawBody;
  readonly hasIds: boolean;
  readonly options: SendOptions;
}

/** Commands on their way: carries out what `next` decides. */
class Sending {
  readonly #parts: SenderParts;
  readonly #what: SendingParts;
  readonly #first: SendStep;
  #state: SendState;
  #look: Timer | undefined;
  readonly #takeBack = new AbortController();
  readonly #recall = new AbortController();
  readonly #ended = new AbortController();
  #finish: (outcome: CommandOutcome) => void = () => {};
  readonly #outcome = new Promise<CommandOutcome>(resolve => {
    this.#finish = resolve;
  });

  constructor(parts: SenderParts, what: SendingParts) {
    this.#parts = parts;
    this.#what = what;
    this.#first = begun(what.options.isRepeated ?? false);
    this.#state = this.#first.state;
  }

  /** Aborts when the time is over, or the caller has taken the commands back: none is sent from now on. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** They were passed on, and their answer is waited for. */
  get isAsking(): boolean {
    return this.#state.kind === 'asking' || this.#state.kind === 'recalling';
  }

  /** @returns what becomes of them. Called once */
  begin(): Promise<CommandOutcome> {
    if (this.#state.kind !== 'over') this.#perform(this.#first.effect);
    return this.#outcome;
  }

  end(kind: SendEnd): void {
    this.#step({ kind });
    this.#ended.abort();
  }

  recall(): void {
    this.#step({ kind: 'recall' });
    this.#ended.abort();
  }

  #step(event: SendEvent): void {
    const { state, effect } = next(this.#state, event, this.#what.hasIds);
    this.#state = state;
    this.#perform(effect);
  }

  #perform(effect: SendEffect | undefined): void {
    const { clock, hosts } = this.#parts;
    switch (effect?.kind) {
      case 'locate':
        void hosts
          .find(this.#what.hostId, effect.isFresh)
          .then(whereabouts => this.#step({ kind: 'located', whereabouts }));
        break;
      case 'ask':
        void this.#ask(effect.place, effect.isRepeated);
        break;
      case 'wait':
        this.#look = clock.after(MGMT_LIMITS.hostLookMs, () => this.#step({ kind: 'look' }));
        break;
      case 'recall':
        this.#recall.abort(new Error('taken back'));
        break;
      case 'take back':
        this.#takeBack.abort(new Error('taken back'));
        break;
      case 'finish':
        this.#look?.cancel();
        this.#finish(effect.outcome);
        break;
      case undefined:
    }
  }

  async #ask(place: Place, isRepeated: boolean): Promise<void> {
    const { hostId, body, hasIds, options } = this.#what;
    const { inSequence = false, stopOnError = true } = options;
    const flags =
      (inSequence ? FLAG.inSequence : 0) | (stopOnError ? FLAG.stopOnError : 0) | (isRepeated ? FLAG.repeated : 0);
    const request = { hostId, flags, body, hasIds };
    const signals = { signal: this.#takeBack.signal, recall: this.#recall.signal };
    const reply =
      place.kind === 'here'
        ? await this.#parts.askHere(request, signals)
        : await this.#parts.askServer(place.msid, request, signals);
    this.#step({ kind: 'replied', reply: this.#read(reply) });
  }

  #read(reply: ServerReply): Reply {
    if (reply.kind === 'notSent') return { ...reply, isFinal: reply.isFinal ?? false };
    if (reply.kind === 'lost') return reply;
    try {
      const messages = messagesOf(reply.body, readyLimits(this.#parts.packetMaxBytes));
      const [first] = messages;
      for (const message of messages)
        if (isInPlaceOfResource(message)) this.#parts.onResourceFailed(this.#what.hostId, message);
      const outcome = agentOutcomeOf(messages);
      if (outcome === undefined) return { kind: 'answered', messages, isUnsupported: isUnsupported(messages) };
      const reason = peerTextIn(first?.fields.details) ?? outcome;
      return outcome === 'unknown'
        ? { kind: 'lost', reason, isRepeatable: false }
        : { kind: 'notSent', reason, isFinal: true };
    } catch (error) {
      // To ask again would bring the same answer.
      return { kind: 'lost', reason: `the answer cannot be read: ${peerText(reasonOf(error))}`, isRepeatable: false };
    }
  }
}
