import { untilAborted } from '../../lib/abort.js';
import type { Clock } from '../../lib/clock.js';
import { Semaphore } from '../../lib/semaphore.js';
import { peerText } from '../../lib/text/peer-text.js';
import {
  AGENT_CAPABILITIES,
  CancelCommand,
  type CloseReason,
  FLAG,
  type Link,
  LinkError,
  linkEndOf,
  type Message,
  type Packet,
  type RawBody,
  type RequestHeader,
} from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Claimant } from '../hosts/claimant.js';
import type { RegisteredHost } from '../hosts/known-hosts.js';
import type { LinkStatus } from '../hosts/link-status.js';
import type { AgentList } from '../lists/agent-list.js';
import type { MoveCause } from '../store/store.js';
import { type AttacheEffect, type AttacheEvent, type AttacheState, next } from './attache-state.js';

/** What does not change about a connected agent while its link exists. */
export interface AttacheIdentity {
  readonly guid: string;
  readonly host: RegisteredHost;
  readonly claimant: Claimant;
  /** As its Startup has named them. */
  readonly capabilities: ReadonlySet<string>;
  readonly msid: bigint;
  /** As its StartupAnswer has told it. */
  readonly pingIntervalSeconds: number;
  /** What the agent says of its links before this one. */
  readonly failovers: number | undefined;
  /** Why it lost the last of them. */
  readonly lastLoss: string | undefined;
}

/** How a request is sent to an agent. */
export interface AskOptions {
  /** Waits until the request in sequence before this one is answered, has timed out or is cancelled. @default false */
  readonly inSequence?: boolean;
  /** Ends the wait for the answer. A request that was sent is not called back. */
  readonly signal?: AbortSignal;
}

/** How commands that were written elsewhere are passed on to an agent. */
export interface PassOnOptions {
  /** Of `FLAG`: `stopOnError`, `inSequence`. */
  readonly flags: number;
  /** The server that has asked. */
  readonly mgmtId: number;
  /** Ends the wait for the turn, or for the answer. */
  readonly signal: AbortSignal;
  /** From when the commands are on their way: an agent that can end them is asked to, and answers all the same. */
  readonly recall: AbortSignal;
  /** The commands are on their way: from now on the agent may carry them out. */
  onSent(): void;
}

/**
 * The server's object for one connected agent: sends it requests, and knows whether it is alive.
 * @example
 * const { messages } = await attache.ask([CheckHealthCommand.encode({ wait: 5 })]);
 * console.log(attache.host.name, messages[0]?.fields.result);
 */
export class Attache {
  /** Under which the agent has registered. */
  readonly guid: string;
  /** The row of its host. */
  readonly host: RegisteredHost;
  /** By what two agents with one guid are told apart. */
  readonly claimant: Claimant;
  /** The connection. It belongs to the attache: ask by `ask`. */
  readonly link: Link;
  readonly #identity: AttacheIdentity;
  readonly #clock: Clock;
  /** Milliseconds since 1970. */
  #readySince: number;
  /** Milliseconds since 1970. */
  #lastPing: number;
  #roundTripMs: number | undefined;
  /** The list that the agent has, by Ready 2 or its last acknowledgement; undefined before Ready 2. */
  held: AgentList | undefined;
  #lag: string | undefined;
  #renewalFailure: string | undefined;
  #state: AttacheState;
  /** One request in sequence at a time. */
  readonly #inSequence = new Semaphore();
  #held = 0;
  #endCause: MoveCause | undefined;

  constructor(link: Link, identity: AttacheIdentity, clock: Clock) {
    this.guid = identity.guid;
    this.host = identity.host;
    this.claimant = identity.claimant;
    this.link = link;
    this.#identity = identity;
    this.#clock = clock;
    this.#readySince = clock.wallTime();
    this.#lastPing = this.#readySince;
    this.#state = { kind: 'alive', heardAt: clock.now() };
  }

  /** Ends the link behind what is queued. @param why for people @param cause for the record of the move */
  end(why: string, cause: MoveCause): void {
    this.#endCause ??= cause;
    this.link.close(why);
  }

  /** Why the link has ended, as a code. */
  endOf(reason: CloseReason): MoveCause {
    return reason.kind === 'local' ? (this.#endCause ?? 'server-ended') : linkEndOf(reason);
  }

  /** Why it has not taken what it should have by now. */
  get lag(): string | undefined {
    return this.#lag;
  }

  /** @param reason may have words of the agent in it */
  set lag(reason: string | undefined) {
    this.#lag = reason === undefined ? undefined : peerText(reason);
  }

  /** Why its certificate, whose renewal is due, could not be renewed. */
  get renewalFailure(): string | undefined {
    return this.#renewalFailure;
  }

  /** @param reason may have words of the agent in it */
  set renewalFailure(reason: string | undefined) {
    this.#renewalFailure = reason === undefined ? undefined : peerText(reason);
  }

  /** For listAgentLinks. */
  get linkStatus(): LinkStatus {
    const { failovers, lastLoss } = this.#identity;
    const [since, lastPing, roundTripMs] = [this.#readySince, this.#lastPing, this.#roundTripMs];
    const { lag, renewalFailure } = this;
    return { hostId: this.host.id, since, lastPing, roundTripMs, failovers, lastLoss, lag, renewalFailure };
  }

  /** How often the agent pings: as its StartupAnswer has told it, whatever the configuration says by now. */
  get pingIntervalMs(): number {
    return this.#identity.pingIntervalSeconds * 1_000;
  }

  /** Ready 2 is answered. */
  becameReady(): void {
    this.#readySince = this.#clock.wallTime();
    this.pinged(undefined);
  }

  /** The agent has pinged. @param roundTripMs of its ping before this one */
  pinged(roundTripMs: number | undefined): void {
    this.#lastPing = this.#clock.wallTime();
    if (roundTripMs !== undefined) this.#roundTripMs = roundTripMs;
    this.note({ kind: 'ping' });
  }

  /** Something has happened to the agent. @returns what is to be done */
  note(event: AttacheEvent): AttacheEffect | undefined {
    const { state, effect } = next(this.#state, event, this.#clock.now());
    this.#state = state;
    return effect;
  }

  /**
   * Sends commands in one packet, and waits for the packet that answers them: for the longest `wait` among them (60 s when
   * none has one) and 10 s more.
   * @throws LinkError LINK_CLOSED, ANSWER_TIMEOUT, QUEUE_FULL, TOO_MANY_REQUESTS; ProtocolError BODY_*; the signal's reason
   */
  async ask(commands: readonly Message[], { inSequence = false, signal }: AskOptions = {}): Promise<Packet> {
    const send = () => untilAborted(this.#request(commands, inSequence ? FLAG.inSequence : 0), signal);
    return inSequence ? this.#inTurn(send, signal) : send();
  }

  /** Whether the agent carries out each `commandId` once, however often it gets it. */
  get isRepeatable(): boolean {
    return this.can(AGENT_CAPABILITIES.commandIds);
  }

  /** Whether its Startup has named a capability. */
  can(capability: string): boolean {
    return this.#identity.capabilities.has(capability);
  }

  /**
   * Sends commands that were written elsewhere, and gives their answer back as it comes.
   * @throws LinkError LINK_CLOSED, QUEUE_FULL, TOO_MANY_REQUESTS; ProtocolError BODY_TOO_LARGE; the signal's reason
   */
  passOn(body: RawBody, { flags, mgmtId, signal, recall, onSent }: PassOnOptions): Promise<RawBody> {
    const hostId = BigInt(this.host.id);
    const header = { flags, mgmtId: BigInt(mgmtId), agentId: hostId, via: hostId };
    let sent: bigint | undefined;
    const onRecall = () => {
      if (sent !== undefined) this.#cancel(sent, header);
    };
    const send = async () => {
      recall.addEventListener('abort', onRecall, { once: true });
      try {
        const answered = this.link.forward(body, header, {
          ...{ timeoutMs: MGMT_LIMITS.passedOnMs, signal },
          onSent(sequence) {
            sent = sequence;
            onSent();
          },
        });
        return (await answered).body;
      } finally {
        recall.removeEventListener('abort', onRecall);
      }
    };
    return (flags & FLAG.inSequence) === 0 ? send() : this.#inTurn(send, signal);
  }

  /** Asks the agent to end the commands of this packet. What does not arrive is not sent again: they go on to their end. */
  #cancel(sequence: bigint, { mgmtId, agentId, via }: RequestHeader): void {
    if (!this.can(AGENT_CAPABILITIES.cancel) || this.link.closed) return;
    const command = CancelCommand.encode({ sequence, reason: 'cancelled' });
    try {
      this.link.post([command], { flags: FLAG.control, mgmtId, agentId, via });
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
    }
  }

  /** @throws LinkError TOO_MANY_REQUESTS; the signal's reason */
  async #inTurn<T>(send: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#held >= MGMT_LIMITS.heldRequests) {
      throw new LinkError('TOO_MANY_REQUESTS', `${this.#held} requests in sequence wait for their turn already`);
    }
    this.#held++;
    try {
      const release = await this.#inSequence.acquire(signal);
      try {
        return await send();
      } finally {
        release();
      }
    } finally {
      this.#held--;
    }
  }

  /** Answers a request of the agent, with one answer for each command. */
  answer(request: Omit<Packet, 'messages'>, answers: readonly Message[]): void {
    this.link.answer(request, answers, { mgmtId: this.#identity.msid, via: BigInt(this.host.id) });
  }

  async #request(commands: readonly Message[], flags: number): Promise<Packet> {
    const hostId = BigInt(this.host.id);
    const header = { flags: flags | FLAG.stopOnError, mgmtId: this.#identity.msid, agentId: hostId, via: hostId };
    const sentAt = this.#clock.now();
    const answer = await this.link.request(commands, header, answerTimeMs(commands));
    this.#roundTripMs = Math.round((this.#clock.now() - sentAt) * 10) / 10;
    return answer;
  }
}

/** How long the answer to commands is waited for, in milliseconds. */
export function answerTimeMs(commands: readonly Message[]): number {
  const waits = commands.map(({ fields }) => (typeof fields.wait === 'number' ? fields.wait : 0));
  return (Math.max(...waits) || MGMT_LIMITS.defaultWaitSeconds) * 1_000 + MGMT_LIMITS.answerMarginMs;
}
