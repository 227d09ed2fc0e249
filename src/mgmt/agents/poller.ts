import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { readConfiguration } from '../config/parameters.js';
import { ContestedHosts } from '../hosts/contested-hosts.js';
import { type HostChange, HostWatch } from '../hosts/host-watch.js';
import type { KnownHosts } from '../hosts/known-hosts.js';
import type { Ownership } from '../hosts/ownership.js';
import type { Zones } from '../hosts/zones.js';
import type { AgentLists } from '../lists/agent-lists.js';
import type { AgentStore } from '../store/agent-store.js';
import type { Configuration as StoredConfiguration } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import type { AttacheRegistry } from './attache-registry.js';

export interface PollerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly msid: number;
  readonly store: Pick<AgentStore, 'configuration' | 'clusters' | 'hostsChanged'>;
  readonly health: StoreHealth;
  readonly lists: AgentLists;
  readonly zones: Zones;
  readonly knownHosts: KnownHosts;
  readonly registry: AttacheRegistry;
  readonly ownership: Ownership;
  /** Whether the server with this msid lives: it may have hosts, also while it drains. */
  isUp(msid: number): boolean;
}

/**
 * Follows the store: configuration, zones, hosts, and who has them, whoever changed them. It reads all that an agent
 * needs to become Ready while the store is away.
 */
export class Poller {
  readonly #parts: PollerParts;
  readonly #hosts: HostWatch;
  readonly #contested = new ContestedHosts();
  #polling: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: PollerParts) {
    this.#parts = parts;
    this.#hosts = new HostWatch(parts.store, {
      onRemoved: host => this.#forget(host),
      onChanged: host => this.#compare(host),
    });
  }

  /** Reads what the store has, for the first time. @throws StoreError */
  async read(): Promise<void> {
    const { store, lists } = this.#parts;
    lists.take(lists.configuration, await store.clusters());
    await this.#readHosts();
  }

  /** Reads on from now on. */
  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(MGMT_LIMITS.pollMs, () => void this.poll().finally(() => this.start()));
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Reads at once what the next poll would. In turns: what an earlier one has read is older. */
  poll(): Promise<void> {
    this.#polling = this.#polling.then(() => this.#poll());
    return this.#polling;
  }

  async #poll(): Promise<void> {
    const { clock, health, log, registry } = this.#parts;
    try {
      await health.watch(() => this.#readConfiguration());
      await health.watch(() => this.#readHosts());
      for (const hostId of this.#contested.due(clock.now())) {
        registry.get(hostId)?.link.close('another management server has the host');
      }
    } catch (error) {
      log.debug('The store could not be polled', { reason: reasonOf(error) });
    }
  }

  async #readConfiguration(): Promise<void> {
    const { store, lists, registry } = this.#parts;
    const stored = await store.configuration();
    if (stored.version === lists.configuration.version) return;
    // Assignments were written ahead of the configuration that they belong to.
    await this.#readHosts();
    const clusters = await store.clusters();
    lists.take(this.#usable(stored), clusters);
    // Hosts that registered while all were computed anew.
    for (const { host } of registry) lists.assign(host);
  }

  #usable(stored: StoredConfiguration) {
    const { log, lists } = this.#parts;
    const { configuration, invalid } = readConfiguration(stored, lists.configuration);
    log.info('Configuration changed', { version: configuration.version });
    for (const { name, text, reason } of invalid) {
      log.error('The store has a value that cannot be used; the former one stays', { name, value: text, reason });
    }
    return configuration;
  }

  async #readHosts(): Promise<void> {
    const { lists, zones, knownHosts } = this.#parts;
    const names = lists.configuration.values.zones;
    await zones.learn(names);
    await knownHosts.readOn();
    await this.#hosts.poll();
    for (const name of names) {
      const zone = zones.find(name, names);
      if (zone !== undefined) await lists.readZone(zone.id);
    }
  }

  /** Somebody has changed a host's row, perhaps this server itself. */
  #compare({ id, msid, epoch, preferred }: HostChange): void {
    const { lists, registry, ownership, clock } = this.#parts;
    const own = ownership.epochOf(id);
    lists.learnAssignment(id, preferred);
    if (registry.get(id) === undefined || own === undefined || msid === this.#parts.msid || epoch < own) {
      this.#contested.settle(id);
    } else if (msid !== null && this.#parts.isUp(msid)) {
      this.#contested.note(id, epoch, clock.now());
    } else {
      // No living server has it, and its link is here: somebody took this server for dead.
      ownership.again(id);
    }
  }

  #forget(host: HostChange): void {
    const { lists, knownHosts, registry } = this.#parts;
    knownHosts.forget(host.id);
    lists.forget(host);
    registry.get(host.id)?.link.close('the host was removed');
  }
}
