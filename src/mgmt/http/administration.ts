import type { Clock } from '../../lib/clock.js';
import type { EventSink } from '../cluster/events.js';
import type { Configuration } from '../config/parameters.js';
import type { LinkFact } from '../hosts/link-facts.js';
import type { JobRow, Store } from '../store/store.js';

/** All that the HTTP side may see of the server and ask of it. */
export interface Administration {
  readonly clock: Clock;
  readonly msid: number;
  readonly store: AdministrationStore;
  readonly events: EventSink;
  /** As this server knows it. */
  configuration(): Configuration;
  /** The links of this server's agents, as they are now. */
  ownLinks(): readonly LinkFact[];
  /** Has a server carry something out. @returns the row, to be asked for again until it has an outcome */
  startJob(job: JobRequest): Promise<JobRow>;
  /** Tells whoever watches the configuration that there is a new one. */
  configurationChanged(): Promise<void>;
  /** The same of servers' states. */
  stateChanged(): Promise<void>;
}

export interface JobRequest {
  readonly cmd: string;
  readonly params: Readonly<Record<string, string | number | boolean>>;
  readonly targetMsid: number | null;
  readonly hostId: number | null;
}

export type AdministrationStore = Pick<
  Store,
  | 'agentsOfServer'
  | 'changeServerState'
  | 'clusters'
  | 'configuration'
  | 'countPendingJobs'
  | 'events'
  | 'findHosts'
  | 'hosts'
  | 'job'
  | 'linkFacts'
  | 'pods'
  | 'removeHost'
  | 'servers'
  | 'setClusterCheckInterval'
  | 'setConfiguration'
  | 'setPreferred'
  | 'zones'
>;
