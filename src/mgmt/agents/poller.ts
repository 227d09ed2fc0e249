import { sharedAbortController } from '../../lib/abort.js';
import { type Clock, delay, type Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { runInTurns } from '../../lib/interruptible.js';
import type { Log } from '../../lib/logger.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { type Configuration, readConfiguration } from '../config/parameters.js';
import type { HostPresence } from '../hosts/host-presence.js';
import type { HostReconciler } from '../hosts/host-reconciler.js';
import { HostWatch } from '../hosts/host-watch.js';
import type { KnownHosts } from '../hosts/known-hosts.js';
import type { Ownership } from '../hosts/ownership.js';
import type { Zones } from '../hosts/zones.js';
import type { AgentLists } from '../lists/agent-lists.js';
import type { Ca } from '../security/ca.js';
import type { Revocations } from '../security/revocations.js';
import type { AgentStore } from '../store/agent-store.js';
import type { ChangedHost, Configuration as StoredConfiguration } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import type { Sweep } from '../store/sweep.js';
import type { AgentServer } from './agent-server.js';
import type { AttacheRegistry } from './attache-registry.js';
import type { PresentedCertificates } from './presented-certificates.js';
import type { RemovalNotices } from './removal-notices.js';

export interface PollerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<AgentStore, 'configuration' | 'configurationState' | 'clusters' | 'hostVersions' | 'hostsById'>;
  readonly health: StoreHealth;
  readonly lists: AgentLists;
  readonly zones: Zones;
  readonly knownHosts: KnownHosts;
  readonly presence: Pick<HostPresence, 'forget'>;
  readonly registry: AttacheRegistry;
  readonly ownership: Ownership;
  readonly reconciler: HostReconciler;
  readonly notices: RemovalNotices;
  readonly revocations: Pick<Revocations, 'follow'>;
  readonly ca: Pick<Ca, 'follow'>;
  readonly presented: Pick<PresentedCertificates, 'write'>;
  readonly server: Pick<AgentServer, 'endRevoked' | 'endArrivingOf'>;
  /** Of the records of moves. */
  readonly sweep: Pick<Sweep, 'look' | 'stop'>;
}

/**
 * Follows the store: configuration, zones, hosts and their owners, whichever server changed them. It reads all that an agent
 * needs to become Ready while the store is away.
 */
export class Poller {
  readonly #parts: PollerParts;
  readonly #hosts: HostWatch;
  /** Hosts whose rows were read, and which their zones lack. */
  readonly #newInZone = new Set<number>();
  #polling: Promise<void> = Promise.resolve();
  /** The one that waits for its turn. */
  #waiting: Promise<void> | undefined;
  #timer: Timer | undefined;
  readonly #stopping = sharedAbortController();

  constructor(parts: PollerParts) {
    this.#parts = parts;
    this.#hosts = new HostWatch(parts.store, {
      onRemoved: host => this.#forget(host),
      onChanged: host => {
        parts.knownHosts.learn(host);
        if (parts.lists.lacks(host)) this.#newInZone.add(host.id);
      },
    });
  }

  /** Reads what the store has, for the first time. @throws StoreError */
  async read(): Promise<void> {
    const { store, lists, revocations } = this.#parts;
    const stored = await store.configuration();
    await revocations.follow(stored.revocation);
    await this.#parts.ca.follow(stored.authorities);
    lists.take(lists.configuration, await store.clusters());
    // Where the changes stand, and only then the rows: what changes meanwhile is read again.
    await this.#hosts.poll();
    await this.#parts.knownHosts.read();
    await this.#readHosts(lists.configuration);
  }

  /** Reads on from now on. */
  start(): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = this.#parts.clock.after(MGMT_LIMITS.pollMs, () => void this.poll().finally(() => this.start()));
  }

  stop(): void {
    this.#stopping.abort();
    this.#parts.sweep.stop();
    this.#timer?.cancel();
  }

  /**
   * Reads at once what the next poll would. In turns: what an earlier one has read is older. All who ask while one waits for
   * its turn get that one.
   */
  poll(): Promise<void> {
    if (this.#waiting === undefined) {
      this.#waiting = this.#polling.then(() => {
        this.#waiting = undefined;
        return this.#poll();
      });
      this.#polling = this.#waiting;
    }
    return this.#waiting;
  }

  async #poll(): Promise<void> {
    const { health, log, ownership, reconciler, sweep } = this.#parts;
    try {
      await health.watch(() => this.#readAll());
      ownership.retry();
      await reconciler.pass();
      void sweep.look();
    } catch (error) {
      log.debug('The store could not be polled', { reason: reasonOf(error) });
    }
  }

  /** A configuration is taken when all has been read that belongs to it: the hosts' assignments were written before it. */
  async #readAll(): Promise<void> {
    const { clock, store, lists, registry, revocations, ca, presented, server } = this.#parts;
    const state = await store.configurationState();
    const isRevoking = await revocations.follow(state.revocation);
    const isDropping = await ca.follow(state.authorities);
    if (isRevoking || isDropping) server.endRevoked();
    if (state.version === lists.configuration.version) await this.#readHosts(lists.configuration);
    else {
      const stored = await store.configuration();
      const clusters = await store.clusters();
      const configuration = this.#usable(stored);
      await this.#readHosts(configuration);
      this.#parts.log.info('Configuration changed', { version: configuration.version });
      lists.take(configuration, clusters);
      await runInTurns(lists.settleAssignments(), clock);
      // Hosts that registered while all were computed anew.
      for (const { host } of registry) lists.assign(host);
    }
    lists.writeAssignments();
    await presented.write();
  }

  #usable(stored: StoredConfiguration) {
    const { log, lists } = this.#parts;
    const { configuration, invalid } = readConfiguration(stored, lists.configuration);
    for (const { name, text, reason } of invalid) {
      log.error('The store has a value that cannot be used; the former one stays', { name, value: text, reason });
    }
    return configuration;
  }

  async #readHosts({ values: { zones: names } }: Configuration): Promise<void> {
    const { lists, zones, knownHosts } = this.#parts;
    await zones.learn(names);
    await this.#hosts.poll();
    // One that was removed meanwhile is not known any more.
    lists.addHosts([...this.#newInZone].flatMap(id => knownHosts.byId(id) ?? []));
    this.#newInZone.clear();
    for (const name of names) {
      const zone = zones.find(name, names);
      if (zone !== undefined) await lists.readZone(zone.id);
    }
  }

  #forget(host: ChangedHost): void {
    const { clock, lists, knownHosts, presence, reconciler, registry, notices, server } = this.#parts;
    server.endArrivingOf(host.uuid);
    knownHosts.forget(host.id);
    presence.forget(host.id);
    reconciler.forget(host.id);
    lists.forget(host);
    const attache = registry.get(host.id);
    if (attache === undefined) return;
    void notices.tell(attache);
    void delay(clock, MGMT_LIMITS.removedLinkMs, this.#stopping.signal).then(() =>
      attache.end('the host was removed', 'removed'),
    );
  }
}
