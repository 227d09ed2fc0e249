import { reasonOf } from '../../lib/errors.js';
import type { Interruptible } from '../../lib/interruptible.js';
import type { Log } from '../../lib/logger.js';
import { isSameList } from '../../protocol/host-list.js';
import { type AlgorithmName, type Configuration, valuesFor } from '../config/parameters.js';
import type { HostIdentity } from '../hosts/known-hosts.js';
import { ZoneHosts } from '../hosts/zone-hosts.js';
import type { AgentStore } from '../store/agent-store.js';
import type { AssignmentRow, ClusterRow } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { type AgentList, agentListOf, type ListSnapshot } from './agent-list.js';
import { Assignments } from './assignments.js';
import { listSettingsOf } from './list-settings.js';
import { giveSameLists } from './preview.js';

export interface AgentListsParts {
  readonly store: Pick<AgentStore, 'zoneHostIds' | 'assignHosts'>;
  readonly health: StoreHealth;
  readonly log: Log;
  /** What the server starts with; its values are valid. */
  readonly configuration: Configuration;
}

/**
 * What agents are to be told about their management servers. It owns one snapshot of all that lists depend on:
 * configuration, intervals of clusters, hosts of zones, assignments, avoid list. Conversations, propagation, drains and
 * the preview ask it.
 */
export class AgentLists {
  readonly #health: StoreHealth;
  readonly #log: Log;
  readonly #zoneHosts: ZoneHosts;
  readonly #assignments: Assignments;
  readonly #listeners: (() => void)[] = [];
  #snapshot: ListSnapshot;
  /** The generation in which the configuration last changed in what lists follow from. */
  #listsSince: number;

  constructor({ store, health, log, configuration }: AgentListsParts) {
    this.#health = health;
    this.#log = log;
    this.#zoneHosts = new ZoneHosts(store);
    this.#assignments = new Assignments({
      store,
      health,
      log,
      generation: configuration.assignmentGeneration,
      onChange: () => this.#tellChange(),
    });
    this.#listsSince = configuration.version;
    this.#snapshot = {
      configuration,
      clusterIntervals: new Map(),
      avoided: [],
      zoneHostIds: zoneId => this.#zoneHosts.idsOf(zoneId),
      assignedServer: hostId => this.#assignments.of(hostId),
    };
  }

  /** The configuration that lists are made from now. */
  get configuration(): Configuration {
    return this.#snapshot.configuration;
  }

  /** The avoid list, spelled as in `host`. */
  get avoided(): readonly string[] {
    return this.#snapshot.avoided;
  }

  /** Calls back when lists may have become others: agents are then to be compared with theirs. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /**
   * What the agent of a host is to be told. Without side effects.
   * @param options.held what the agent has; an equal `shuffle` in another order stays as the agent has it, and a
   * `roundrobin` as long as the settings that it was made from hold: that other hosts were removed changes nothing for it
   * @param options.algorithm in the place of the configured one, for a drain
   */
  listFor(
    host: HostIdentity,
    { held, algorithm }: { readonly held?: AgentList | undefined; readonly algorithm?: AlgorithmName | undefined } = {},
  ): AgentList {
    const list = agentListOf(host, this.#snapshot, algorithm);
    return held && this.#isKept(held, list) ? { ...list, hosts: held.hosts } : list;
  }

  /**
   * The agent of a host is about to become Ready: reads the hosts of its zone where the algorithm needs them, and assigns
   * a server to a host that has none. While the store is away, the host counts as the last of its zone.
   */
  async admit(host: HostIdentity): Promise<void> {
    this.assign(host);
    const isNeeded = valuesFor(this.configuration, host.id)['indirect.agent.lb.algorithm'] === 'roundrobin';
    if (!isNeeded || this.#health.away) return;
    try {
      await this.#health.watch(() => this.#zoneHosts.include(host.zoneId, host.id));
    } catch (error) {
      this.#log.warn('The hosts of the zone could not be read; the agent counts as the last of them', {
        hostId: host.id,
        reason: reasonOf(error),
      });
    }
  }

  /** With `rendezvous`: assigns a server to a host that has none. A canary has no part in it: its hosts have theirs. */
  assign({ id }: Pick<HostIdentity, 'id'>): void {
    const { values } = this.configuration;
    if (values['indirect.agent.lb.algorithm'] !== 'rendezvous') return;
    this.#assignments.assign(id, values.host, values['indirect.agent.lb.weights']);
  }

  /**
   * A configuration, and the intervals of clusters that belong to it, as one change. What hosts' rows say has been
   * learned before: assignments of its generation count from now on.
   */
  take(configuration: Configuration, clusters: readonly ClusterRow[]): void {
    const clusterIntervals = new Map(
      clusters.flatMap(({ id, checkIntervalSeconds }) =>
        checkIntervalSeconds === null ? [] : [[id, checkIntervalSeconds]],
      ),
    );
    if (!giveSameLists(listSettingsOf(this.configuration), listSettingsOf(configuration))) {
      this.#listsSince = configuration.version;
    }
    this.#assignments.take(configuration.assignmentGeneration);
    this.#change({ configuration, clusterIntervals });
  }

  /** To be called after `take`: carries the assignments over that count from then on. */
  settleAssignments(): Interruptible<void> {
    return this.#assignments.settle();
  }

  /** Other servers are to be avoided than before. */
  avoid(avoided: readonly string[]): void {
    this.#change({ avoided });
  }

  /** A host's row says which server is assigned to it. */
  learnAssignment(row: AssignmentRow & Pick<HostIdentity, 'id'>): void {
    if (this.#assignments.learn(row.id, row)) this.#tellChange();
  }

  /** Writes the assignments that could not be written before. */
  writeAssignments(): void {
    this.#assignments.write();
  }

  /** Reads the hosts of a zone, unless they are in memory. @throws StoreError */
  async readZone(zoneId: number): Promise<void> {
    await this.#zoneHosts.read(zoneId);
  }

  /** Whether the host is not among those of its zone, and the zone is in memory. */
  lacks({ id, zoneId }: Pick<HostIdentity, 'id' | 'zoneId'>): boolean {
    return this.#zoneHosts.lacks(zoneId, id);
  }

  /** Hosts that are in their zones now: all that the poll has found, so that none before them is left out. */
  addHosts(hosts: readonly Pick<HostIdentity, 'id' | 'zoneId'>[]): void {
    for (const { id, zoneId } of hosts) this.#zoneHosts.add(zoneId, id);
  }

  /** The host is in another zone now. As with a removal, the others are told at their next connect. */
  changeZone(hostId: number, former: number, zoneId: number): void {
    this.#zoneHosts.remove(former, hostId);
    this.#zoneHosts.add(zoneId, hostId);
  }

  /** The host was removed. */
  forget({ id, zoneId }: Pick<HostIdentity, 'id' | 'zoneId'>): void {
    this.#assignments.forget(id);
    this.#zoneHosts.remove(zoneId, id);
  }

  #isKept(held: AgentList, list: AgentList): boolean {
    if (isSameList(held, list)) return true;
    const isRoundrobin = held.algorithm === 'roundrobin' && list.algorithm === 'roundrobin';
    return isRoundrobin && held.canary === list.canary && held.configurationVersion >= this.#listsSince;
  }

  #change(changes: Partial<ListSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...changes };
    this.#tellChange();
  }

  #tellChange(): void {
    for (const listener of this.#listeners) listener();
  }
}
