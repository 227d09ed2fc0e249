import { invalidArgument } from '../../lib/operation-error.js';
import { readUuids } from '../store/pages.js';
import type { ServerRow, ServerState, Store } from '../store/store.js';

/** How far a server is on its way out of service. */
export interface ServerStatus {
  readonly server: ServerRow;
  readonly state: ServerState;
  /** UUIDs of the hosts that it has. */
  readonly agents: readonly string[];
  /** Jobs that it has to carry out. */
  readonly pendingJobs: number;
  /** It is in maintenance, or on the way there. */
  readonly isMaintenanceInitiated: boolean;
  /** It is shutting down, or on the way there. */
  readonly isShutdownTriggered: boolean;
  /** It has no agents any more, and takes none. */
  readonly isReadyForShutdown: boolean;
}

export interface ServerStatusParts {
  readonly store: Pick<Store, 'servers' | 'countPendingJobs' | 'agentsOfServer'>;
}

/** @throws OperationError ARGUMENT_INVALID (`serverId`); StoreError */
export async function serverStatus(
  { store }: ServerStatusParts,
  { serverId }: { readonly serverId: string },
): Promise<ServerStatus> {
  const server = await serverByUuid(store, serverId);
  const [jobs, agents] = await Promise.all([
    store.countPendingJobs(),
    readUuids(after => store.agentsOfServer(server.msid, after)),
  ]);
  const { state } = server;
  return {
    server,
    state,
    agents,
    pendingJobs: jobs.get(server.msid) ?? 0,
    isMaintenanceInitiated: /Maintenance$/.test(state),
    isShutdownTriggered: /Shut/.test(state),
    isReadyForShutdown: state === 'ReadyToShutDown' || (state !== 'Up' && agents.length === 0),
  };
}

/** @throws OperationError ARGUMENT_INVALID; StoreError */
export async function serverByUuid(store: Pick<Store, 'servers'>, uuid: string): Promise<ServerRow> {
  const server = (await store.servers()).find(one => one.uuid === uuid);
  if (server === undefined) throw invalidArgument('serverId', uuid, 'there is no management server with this id');
  return server;
}
