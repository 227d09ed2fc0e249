import type { CommandName } from '../../../api/commands/index.js';
import type { Params, Response } from '../../../api/types.js';
import type { Clock } from '../../../lib/clock.js';
import type { ServerObserver } from '../../cluster/membership.js';
import type { ObservedServer } from '../../cluster/observed-servers.js';
import type { KnownRow } from '../../hosts/own-view.js';
import type { LinkOfHost } from '../../hosts/present-links.js';
import type { Operations } from '../../jobs/operations.js';
import type { Survivor } from '../../lists/survivability.js';
import type { ApiKey } from '../../security/api-keys.js';
import type { Ca } from '../../security/ca.js';
import type { CertificateOfHost } from '../../security/host-certificates.js';
import type { Store } from '../../store/store.js';

/** All that a handler sees of the server: rows to show, and the operations. */
export interface HandlerParts extends ServerObserver {
  readonly clock: Pick<Clock, 'turn' | 'wallTime'>;
  readonly store: Pick<Store, StoreQueries>;
  /** As the caller asks for them. */
  readonly operations: Operations;
  readonly caller: Caller;
  /** What the servers know of their agents' links. @throws StoreError */
  presentLinks(): Promise<LinkOfHost>;
  /** The certificates of these hosts. @throws StoreError */
  hostCertificates(hostIds: readonly number[]): Promise<CertificateOfHost>;
  readonly ca: Pick<Ca, 'bundle' | 'fingerprint'>;
  readonly own: OwnKnowledge;
}

/** Whose key the request is signed with. */
export type Caller = Pick<ApiKey, 'name' | 'role'>;

/** What this server can tell while the store is away. */
export interface OwnKnowledge {
  /** Which server it is. */
  readonly msid: number;
  /** Whether the store is away, as far as this server knows. */
  isNeeded(): boolean;
  /** By name. */
  hosts(): Promise<readonly KnownRow[]>;
  /** This server's own links alone. */
  links(): LinkOfHost;
  /** As of the last heartbeat. */
  servers(): readonly ObservedServer[];
  /** What the death of another server would mean to each one that takes agents, by address; a few seconds old. */
  survivors(): Promise<ReadonlyMap<string, Survivor>>;
}

type StoreQueries =
  | 'agentsOfServer'
  | 'alerts'
  | 'lastAgentsOfServer'
  | 'clusterIdsOfHosts'
  | 'clusters'
  | 'commandResults'
  | 'configuration'
  | 'countAgents'
  | 'countPendingJobs'
  | 'enrollmentTokens'
  | 'events'
  | 'findHosts'
  | 'hostsById'
  | 'job'
  | 'jobs'
  | 'moves'
  | 'moveSummary'
  | 'pods'
  | 'servers'
  | 'zones';

/**
 * Translates one command: parameters, which are checked, into a call, and what that returns into the response.
 *
 * Handlers, and functions that make objects of a response, name their return type: only then does the compiler refuse
 * a field that is not in the table.
 * @throws ApiError, OperationError, StoreError
 */
export type Handler<N extends CommandName> = (parts: HandlerParts, params: Params<N>) => Promise<Response<N>>;
