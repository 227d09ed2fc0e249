import { sharedAbortController } from '../../lib/abort.js';
import { type Clock, delay } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { Semaphore } from '../../lib/semaphore.js';
import { peerTextIn } from '../../lib/text/peer-text.js';
import { formatHostList, type HostList } from '../../protocol/host-list.js';
import { type Link, type Message, type Packet, SetupMSListCommand } from '../../protocol/index.js';
import type { HostIdentity } from '../hosts/known-hosts.js';
import { type AgentList, isSameAgentList } from './agent-list.js';
import type { AgentLists } from './agent-lists.js';
import { TurnLimit } from './turn-limit.js';

/** A Ready agent, as far as its list goes; an attache is one. */
export interface ListedAgent {
  readonly host: HostIdentity;
  readonly link: Pick<Link, 'closed'>;
  /** The list that it has; undefined before Ready 2 is answered. */
  held: AgentList | undefined;
  /** Why it has not taken the list that it should have; undefined when it has. */
  lag: string | undefined;
  ask(commands: readonly Message[]): Promise<Packet>;
}

export interface PropagationParts<A extends ListedAgent> {
  readonly clock: Clock;
  readonly log: Log;
  readonly lists: Pick<AgentLists, 'listFor' | 'onChange'>;
  /** The Ready agents of this server. */
  readonly agents: Iterable<A>;
  /** The agent has acknowledged the list. */
  onAcknowledged(agent: A, list: AgentList): void;
}

/** Agents that are told at once. */
const CONCURRENCY = 256;
/** An agent that has not answered by then gives its permit to the next one. */
const TURN_MS = 2_000;
/** Agents that are compared in one turn of the event loop, and agents that begin to be told in one: some milliseconds of work. */
const COMPARED_PER_TURN = 100;
const TOLD_PER_TURN = 32;
const WAIT_SECONDS = 60;
/** After a failure the agent is told again, then it is a laggard until the next change or its next Ready. */
const RETRIES_MS = [5_000, 15_000, 60_000];

/** Tells connected agents what has changed for them: exactly those whose list, algorithm, interval or avoid list did. */
export class Propagation<A extends ListedAgent = ListedAgent> {
  readonly #parts: PropagationParts<A>;
  readonly #permits = new Semaphore(CONCURRENCY);
  readonly #loopTurns: TurnLimit;
  /** Agents that are being told, so that none is told twice at once; a newer link of the same host is another agent. */
  readonly #telling = new Set<A>();
  /** Each agent that waits to be told again listens to it. */
  readonly #stop = sharedAbortController();
  #isComparing = false;
  #isStale = false;

  constructor(parts: PropagationParts<A>) {
    this.#parts = parts;
    this.#loopTurns = new TurnLimit(parts.clock, TOLD_PER_TURN);
    parts.lists.onChange(() => this.compare());
  }

  /** Compares all agents with what they should have, and tells those that differ. */
  compare(): void {
    this.#isStale = true;
    if (!this.#isComparing) void this.#compareAll();
  }

  /** The agent is Ready: something may have changed between its Ready's way out and the answer. */
  check(agent: A): void {
    this.#tellIfChanged(agent);
  }

  /** Tells one agent to check its preferred host now; it moves there if it can. @throws LinkError, Error: it said no */
  async trigger(agent: A): Promise<void> {
    await this.#send(agent, this.#listFor(agent), true);
  }

  /** Agents that are being told, or wait for their turn or for being told again. */
  get inFlight(): number {
    return this.#telling.size;
  }

  /** Whether the agent has not taken the list that it should have, as far as it was compared. */
  isBehind(agent: A): boolean {
    return agent.lag !== undefined || this.#telling.has(agent);
  }

  /** Nobody is told any more. */
  stop(): void {
    this.#stop.abort();
  }

  #listFor({ host, held }: A): AgentList {
    return this.#parts.lists.listFor(host, { held });
  }

  async #compareAll(): Promise<void> {
    this.#isComparing = true;
    while (this.#isStale && !this.#stop.signal.aborted) {
      this.#isStale = false;
      let compared = 0;
      let told = 0;
      for (const agent of [...this.#parts.agents]) {
        if (this.#tellIfChanged(agent)) told++;
        if (++compared % COMPARED_PER_TURN === 0) await this.#parts.clock.turn();
      }
      if (told > 0) this.#parts.log.info('Telling agents what has changed', { agents: told, connected: compared });
    }
    this.#isComparing = false;
  }

  #tellIfChanged(agent: A): boolean {
    const { held, link } = agent;
    if (this.#telling.has(agent) || held === undefined || link.closed || this.#stop.signal.aborted) return false;
    const list = this.#listFor(agent);
    if (isSameAgentList(held, list)) {
      // It has the list of the newest configuration, from which on a `roundrobin` stays as it is.
      agent.held = list;
      // What it had not taken is no longer asked of it.
      agent.lag = undefined;
      return false;
    }
    this.#telling.add(agent);
    void this.#tell(agent).then(last => {
      this.#telling.delete(agent);
      // It may have changed once more meanwhile; what the agent would not take it is not told again.
      const isNews = agent.lag === undefined || (last && !isSameAgentList(last, this.#listFor(agent)));
      if (isNews) this.#tellIfChanged(agent);
    });
    return true;
  }

  /** @returns what it was told last */
  async #tell(agent: A): Promise<AgentList | undefined> {
    const { clock, log } = this.#parts;
    let last: AgentList | undefined;
    for (const retryMs of [...RETRIES_MS, undefined]) {
      const turn = await this.#permits.run(() => this.#begin(agent));
      // It has it, or was lost meanwhile: then it gets it at Ready.
      if (turn === undefined) break;
      last = turn.list;
      try {
        await turn.sent;
        break;
      } catch (error) {
        if (agent.link.closed) return last;
        agent.lag = reasonOf(error);
        log.warn('An agent has not taken its new list', { hostId: agent.host.id, reason: agent.lag, retryMs });
      }
      if (retryMs === undefined) return last;
      await delay(clock, retryMs, this.#stop.signal);
    }
    agent.lag = undefined;
    return last;
  }

  /** Keeps its permit until the agent has answered, or its turn is over. */
  async #begin(agent: A): Promise<{ readonly list: AgentList; readonly sent: Promise<void> } | undefined> {
    await this.#loopTurns.enter();
    const list = this.#listFor(agent);
    if (this.#stop.signal.aborted || agent.link.closed || isHeld(agent, list)) return undefined;
    const sent = this.#send(agent, list, false);
    // How it ends is for the caller. No `withinLimit`: its signal would be a twentieth of what an agent costs here.
    await new Promise<void>(resolve => {
      const late = this.#parts.clock.after(TURN_MS, resolve);
      const done = () => {
        late.cancel();
        resolve();
      };
      sent.then(done, done);
    });
    return { list, sent };
  }

  async #send(agent: A, list: AgentList, triggerHostLb: boolean): Promise<void> {
    const command = SetupMSListCommand.encode({
      msList: list.hosts,
      avoidMsList: list.avoid,
      lbAlgorithm: list.algorithm,
      lbCheckInterval: list.checkIntervalSeconds,
      triggerHostLb,
      wait: WAIT_SECONDS,
    });
    const { messages } = await agent.ask([command]);
    const [answer] = messages;
    if (answer?.fields.result !== true) {
      const details = peerTextIn(answer?.fields.details);
      throw new Error(`the agent refused its list${details === undefined ? '' : `: ${details}`}`);
    }
    agent.held = list;
    this.#parts.onAcknowledged(agent, list);
  }
}

function isHeld({ held }: ListedAgent, list: AgentList): boolean {
  return held !== undefined && isSameAgentList(held, list);
}

/** What the store keeps of a list. */
export function storedList(list: HostList): string | null {
  return list.hosts.length === 0 ? null : formatHostList(list);
}
