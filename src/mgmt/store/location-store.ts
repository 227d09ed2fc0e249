import type { ConfigurationUpdate } from './configuration-store.js';
import type { HostQuery } from './host-store.js';

/** Zones, pods and clusters: where hosts stand. Each is made when its name is first used. */
export interface LocationStore {
  /** The id of a zone; the first use of a name gives it one. */
  zoneId(name: string): Promise<number>;
  /** By ascending id, as are the others. */
  zones(): Promise<readonly ZoneRow[]>;
  pods(): Promise<readonly PodRow[]>;
  clusters(): Promise<readonly ClusterRow[]>;
  /** The clusters that have a host, not removed, with all that is given. @returns ids in any order */
  clusterIdsOfHosts(query: Pick<HostQuery, 'hypervisor' | 'arch'>): Promise<readonly number[]>;
  /**
   * The cluster's own check interval, which beats the global one. It makes a new generation of the configuration, so
   * that servers which poll that notice.
   * @param seconds null: the global one holds again
   * @param expectedVersion what the change was judged by: when the store has another generation, nothing is written
   */
  setClusterCheckInterval(
    clusterId: number,
    seconds: number | null,
    expectedVersion: number,
  ): Promise<ConfigurationUpdate>;
}

export interface ZoneRow {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
}

export interface PodRow extends ZoneRow {
  readonly zoneId: number;
}

export interface ClusterRow extends PodRow {
  readonly podId: number;
  /** `indirect.agent.lb.check.interval` of this cluster; null: the global one. */
  readonly checkIntervalSeconds: number | null;
}
