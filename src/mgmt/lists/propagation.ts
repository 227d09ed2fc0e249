import { setMaxListeners } from 'node:events';
import { type Clock, delay } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { Semaphore } from '../../lib/semaphore.js';
import { formatHostList, type HostList } from '../../protocol/host-list.js';
import { SetupMSListCommand } from '../../protocol/index.js';
import type { Attache } from '../agents/attache.js';
import { isSameWanted, type Wanted } from './agent-list.js';

export interface PropagationParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly attaches: Iterable<Attache>;
  wanted(attache: Attache): Wanted;
  /** The agent has acknowledged it. */
  onAcknowledged(attache: Attache, wanted: Wanted): void;
}

/** Agents that are told at once: more would only stand in line on the wire. */
const CONCURRENCY = 256;
/** One that has not answered by then does not keep the others from their turn. */
const TURN_MS = 2_000;
/** Agents that are compared before others get a turn. */
const COMPARED_PER_TURN = 500;
const WAIT_SECONDS = 60;
/** After a failure the agent is told again, then it is a laggard until the next change or its next Ready. */
const RETRIES_MS = [5_000, 15_000, 60_000];

/** Tells connected agents what has changed for them: exactly those whose list, algorithm, interval or avoid list did. */
export class Propagation {
  readonly #world: PropagationParts;
  readonly #gate = new Semaphore(CONCURRENCY);
  /** Hosts that are being told, so that nobody is told twice at once. */
  readonly #telling = new Set<number>();
  readonly #stop = new AbortController();
  #isComparing = false;
  #isStale = false;

  constructor(world: PropagationParts) {
    this.#world = world;
    // Each agent that waits to be told again listens to it.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Something has changed that lists depend on. */
  changed(): void {
    this.#isStale = true;
    if (!this.#isComparing) void this.#compareAll();
  }

  /** The agent is Ready: something may have changed between its Ready's way out and the answer. */
  check(attache: Attache): void {
    this.#tellIfChanged(attache);
  }

  /** Tells one agent to check its preferred host now; it moves there if it can. @throws LinkError, Error: it said no */
  async trigger(attache: Attache): Promise<void> {
    await this.#send(attache, this.#world.wanted(attache), true);
  }

  /** Nobody is told any more. */
  stop(): void {
    this.#stop.abort();
  }

  async #compareAll(): Promise<void> {
    this.#isComparing = true;
    while (this.#isStale && !this.#stop.signal.aborted) {
      this.#isStale = false;
      let compared = 0;
      let told = 0;
      for (const attache of [...this.#world.attaches]) {
        if (this.#tellIfChanged(attache)) told++;
        if (++compared % COMPARED_PER_TURN === 0) await this.#world.clock.turn();
      }
      if (told > 0) this.#world.log.info('Telling agents what has changed', { agents: told, connected: compared });
    }
    this.#isComparing = false;
  }

  #tellIfChanged(attache: Attache): boolean {
    const { host, held, link } = attache;
    if (this.#telling.has(host.id) || held === undefined || link.closed || this.#stop.signal.aborted) return false;
    if (isSameWanted(held, this.#world.wanted(attache))) {
      // What it had not taken is no longer asked of it.
      attache.lag = undefined;
      return false;
    }
    this.#telling.add(host.id);
    void this.#tell(attache).then(last => {
      this.#telling.delete(host.id);
      // It may have changed once more meanwhile; what the agent would not take it is not told again.
      const isNews = attache.lag === undefined || (last && !isSameWanted(last, this.#world.wanted(attache)));
      if (isNews) this.#tellIfChanged(attache);
    });
    return true;
  }

  /** @returns what it was told last */
  async #tell(attache: Attache): Promise<Wanted | undefined> {
    const { clock, log } = this.#world;
    let last: Wanted | undefined;
    for (const retryMs of [...RETRIES_MS, undefined]) {
      const turn = await this.#gate.run(() => this.#begin(attache));
      // It has it, or was lost meanwhile: then it gets it at Ready.
      if (turn === undefined) break;
      last = turn.wanted;
      try {
        await turn.sent;
        break;
      } catch (error) {
        if (attache.link.closed) return last;
        attache.lag = reasonOf(error);
        log.warn('An agent has not taken its new list', { hostId: attache.host.id, reason: attache.lag, retryMs });
      }
      if (retryMs === undefined) return last;
      await delay(clock, retryMs, this.#stop.signal);
    }
    attache.lag = undefined;
    return last;
  }

  /** Keeps its place in the gate until the agent has answered, or its turn is over. */
  async #begin(attache: Attache): Promise<{ readonly wanted: Wanted; readonly sent: Promise<void> } | undefined> {
    const wanted = this.#world.wanted(attache);
    if (this.#stop.signal.aborted || attache.link.closed || isHeld(attache, wanted)) return undefined;
    const sent = this.#send(attache, wanted, false);
    await within(this.#world.clock, TURN_MS, sent);
    return { wanted, sent };
  }

  async #send(attache: Attache, wanted: Wanted, triggerHostLb: boolean): Promise<void> {
    const command = SetupMSListCommand.encode({
      msList: wanted.hosts,
      avoidMsList: wanted.avoid,
      lbAlgorithm: wanted.algorithm,
      lbCheckInterval: wanted.checkIntervalSeconds,
      triggerHostLb,
      wait: WAIT_SECONDS,
    });
    const { messages } = await attache.ask([command]);
    const [answer] = messages;
    if (answer?.fields.result !== true) {
      const details = answer?.fields.details;
      throw new Error(`the agent refused its list${typeof details === 'string' ? `: ${details}` : ''}`);
    }
    attache.held = wanted;
    this.#world.onAcknowledged(attache, wanted);
  }
}

function isHeld({ held }: Attache, wanted: Wanted): boolean {
  return held !== undefined && isSameWanted(held, wanted);
}

/** Until the work has ended, however it does, or the time is over. */
async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const ended = work.then(
    () => over.abort(),
    () => over.abort(),
  );
  await Promise.race([ended, delay(clock, ms, over.signal)]);
}

/** What the store keeps of a list. */
export function storedList(list: HostList): string | null {
  return list.hosts.length === 0 ? null : formatHostList(list);
}
