import type {
  ApiKeyRole,
  AuthorityState,
  CertificateKind,
  CommandState,
  EventLevel,
  HostStatus,
  JobStatus,
  MoveCause,
  MoveKind,
  ServerState,
} from '../store.js';

/**
 * The tables as the newest migration leaves them; names are CloudStack's where it has the table. Moments are integer
 * milliseconds UTC, and flags 0 or 1, since both databases have those.
 */
export interface Schema {
  configuration: ConfigurationTable;
  canary: CanaryTable;
  sequence: SequenceTable;
  data_center: DataCenterTable;
  host_pod_ref: PodTable;
  cluster: ClusterTable;
  host: HostTable;
  host_tag: HostTagTable;
  host_move: HostMoveTable;
  mshost: ServerTable;
  mshost_link: LinkStatusTable;
  async_job: JobTable;
  command_job: CommandJobTable;
  command: CommandTable;
  event: EventTable;
  alert: AlertTable;
  secret: SecretTable;
  api_key: ApiKeyTable;
  api_request: ApiRequestTable;
  authority: AuthorityTable;
  certificate: CertificateTable;
  crl: RevocationTable;
  certificate_guid: CertificateGuidTable;
  enrollment_token: EnrollmentTokenTable;
  enrollment_use: EnrollmentUseTable;
  schema_migration: SchemaMigrationTable;
  migration_lock: MigrationLockTable;
}

export interface ConfigurationTable {
  name: string;
  value: string;
  updated: number;
}

/** At most one row. `changes` and `hosts` are JSON. */
export interface CanaryTable {
  id: number;
  changes: string;
  hosts: string;
  created: number;
  created_by: string;
  job: string | null;
}

/**
 * Counters that only ever rise: the last id given to a row of that table, the configuration's generation, the steps of
 * attempts to assign hosts anew, the generation of assignments that was committed last, and the version of the API keys.
 */
export interface SequenceTable {
  name:
    | 'host'
    | 'data_center'
    | 'host_pod_ref'
    | 'cluster'
    | 'mshost'
    | 'async_job'
    | 'event'
    | 'alert'
    | 'crl'
    | 'authority'
    | 'enrollment_token'
    | 'configuration'
    | 'assignment'
    | 'assignment_committed'
    | 'api_key';
  value: number;
}

export interface DataCenterTable {
  id: number;
  uuid: string;
  name: string;
}

export interface PodTable extends DataCenterTable {
  data_center_id: number;
}

export interface ClusterTable extends PodTable {
  pod_id: number;
  /** Seconds; null: the global one. */
  lb_check_interval: number | null;
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
  pod_id: number | null;
  cluster_id: number | null;
  private_ip_address: string | null;
  version: string | null;
  hypervisor_type: string | null;
  arch: string | null;
  sockets: number | null;
  cpus: number | null;
  speed: number | null;
  ram: number | null;
  resource_state: string;
  mgmt_server_id: number | null;
  last_mgmt_server_id: number | null;
  epoch: number;
  ms_host_list: string | null;
  configuration_version: number | null;
  preferred: string | null;
  last_ping: number | null;
  disconnected: number | null;
  disconnect_reason: string | null;
  created: number;
  removed: number | null;
  /** The guid that it had. */
  removed_guid: string | null;
  /** When the row was last written, by the store's clock. */
  changed: number;
  /** An assignment that counts once `next_generation` is committed. */
  next_preferred: string | null;
  next_generation: number | null;
  /** The agent process and the remote address of the link that became Ready last. */
  instance_id: string | null;
  link_address: string | null;
  /** Which of the links of that process it is; null: not known. */
  link_number: number | null;
  /** Tags, with commas between them; null: none. Both have their rows in `host_tag`. */
  implicit_tags: string | null;
  explicit_tags: string | null;
  annotation: string | null;
}

/** Hosts by tag, of those that are not removed. One row, also when both the agent and an operator have given the tag. */
export interface HostTagTable {
  tag: string;
  host_id: number;
}

/** Each host has a record for each epoch, of how its server has got it, and one of how that server has lost it. */
export interface HostMoveTable {
  host_id: number;
  epoch: number;
  is_loss: number;
  at: number;
  from_msid: number | null;
  to_msid: number | null;
  kind: MoveKind;
  cause: MoveCause;
  gap_ms: number | null;
}

export interface ServerTable {
  id: number;
  uuid: string;
  msid: number;
  /** Null when the server stopped in good order. */
  runid: string | null;
  data_dir_token: string;
  name: string;
  version: string;
  service_ip: string;
  /** Of the agents' port, where other servers come too; null: it was never open. */
  service_port: number | null;
  os_distribution: string | null;
  kernel_version: string | null;
  last_boot_time: number | null;
  state: ServerState;
  state_by: string | null;
  state_since: number;
  last_update: number;
  started: number | null;
  stopped: number | null;
  created: number;
  removed: number | null;
  /** Raised by each heartbeat. */
  beat: number;
  /** 1 while the server serves agents. */
  joined: number;
}

export interface LinkStatusTable {
  msid: number;
  /** By the server's clock. */
  at: number;
  /** By the store's. */
  updated: number;
  facts: Uint8Array;
}

export interface JobTable {
  id: number;
  uuid: string;
  cmd: string;
  params: string;
  target_msid: number | null;
  host_id: number | null;
  created_by: string | null;
  /** A pending job that has expired stays `pending` here. */
  status: Exclude<JobStatus, 'expired'>;
  runner_msid: number | null;
  progress: string | null;
  result_code: number | null;
  result: string | null;
  created: number;
  started: number | null;
  completed: number | null;
  /** By the store's clock; null: it never expires. */
  expires: number | null;
  is_resumable: number;
}

export interface CommandJobTable {
  job_id: number;
  uuid: string;
  job_key: string | null;
  digest: string;
  total: number;
  created: number;
}

export interface CommandTable {
  job_id: number;
  ordinal: number;
  host_id: number;
  state: CommandState;
  is_good: number | null;
  reason: string | null;
  answers: string | null;
  is_truncated: number;
  duration_ms: number | null;
  msid: number | null;
}

export interface EventTable {
  id: number;
  uuid: string;
  type: string;
  level: EventLevel;
  description: string;
  created: number;
  resource_type: string | null;
  resource_id: string | null;
  msid: number | null;
  /** The name of the API key that asked for it. */
  username: string | null;
}

export interface AlertTable {
  id: number;
  uuid: string;
  subject: string;
  /** The subject until the alert is cleared, and null then: there is one alert of a subject at a time. */
  open_subject: string | null;
  type: number;
  name: string;
  description: string;
  created: number;
  cleared: number | null;
  /** What is still to be told of it. */
  notice: 'raised' | 'cleared' | null;
  /** Until then whoever has taken the notice tells it. */
  taken_until: number | null;
  attempts: number;
  /** JSON: the URLs that have the notice; null: none has. */
  reached: string | null;
}

export interface SecretTable {
  name: string;
  value: Uint8Array;
}

export interface ApiKeyTable {
  id: number;
  uuid: string;
  name: string;
  role: ApiKeyRole;
  api_key: string;
  /** The name of the row of `secret` that has the sealed key of the signatures. */
  secret: string;
  created: number;
  created_by: string | null;
}

/** Requests of the HTTP API that have been carried out, by the SHA-256 of their signatures. */
export interface ApiRequestTable {
  digest: string;
  expires: number;
}

/** Fingerprints are SHA-256, and serials integers, in hex. */
export interface CertificateTable {
  serial: string;
  kind: CertificateKind;
  host_id: number | null;
  guid: string | null;
  cn: string;
  key_fingerprint: string;
  issuer_fingerprint: string;
  not_before: number;
  not_after: number;
  created: number;
  bundle: number;
  installed: number | null;
}

export interface AuthorityTable {
  fingerprint: string;
  chain: string;
  cross_certificate: string | null;
  state: AuthorityState;
  secret: string | null;
  generation: number;
  created: number;
  changed: number;
}

/** Revoked certificates, as in CloudStack; also such as were issued elsewhere. */
export interface RevocationTable {
  id: number;
  serial: string;
  cn: string | null;
  revoker: string | null;
  revoked: number;
}

export interface CertificateGuidTable {
  fingerprint: string;
  guid: string;
  created: number;
}

export interface EnrollmentTokenTable {
  id: number;
  uuid: string;
  hash: string;
  zone: string | null;
  cluster: string | null;
  guid: string | null;
  uses: number;
  used: number;
  created: number;
  expires: number;
  created_by: string | null;
  removed: number | null;
}

export interface EnrollmentUseTable {
  token_id: number;
  guid: string;
  key_fingerprint: string;
  created: number;
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
