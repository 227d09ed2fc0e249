import type { AssignmentRow } from './assignment-store.js';
import type { ChangedHost, HostRow, HostsCursor, Store, StoredHost } from './store.js';

/** What the server needs of the store to serve agents: a narrow part of it, so that much of the rest may change. */
export interface AgentStore
  extends Pick<
    Store,
    | 'configuration'
    | 'zoneId'
    | 'zoneHostIds'
    | 'clusters'
    | 'hostsReady'
    | 'hostsDisconnected'
    | 'hostsMsHostList'
    | 'releaseHosts'
    | 'assignHosts'
  > {
  hostsChanged(after?: HostsCursor): Promise<AgentChanges>;
  registerHost(...args: Parameters<Store['registerHost']>): Promise<{ readonly host: AgentRow }>;
  hosts(after?: number): Promise<readonly StoredAgentRow[]>;
}

/** Who an agent is, and where the store has its host. */
export type AgentRow = Pick<HostRow, AgentColumn>;

/** The same, and when the row was written. */
export type StoredAgentRow = Pick<StoredHost, AgentColumn | 'changed'>;

type AgentColumn =
  | 'id'
  | 'uuid'
  | 'guid'
  | 'name'
  | 'zoneId'
  | 'clusterId'
  | keyof AssignmentRow
  | 'status'
  | 'msid'
  | 'epoch'
  | 'instanceId'
  | 'linkAddress';

/** What has become of hosts, whoever did it. */
export interface AgentChanges {
  readonly hosts: readonly Pick<ChangedHost, AgentColumn | 'changed' | 'removed'>[];
  readonly cursor: HostsCursor;
  readonly more: boolean;
}
