import type { CommandName } from '../../../api/commands/index.js';
import type { Params, Response } from '../../../api/types.js';
import type { ObservedServer } from '../../cluster/observed-servers.js';
import type { KnownRow } from '../../hosts/own-view.js';
import type { LinkOfHost } from '../../hosts/present-links.js';
import type { Operations } from '../../jobs/operations.js';
import type { CertificateOfHost } from '../../security/host-certificates.js';
import type { ServerRow, Store } from '../../store/store.js';

/** All that a handler sees of the server: rows to show, and the operations. */
export interface HandlerParts {
  /** Of this server. */
  readonly msid: number;
  readonly store: Pick<Store, StoreQueries>;
  readonly operations: Operations;
  /** How the servers look from here, by rows that were just read. */
  observe(rows: readonly ServerRow[]): readonly ObservedServer[];
  /** What the servers know of their agents' links. @throws StoreError */
  presentLinks(): Promise<LinkOfHost>;
  /** The certificates of these hosts. @throws StoreError */
  hostCertificates(hostIds: readonly number[]): Promise<CertificateOfHost>;
  /** Whom agents and clients have to trust, PEM. */
  readonly caBundlePem: string;
  readonly own: OwnKnowledge;
}

/** What this server can tell while the store is away. */
export interface OwnKnowledge {
  /** Whether the store is away, as far as this server knows. */
  isNeeded(): boolean;
  /** By name. */
  hosts(): Promise<readonly KnownRow[]>;
  /** This server's own links alone. */
  links(): LinkOfHost;
  /** As of the last heartbeat. */
  servers(): readonly ObservedServer[];
}

type StoreQueries =
  | 'agentsOfServer'
  | 'lastAgentsOfServer'
  | 'clusters'
  | 'configuration'
  | 'countPendingJobs'
  | 'events'
  | 'findHosts'
  | 'job'
  | 'jobs'
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
