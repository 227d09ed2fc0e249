import { setImmediate } from 'node:timers/promises';
import { type Clock, delay } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { SetupMSListCommand } from '../protocol/index.js';
import type { Attache } from './attache.js';
import { Gate } from './gate.js';
import { formatHostList, type HostList } from './host-list.js';
import { isSameWanted, type Wanted } from './placement.js';

export interface PropagationWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly attaches: Iterable<Attache> & { get(hostId: number): Attache | undefined };
  wanted(attache: Attache): Wanted;
  /** The agent has acknowledged it. */
  onAcknowledged(attache: Attache, wanted: Wanted): void;
}

/** Agents that are told at once: more would only stand in line on the wire. */
const CONCURRENCY = 256;
/** Agents that are compared before others get a turn. */
const COMPARED_PER_TURN = 500;
const WAIT_SECONDS = 60;
/** After a failure the agent is told again, then it is a laggard until the next change or its next Ready. */
const RETRIES_MS = [5_000, 15_000, 60_000];

/** Tells connected agents what has changed for them: exactly those whose list, algorithm, interval or avoid list did. */
export class Propagation {
  readonly #world: PropagationWorld;
  readonly #gate = new Gate(CONCURRENCY);
  /** Hosts that are being told, so that nobody is told twice at once. */
  readonly #telling = new Set<number>();
  #isComparing = false;
  #isStale = false;

  constructor(world: PropagationWorld) {
    this.#world = world;
  }

  /** Something has changed that lists depend on. */
  changed(): void {
    this.#isStale = true;
    if (!this.#isComparing) void this.#compareAll();
  }

  /** Tells one agent to check its preferred host now; it moves there if it can. @throws LinkError, Error: it said no */
  async trigger(attache: Attache): Promise<void> {
    await this.#send(attache, this.#world.wanted(attache), true);
  }

  async #compareAll(): Promise<void> {
    this.#isComparing = true;
    while (this.#isStale) {
      this.#isStale = false;
      let compared = 0;
      let told = 0;
      for (const attache of [...this.#world.attaches]) {
        if (this.#tellIfChanged(attache)) told++;
        if (++compared % COMPARED_PER_TURN === 0) await setImmediate();
      }
      if (told > 0) this.#world.log.info('Telling agents what has changed', { agents: told, connected: compared });
    }
    this.#isComparing = false;
  }

  #tellIfChanged(attache: Attache): boolean {
    if (this.#telling.has(attache.host.id) || !this.#isBehind(attache)) return false;
    this.#telling.add(attache.host.id);
    void this.#gate
      .run(() => this.#tell(attache))
      .finally(() => {
        this.#telling.delete(attache.host.id);
        // It may have changed once more meanwhile.
        if (attache.lag === undefined) this.#tellIfChanged(attache);
      });
    return true;
  }

  #isBehind(attache: Attache): boolean {
    const { held, link } = attache;
    return held !== undefined && link.closed === undefined && !isSameWanted(held, this.#world.wanted(attache));
  }

  async #tell(attache: Attache): Promise<void> {
    const { clock, log } = this.#world;
    for (const retryMs of [...RETRIES_MS, undefined]) {
      // An agent that was lost meanwhile gets it at Ready.
      if (!this.#isBehind(attache)) return;
      try {
        await this.#send(attache, this.#world.wanted(attache), false);
        attache.lag = undefined;
        return;
      } catch (error) {
        attache.lag = reasonOf(error);
        if (attache.link.closed) return;
        log.warn('An agent has not taken its new list', { hostId: attache.host.id, reason: attache.lag, retryMs });
      }
      if (retryMs !== undefined) await delay(clock, retryMs);
    }
  }

  async #send(attache: Attache, wanted: Wanted, triggerHostLb: boolean): Promise<void> {
    const command = SetupMSListCommand.encode({
      msList: wanted.servers,
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

/** What the store keeps of a list. */
export function storedList(list: HostList): string | null {
  return list.servers.length === 0 ? null : formatHostList(list);
}
