import { untilAborted } from '../../lib/abort.js';
import type { Clock } from '../../lib/clock.js';
import { Semaphore } from '../../lib/semaphore.js';
import { FLAG, type Link, LinkError, type Message, type Packet } from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { RegisteredHost } from '../hosts/known-hosts.js';
import type { LinkFact } from '../hosts/link-facts.js';
import type { AgentList } from '../lists/agent-list.js';
import { type AttacheEffect, type AttacheEvent, type AttacheState, next } from './attache-state.js';
import type { Claimant } from './guid-fight.js';

/** What stays the same about a connected agent as long as its link lasts. */
export interface AttacheIdentity {
  readonly guid: string;
  readonly host: RegisteredHost;
  readonly claimant: Claimant;
  readonly msid: bigint;
  /** What the agent says of its links before this one. */
  readonly failovers: number | undefined;
  readonly lastLoss: string | undefined;
}

export interface AskOptions {
  /** Wait until the request in sequence before this one is answered, has timed out or is cancelled. @default false */
  readonly inSequence?: boolean;
  /** Gives up; what is on its way to the agent stays there. */
  readonly signal?: AbortSignal;
}

/** The server's object for one connected agent: asks it things, and knows how it is doing. */
export class Attache {
  readonly guid: string;
  readonly host: RegisteredHost;
  readonly claimant: Claimant;
  readonly link: Link;
  readonly #facts: AttacheIdentity;
  readonly #clock: Clock;
  /** By the machine's clock. */
  #readySince: number;
  #lastPing: number;
  #roundTripMs: number | undefined;
  /** What the agent has, as of Ready 2 or its last acknowledgement. */
  held: AgentList | undefined;
  /** Why it has not taken what it should have by now. */
  lag: string | undefined;
  #state: AttacheState;
  /** One request in sequence at a time. */
  readonly #inSequence = new Semaphore();
  #held = 0;

  constructor(link: Link, facts: AttacheIdentity, clock: Clock) {
    this.guid = facts.guid;
    this.host = facts.host;
    this.claimant = facts.claimant;
    this.link = link;
    this.#facts = facts;
    this.#clock = clock;
    this.#readySince = clock.wallTime();
    this.#lastPing = this.#readySince;
    this.#state = { kind: 'alive', heardAt: clock.now() };
  }

  get state(): AttacheState {
    return this.#state;
  }

  /** For listAgentLinks. */
  get fact(): LinkFact {
    const { failovers, lastLoss } = this.#facts;
    const [since, lastPing, roundTripMs] = [this.#readySince, this.#lastPing, this.#roundTripMs];
    return { hostId: this.host.id, since, lastPing, roundTripMs, failovers, lastLoss, lag: this.lag };
  }

  /** Ready 2 is answered. */
  becameReady(): void {
    this.#readySince = this.#clock.wallTime();
    this.pinged(undefined);
  }

  /** The agent pinged. @param roundTripMs as it measured the last one */
  pinged(roundTripMs: number | undefined): void {
    this.#lastPing = this.#clock.wallTime();
    if (roundTripMs !== undefined) this.#roundTripMs = roundTripMs;
    this.note({ kind: 'ping' });
  }

  /** @returns what is to be done about it */
  note(event: AttacheEvent): AttacheEffect | undefined {
    const { state, effect } = next(this.#state, event, this.#clock.now());
    this.#state = state;
    return effect;
  }

  /**
   * Sends commands, and waits for the packet that answers them: as long as the longest `wait` among them, and a margin.
   * @throws LinkError, ProtocolError, and the signal's reason
   */
  async ask(commands: readonly Message[], { inSequence = false, signal }: AskOptions = {}): Promise<Packet> {
    if (!inSequence) return untilAborted(this.#request(commands, 0), signal);
    if (this.#held >= MGMT_LIMITS.heldRequests) {
      throw new LinkError('TOO_MANY_REQUESTS', `${this.#held} requests in sequence wait for their turn already`);
    }
    this.#held++;
    try {
      const release = await this.#inSequence.acquire(signal);
      try {
        return await untilAborted(this.#request(commands, FLAG.inSequence), signal);
      } finally {
        release();
      }
    } finally {
      this.#held--;
    }
  }

  /** Answers a request of the agent's, whole. */
  answer(request: Omit<Packet, 'messages'>, answers: readonly Message[]): void {
    this.link.answer(request, answers, { mgmtId: this.#facts.msid, via: BigInt(this.host.id) });
  }

  async #request(commands: readonly Message[], flags: number): Promise<Packet> {
    const hostId = BigInt(this.host.id);
    const header = { flags: flags | FLAG.stopOnError, mgmtId: this.#facts.msid, agentId: hostId, via: hostId };
    const sentAt = this.#clock.now();
    const answer = await this.link.request(commands, header, answerTimeMs(commands));
    this.#roundTripMs = Math.round((this.#clock.now() - sentAt) * 10) / 10;
    return answer;
  }
}

function answerTimeMs(commands: readonly Message[]): number {
  const waits = commands.map(({ fields }) => (typeof fields.wait === 'number' ? fields.wait : 0));
  return (Math.max(...waits) || MGMT_LIMITS.defaultWaitSeconds) * 1_000 + MGMT_LIMITS.answerMarginMs;
}
