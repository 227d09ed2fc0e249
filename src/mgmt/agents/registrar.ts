import { networkOf } from '../../lib/address.js';
import type { Log } from '../../lib/logger.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { HostIdentity, KnownHosts, RegisteredHost } from '../hosts/known-hosts.js';
import { pause } from '../store/pause.js';
import type { HostDescription } from '../store/store.js';
import { isAway } from '../store/store-health.js';
import { NetworkAllowance } from './network-allowance.js';
import { RegistrationBatches, type RegistrationBatchesParts } from './registration-batches.js';

export interface RegistrarParts extends RegistrationBatchesParts {
  readonly knownHosts: KnownHosts;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  readonly log: Log;
  /** `agent.new.hosts.per.address`; 0: any number. */
  newHostsPerHour(): number;
  /** A removed host has registered again. @param removedId the id that it had before */
  onReturned(host: HostIdentity, removedId: number): void;
}

/** Gives agents their ids: from the store, or from memory while the store is away. */
export class Registrar {
  readonly #parts: RegistrarParts;
  readonly #batches: RegistrationBatches;
  readonly #allowance = new NetworkAllowance();
  /** Zone, pod and cluster of hosts that were registered: they need no new rows. */
  readonly #locations = new Set<string>();
  #refused = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(parts: RegistrarParts) {
    this.#parts = parts;
    this.#batches = new RegistrationBatches(parts);
  }

  /** The host was removed: its guid will come back under another id. */
  forget(id: number): void {
    this.#parts.knownHosts.forget(id);
  }

  /**
   * @param address of the agent
   * @returns undefined when the store stays away, and the guid is not known
   * @throws Error the guid is not known, and agents of this address have registered too many that were not
   * @throws StoreError STORE_VALUE_REFUSED, STORE_CLOSED
   */
  async register(description: HostDescription, address: string): Promise<RegisteredHost | undefined> {
    const { clock, knownHosts } = this.#parts;
    const network = networkOf(address);
    const perHour = this.#parts.newHostsPerHour();
    const location = JSON.stringify([description.zoneId, description.pod, description.cluster]);
    const known = knownHosts.get(description.guid);
    const newRows = (known === undefined ? 1 : 0) + (this.#locations.has(location) ? 0 : 1);
    if (perHour > 0 && newRows > 0 && !this.#allowance.take(network, newRows, { now: clock.now(), perHour })) {
      this.#tell(network, perHour);
      // Its row stays as it is.
      if (known) return registered(known, undefined);
      throw new Error(`agents of ${network} have registered too many new hosts`);
    }
    let isRegistered = false;
    try {
      const host = await this.#registerInStore(description);
      isRegistered = host?.isInStore === true;
      return host?.host;
    } finally {
      if (!isRegistered) this.#allowance.giveBack(network, newRows);
      else if (this.#locations.size < MGMT_LIMITS.knownLocations) this.#locations.add(location);
    }
  }

  async #registerInStore(
    description: HostDescription,
  ): Promise<{ readonly host: RegisteredHost; readonly isInStore: boolean } | undefined> {
    const { clock, health, knownHosts } = this.#parts;
    const deadline = clock.now() + MGMT_LIMITS.registrationMs;
    for (;;) {
      const known = knownHosts.get(description.guid);
      // Asking a store that is away costs each agent two seconds, and a thousand of them would wait for each other.
      if (known && health.away) return { host: registered(known, undefined), isInStore: false };
      try {
        const { host, removedId } = await this.#batches.register(description);
        if (removedId !== undefined) this.#parts.onReturned(host, removedId);
        const connectingEpoch = host.status === 'Connecting' ? host.epoch : undefined;
        return { host: registered(knownHosts.learn(host), connectingEpoch), isInStore: true };
      } catch (error) {
        if (!isAway(error)) throw error;
        if (known) return { host: registered(known, undefined), isInStore: false };
      }
      if (clock.now() + MGMT_LIMITS.registrationRetryMs > deadline) return undefined;
      await pause(this.#parts, MGMT_LIMITS.registrationRetryMs);
    }
  }

  #tell(network: string, perHour: number): void {
    const { clock, log } = this.#parts;
    this.#refused++;
    if (clock.now() - this.#toldAt < MGMT_LIMITS.rowWarningMs) return;
    this.#toldAt = clock.now();
    log.warn('An address has registered as many new hosts as it may: agents that are not known must wait', {
      address: network,
      'agent.new.hosts.per.address': perHour,
      refusedSinceStart: this.#refused,
    });
  }
}

function registered(
  { id, uuid, name, zoneId, clusterId }: HostIdentity,
  connectingEpoch: number | undefined,
): RegisteredHost {
  return { id, uuid, name, zoneId, clusterId, connectingEpoch };
}
