import { type Clock, delay } from '../../lib/clock.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { HostIdentity, KnownHosts, RegisteredHost } from '../hosts/known-hosts.js';
import type { AgentStore } from '../store/agent-store.js';
import type { HostDescription } from '../store/store.js';
import { isAway, type StoreHealth } from '../store/store-health.js';
import { RegistrationBatches } from './registration-batches.js';

/** @param removedId the id that the host had before it was removed */
type ReturnListener = (host: HostIdentity, removedId: number) => void;

/** Gives agents their ids: from the store, or from memory while the store is away. */
export class Registrar {
  readonly #batches: RegistrationBatches;
  readonly #health: StoreHealth;
  readonly #known: KnownHosts;
  readonly #clock: Clock;
  readonly #onReturned: ReturnListener;

  /** @param onReturned called when a removed host has registered again */
  constructor(
    store: Pick<AgentStore, 'registerHosts'>,
    health: StoreHealth,
    known: KnownHosts,
    clock: Clock,
    onReturned: ReturnListener,
  ) {
    this.#batches = new RegistrationBatches(store, health);
    this.#health = health;
    this.#known = known;
    this.#clock = clock;
    this.#onReturned = onReturned;
  }

  /** The host was removed: its guid will come back under another id. */
  forget(id: number): void {
    this.#known.forget(id);
  }

  /**
   * @returns undefined when the store stays away, and the guid is not known
   * @throws StoreError STORE_VALUE_REFUSED, STORE_CLOSED
   */
  async register(description: HostDescription): Promise<RegisteredHost | undefined> {
    const deadline = this.#clock.now() + MGMT_LIMITS.registrationMs;
    for (;;) {
      const known = this.#known.get(description.guid);
      // Asking a store that is away costs each agent two seconds, and a thousand of them would wait for each other.
      if (known && this.#health.away) return registered(known, undefined);
      try {
        const { host, removedId } = await this.#batches.register(description);
        if (removedId !== undefined) this.#onReturned(host, removedId);
        const connectingEpoch = host.status === 'Connecting' ? host.epoch : undefined;
        return registered(this.#known.learn(host), connectingEpoch);
      } catch (error) {
        if (!isAway(error)) throw error;
        if (known) return registered(known, undefined);
      }
      if (this.#clock.now() + MGMT_LIMITS.registrationRetryMs > deadline) return undefined;
      await delay(this.#clock, MGMT_LIMITS.registrationRetryMs);
    }
  }
}

function registered(
  { id, uuid, name, zoneId, clusterId }: HostIdentity,
  connectingEpoch: number | undefined,
): RegisteredHost {
  return { id, uuid, name, zoneId, clusterId, connectingEpoch };
}
