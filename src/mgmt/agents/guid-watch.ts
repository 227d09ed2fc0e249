import type { Clock } from '../../lib/clock.js';
import type { Log } from '../../lib/logger.js';
import type { EventSink } from '../cluster/events.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { type Claimant, claimGuid, type GuidRules, type GuidState, isSame, isStale } from './guid-fight.js';

const RULES: GuidRules = { changes: MGMT_LIMITS.guidChanges, withinMs: MGMT_LIMITS.guidFightMs };

/** Notices two agents that have one guid, and tells the operator once per fight. */
export class GuidWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #events: EventSink;
  readonly #states = new Map<string, GuidState>();

  constructor(clock: Clock, log: Log, events: EventSink) {
    this.#clock = clock;
    this.#log = log;
    this.#events = events;
  }

  /** @returns why the claimant may not have the guid now; undefined when it may */
  claim(guid: string, claimant: Claimant): string | undefined {
    const { state, verdict } = claimGuid(this.#states.get(guid), claimant, this.#clock.now(), RULES);
    this.#states.set(guid, state);
    if (verdict.kind === 'welcome') return undefined;
    if (verdict.isFirst) {
      this.#log.error('Two agents have the same guid; the newcomer is refused', {
        guid,
        agent: describe(verdict.holder),
        newcomer: describe(claimant),
        refusedForSeconds: verdict.waitMs / 1_000,
      });
      this.#events.add({
        type: 'AGENT.GUID.FIGHT',
        level: 'ERROR',
        description: `Two agents have the guid ${guid}: ${describe(verdict.holder)}, and ${describe(claimant)}, which is refused`,
      });
    }
    return `guid ${guid} is in use by the agent at ${describe(verdict.holder)}`;
  }

  /** The agent has said goodbye: whoever comes next is no rival. */
  release(guid: string, claimant: Claimant): void {
    const state = this.#states.get(guid);
    if (state && isSame(state.holder, claimant)) this.#states.delete(guid);
  }

  /** Forgets what no longer matters. @param isConnected whether an agent with this guid is Ready here */
  forgetStale(isConnected: (guid: string) => boolean): void {
    for (const [guid, state] of this.#states) {
      if (!isConnected(guid) && isStale(state, this.#clock.now(), RULES)) this.#states.delete(guid);
    }
  }
}

function describe({ address, instanceId }: Claimant): string {
  return instanceId === undefined ? address : `${address} (process ${instanceId})`;
}
