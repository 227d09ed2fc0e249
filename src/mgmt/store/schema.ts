import type { HostStatus } from './store.js';

/**
 * The tables as the newest migration leaves them; names are CloudStack's where it has the table. Moments are integer
 * milliseconds UTC, and flags 0 or 1, since both databases have those.
 */
export interface Schema {
  configuration: ConfigurationTable;
  sequence: SequenceTable;
  data_center: DataCenterTable;
  host: HostTable;
  secret: SecretTable;
  schema_migration: SchemaMigrationTable;
  migration_lock: MigrationLockTable;
}

export interface ConfigurationTable {
  name: string;
  value: string;
  updated: number;
}

/** Counters that only ever rise: the last id given to a host or zone, and the configuration's generation. */
export interface SequenceTable {
  name: 'host' | 'data_center' | 'configuration';
  value: number;
}

export interface DataCenterTable {
  id: number;
  uuid: string;
  name: string;
}

export interface HostTable {
  id: number;
  uuid: string;
  /** Unique, and null once the host is removed: that is how CloudStack lets a guid come back. */
  guid: string | null;
  name: string;
  type: string;
  status: HostStatus;
  data_center_id: number;
  pod: string | null;
  cluster: string | null;
  private_ip_address: string | null;
  version: string | null;
  hypervisor_type: string | null;
  arch: string | null;
  cpus: number | null;
  speed: number | null;
  ram: number | null;
  mgmt_server_id: number | null;
  epoch: number;
  ms_host_list: string | null;
  last_ping: number | null;
  disconnected: number | null;
  disconnect_reason: string | null;
  created: number;
  removed: number | null;
}

export interface SecretTable {
  name: string;
  value: Uint8Array;
}

/** What has been applied. Older servers read this table to learn that they are too old, so it never changes. */
export interface SchemaMigrationTable {
  number: number;
  name: string;
  /** The first version of Muster that knows this migration. */
  since: string;
  applied: number;
}

/** One row, with id 1; never changes either. */
export interface MigrationLockTable {
  id: number;
  owner: string | null;
  expires: number;
}
