import type { CommandName, Params } from '../../../api/commands.js';
import type { Result } from '../../../api/envelope.js';
import type { LinkFact } from '../../hosts/link-facts.js';
import type { Operations } from '../../jobs/operations.js';
import type { Store } from '../../store/store.js';

/** All that a handler sees of the server: rows to show, and the operations. */
export interface HandlerParts {
  /** Of this server. */
  readonly msid: number;
  readonly store: Pick<Store, StoreQueries>;
  readonly operations: Operations;
  /** The links of this server's agents, as they are now. */
  ownLinks(): readonly LinkFact[];
}

type StoreQueries =
  | 'agentsOfServer'
  | 'clusters'
  | 'configuration'
  | 'countPendingJobs'
  | 'events'
  | 'findHosts'
  | 'job'
  | 'linkFacts'
  | 'pods'
  | 'servers'
  | 'zones';

/** Translates one command. Its parameters are checked. @throws ApiError, OperationError, StoreError */
export type Handler<N extends CommandName> = (params: Params<N>) => Promise<Result>;

export type Handlers = { readonly [N in CommandName]: Handler<N> };
