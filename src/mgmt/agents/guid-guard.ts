import { withinLimit } from '../../lib/abort.js';
import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import { CheckHealthCommand } from '../../protocol/index.js';
import type { EventSink } from '../cluster/events.js';
import { Refusals } from '../cluster/refusals.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { type Claimant, describeClaimant, isAnotherAgent } from '../hosts/claimant.js';
import type { KnownHosts } from '../hosts/known-hosts.js';
import type { ServerLife } from '../hosts/reconcile.js';
import type { AgentRow } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import type { Attache } from './attache.js';
import type { AttacheRegistry } from './attache-registry.js';

export interface GuidGuardParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly msid: number;
  readonly health: StoreHealth;
  readonly events: EventSink;
  readonly registry: Pick<AttacheRegistry, 'byGuid'>;
  readonly knownHosts: Pick<KnownHosts, 'get'>;
  /** Reads from the store what other servers have changed. Never rejects. */
  lookAgain(): Promise<void>;
  /** How another server looks from here. */
  lifeOf(msid: number): ServerLife;
  /** Has another server ask the link that it has of a host. @returns whether the agent has answered */
  answersElsewhere(host: LinkElsewhere): Promise<boolean>;
}

/** A Ready link that another server has. */
export interface LinkElsewhere {
  readonly hostId: number;
  readonly uuid: string;
  readonly msid: number;
}

/** Two agents with one guid: the one whose link is Ready and answers is established, and the newcomer is refused. */
export class GuidGuard {
  readonly #parts: GuidGuardParts;
  readonly #questions: Questions;
  /** By pair. */
  readonly #refusals: Refusals;

  constructor(parts: GuidGuardParts) {
    this.#parts = parts;
    this.#questions = new Questions(parts.clock);
    this.#refusals = new Refusals({ ...parts, everyMs: MGMT_LIMITS.guidEventMs, most: MGMT_LIMITS.guidPairs });
  }

  /**
   * Judges one Startup. The established agent is asked only when the newcomer is another one; when it does not answer,
   * the newcomer is the same machine come back. However many come at once, it is asked once, and not again for
   * `MGMT_LIMITS.guidAnswerHoldsMs` after it has answered. While the store is away, only this server's links are known.
   * Asking in vain takes seconds: who has come here or gone to another server meanwhile is asked there.
   * @returns why the newcomer may not have the guid; undefined: it may
   */
  async judge(guid: string, newcomer: Claimant): Promise<string | undefined> {
    const { clock, registry, answersElsewhere, lookAgain } = this.#parts;
    for (;;) {
      const here = registry.byGuid(guid);
      if (
        here !== undefined &&
        isAnotherAgent(newcomer, here.claimant) &&
        (await this.#questions.ask(here, () => answersHealth(clock, here)))
      ) {
        return this.#refuse(guid, here.claimant, newcomer);
      }
      // The established agent may have gone to another server a moment ago.
      if (this.#isAnotherThanKnown(guid, newcomer)) await lookAgain();
      const elsewhere = this.#elsewhere(guid);
      if (elsewhere !== undefined && isAnotherAgent(newcomer, elsewhere.claimant)) {
        const ask = () => answersElsewhere(elsewhere);
        if (await this.#questions.ask(`${elsewhere.hostId} at ${elsewhere.msid}`, ask))
          return this.#refuse(guid, elsewhere.claimant, newcomer);
        await lookAgain();
      }
      if (registry.byGuid(guid) === here && this.#elsewhere(guid)?.msid === elsewhere?.msid) return undefined;
    }
  }

  #isAnotherThanKnown(guid: string, newcomer: Claimant): boolean {
    const { health, knownHosts } = this.#parts;
    const row = knownHosts.get(guid);
    return !health.away && row !== undefined && isAnotherAgent(newcomer, claimantIn(row));
  }

  #elsewhere(guid: string): (LinkElsewhere & { readonly claimant: Claimant }) | undefined {
    const { health, knownHosts, lifeOf, msid: own } = this.#parts;
    const row = knownHosts.get(guid);
    if (health.away || row === undefined || row.msid === null || row.msid === own) return undefined;
    if (lifeOf(row.msid) !== 'up') return undefined;
    const { id: hostId, uuid, msid } = row;
    return { hostId, uuid, msid, claimant: claimantIn(row) };
  }

  #refuse(guid: string, established: Claimant, newcomer: Claimant): string {
    this.#tell(guid, describeClaimant(established), describeClaimant(newcomer));
    return `guid ${guid} is in use by the agent at ${describeClaimant(established)}`;
  }

  #tell(guid: string, agent: string, newcomer: string): void {
    this.#refusals.tell({
      key: [guid, ...[agent, newcomer].toSorted()],
      message: 'Two agents have the same guid; the newcomer is refused',
      fields: { guid, agent, newcomer },
      event: {
        type: 'AGENT.GUID.FIGHT',
        level: 'ERROR',
        description: `Two agents have the guid ${guid}: ${agent}, and ${newcomer}, which is refused`,
      },
    });
  }
}

/** The agent whose link became Ready last. */
function claimantIn({ linkAddress, instanceId }: Pick<AgentRow, 'linkAddress' | 'instanceId'>): Claimant {
  return { address: linkAddress ?? undefined, instanceId: instanceId ?? undefined };
}

/** Whether established agents answer: of those who ask about the same one, all get the answer to one question. */
class Questions {
  readonly #clock: Clock;
  readonly #asked = new Map<unknown, { readonly answer: Promise<boolean>; until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param about which agent, compared as the key of a map */
  async ask(about: unknown, question: () => Promise<boolean>): Promise<boolean> {
    const now = this.#clock.now();
    for (const [other, { until }] of this.#asked) if (now >= until) this.#asked.delete(other);
    const earlier = this.#asked.get(about);
    if (earlier !== undefined) return earlier.answer;
    const asked = { answer: question(), until: Number.POSITIVE_INFINITY };
    this.#asked.set(about, asked);
    try {
      const hasAnswered = await asked.answer;
      asked.until = hasAnswered ? this.#clock.now() + MGMT_LIMITS.guidAnswerHoldsMs : 0;
      return hasAnswered;
    } catch (error) {
      asked.until = 0;
      throw error;
    }
  }
}

/** Whether the agent answers CheckHealth in time, whatever it answers. */
export async function answersHealth(clock: Clock, attache: Attache): Promise<boolean> {
  const command = CheckHealthCommand.encode({ wait: MGMT_LIMITS.guidAnswerMs / 1_000 });
  const ask = (signal: AbortSignal) =>
    attache.ask([command], { signal }).then(
      () => true,
      () => false,
    );
  return withinLimit(clock, MGMT_LIMITS.guidAnswerMs, ask, () => false);
}
