import type { AssignmentRow } from './assignment-store.js';
import type { Arrival, Loss, MoveCause } from './move-store.js';
import type { Page, PageQuery } from './page.js';

/** The hosts: who they are, and which server has them. */
export interface HostStore {
  /**
   * The ids of a zone's hosts that are not removed, whatever their state, ascending; at most `ROWS_A_PAGE`.
   * @param after only ids beyond this one
   */
  zoneHostIds(zoneId: number, after?: number): Promise<readonly number[]>;

  /**
   * Finds the hosts with these guids, or makes them, and takes over the descriptions either way; in one transaction. A host
   * that is Up stays Up. One that cannot be kept fails them all.
   * @param batch at most `HOSTS_A_BATCH`; a guid may occur twice
   * @returns in the order of the batch
   */
  registerHosts(batch: readonly HostDescription[]): Promise<readonly Registration[]>;
  /**
   * Each host is taken by the server that its entry names; in one transaction, in the order of the batch.
   * @param batch at most `HOSTS_A_BATCH`; a host may occur twice
   * @returns what became of each, in the order of the batch
   */
  hostsReady(batch: readonly HostReadyEntry[]): Promise<readonly HostReadyOutcome[]>;
  /**
   * Agents acknowledged new lists; in one transaction.
   * @param batch at most `HOSTS_A_BATCH`
   * @returns whether each was written, in the order of the batch; false: the host has another epoch by now
   */
  hostsMsHostList(batch: readonly HostListEntry[]): Promise<readonly boolean[]>;
  /**
   * The owners lost the hosts; in one transaction. An entry is written only while owner and epoch are still these: an
   * agent that left is often Ready at another server before the old one notices.
   * @param batch at most `HOSTS_A_BATCH`
   * @returns whether each was written, in the order of the batch
   */
  hostsDisconnected(batch: readonly HostDisconnectedEntry[]): Promise<readonly boolean[]>;
  /**
   * The server `msid` has no agents any more: it stops, is found dead, or starts after it was killed. Hosts that have
   * moved on stay. It is written in several transactions: after a StoreError some hosts may have been let go.
   * @returns how many hosts it still had
   */
  releaseHosts(msid: number, released: HostsReleased): Promise<number>;
  /**
   * Writes what operators say of a host. What is left out stays as it is.
   * @returns the row as it is then; undefined: there is no such host
   */
  updateHost(id: number, changes: HostChanges): Promise<HostRow | undefined>;
  /** Its id is never used again; the same guid would come back with another. @returns false when there was none */
  removeHost(id: number, at: number): Promise<boolean>;

  /**
   * The hosts that are not removed, by ascending id; at most `ROWS_A_PAGE`.
   * @param after only ids beyond this one
   */
  hosts(after?: number): Promise<readonly AgentRow[]>;
  /** The rows of these hosts, removed ones too, by ascending id. @param ids at most `ROWS_A_PAGE` */
  hostsById(ids: readonly number[]): Promise<readonly ChangedHost[]>;
  /** A host that is not removed. */
  host(id: number): Promise<HostRow | undefined>;
  /**
   * One page of the hosts that match all that is given, by name and then by id, and how many match in all. Names are
   * compared as the database compares them.
   * @param query its page has at most `ROWS_A_PAGE` rows
   */
  findHosts(query: HostQuery): Promise<Page<HostRow>>;
  /**
   * The hosts that are meant, whatever their state, by ascending id. A name that several hosts have means all of them.
   * @param after only ids beyond this one
   * @param limit at most `ROWS_A_PAGE`. @default ROWS_A_PAGE
   */
  selectHosts(selection: HostSelection, after?: number, limit?: number): Promise<readonly SelectedHost[]>;
  /**
   * Which hosts have changed since a cursor, removed ones too, oldest change first; at most `ROWS_A_PAGE`. Versions of
   * the last ten seconds before the cursor come again, since a change that was begun earlier may be committed later.
   * @param after where the last call ended; undefined: nothing, only where the store stands now
   */
  hostVersions(after?: HostsCursor): Promise<HostVersions>;
  /** The hosts that the server has, by ascending id; at most `ROWS_A_PAGE`. @param after only ids beyond this one */
  agentsOfServer(msid: number, after?: number): Promise<readonly HostUuid[]>;
  /** Likewise those that the server had last, and that no server has now. */
  lastAgentsOfServer(msid: number, after?: number): Promise<readonly HostUuid[]>;
  /** How many hosts the server has. */
  countAgents(msid: number): Promise<number>;
}

/** A larger transaction would delay other writers, and Galera's certification, for too long. */
export const HOSTS_A_BATCH = 500;

/** What an agent says of its host at Startup. `null`: it did not say. */
export interface HostDescription {
  readonly guid: string;
  readonly name: string;
  readonly type: string;
  readonly zoneId: number;
  readonly pod: string | null;
  readonly cluster: string | null;
  readonly privateIpAddress: string | null;
  readonly version: string | null;
  readonly hypervisorType: string | null;
  readonly arch: string | null;
  readonly sockets?: number | null;
  readonly cpus: number | null;
  /** MHz. */
  readonly speed: number | null;
  /** Bytes. */
  readonly ram: number | null;
  /** The tags that the agent gives its host; CloudStack's word. No tag has a comma. */
  readonly implicitTags: readonly string[];
}

export const HOST_STATUSES = ['Creating', 'Connecting', 'Up', 'Disconnected', 'Removed'] as const;
/** `Creating`: it has got a certificate, and its agent has not come with it yet. */
export type HostStatus = (typeof HOST_STATUSES)[number];

/** A host that is not removed. Moments are milliseconds since 1970, UTC. */
export interface HostRow extends HostDescription, AssignmentRow {
  readonly id: number;
  readonly uuid: string;
  /** Null when the agent named no pod, or no cluster: a cluster is part of a pod. */
  readonly podId: number | null;
  readonly clusterId: number | null;
  readonly sockets: number | null;
  readonly status: HostStatus;
  /** CloudStack's resource state; always `Enabled`. */
  readonly resourceState: string;
  /** The server that has it; null when none does. */
  readonly msid: number | null;
  /** The server that had it before that one, or last of all. */
  readonly lastMsid: number | null;
  /** Raised each time a server takes the host: what an older epoch still wants to write is void. */
  readonly epoch: number;
  /** `A,B,C@algorithm` as a server last saw the agent report or acknowledge it. */
  readonly msHostList: string | null;
  /** The generation of the configuration that the agent's list was last made from; null: not known. */
  readonly configurationVersion: number | null;
  readonly lastPing: number | null;
  /** The agent process whose link became Ready last, and that link's remote address; null: not known. */
  readonly instanceId: string | null;
  readonly linkAddress: string | null;
  /** Which of the links of that process it is; null: not known. */
  readonly linkNumber: number | null;
  readonly disconnected: number | null;
  readonly disconnectReason: string | null;
  readonly created: number;
  /** The tags that operators have given it. They stand beside those of the agent. */
  readonly explicitTags: readonly string[];
  /** What an operator has written about it. */
  readonly annotation: string | null;
}

export interface HostChanges {
  /** In place of the former ones. */
  readonly explicitTags?: readonly string[];
  /** null: none. */
  readonly annotation?: string | null;
}

/** What servers need to know of a host in order to serve its agent. */
export interface AgentRow
  extends Pick<
    HostRow,
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
    | 'msHostList'
    | 'instanceId'
    | 'linkAddress'
  > {
  /** The row's version. Each write raises it: the time by the store's clock, or one more than before. */
  readonly changed: number;
}

export type HostUuid = Pick<HostRow, 'id' | 'uuid'>;

export interface Registration {
  readonly host: HostRow;
  /** No host has had this guid before, unless one that was removed. */
  readonly isNew: boolean;
  /** A new host whose guid a removed host had: the id of that one, the latest if there are several. */
  readonly removedId: number | undefined;
}

export interface HostReadyEntry {
  readonly id: number;
  /** The server that takes it. */
  readonly msid: number;
  readonly msHostList: string | null;
  /** The generation that this list was made from; when left out, the row keeps what it has. */
  readonly configurationVersion?: number;
  /** The agent process, and the remote address of its link; null: not known. @default null */
  readonly instanceId?: string | null;
  readonly linkAddress?: string | null;
  /** Which of the links of that process it is: a later one has a greater number. @default null */
  readonly linkNumber?: number | null;
  /** Which Ready it is: the same one is recorded once as a move, however often it is written. */
  readonly at: number;
  /** For the record of the move. @default nothing is known of it */
  readonly arrival?: Arrival;
  /** How long ago, for the record: the store, which knows the time, makes a moment of it. @default 0 */
  readonly ageMs?: number;
}

export type HostReadyOutcome =
  | { readonly kind: 'taken'; readonly epoch: number }
  /** There is no such host any more. */
  | { readonly kind: 'removed' }
  /** Another server has the host by a later link of the same agent process. Nothing was written. */
  | { readonly kind: 'superseded' };

export interface HostListEntry {
  readonly id: number;
  readonly epoch: number;
  readonly msHostList: string;
  /** When left out, the row keeps what it has. */
  readonly configurationVersion?: number;
}

export interface HostDisconnectedEntry {
  readonly id: number;
  /** The server that had the host; null: none, it was still Connecting. */
  readonly msid: number | null;
  readonly epoch: number;
  readonly at: number;
  readonly reason: string;
  /** For the record of the move. @default unknown */
  readonly cause?: MoveCause;
  /** How long ago, for the record. @default 0 */
  readonly ageMs?: number;
  /** Only while the row is Connecting, and has this version. When left out, owner and epoch decide. */
  readonly connectingSince?: number;
}

export interface HostsReleased extends Loss {
  readonly at: number;
}

/** What is left out is not asked for. */
export interface HostQuery extends PageQuery {
  readonly uuid?: string;
  readonly name?: string;
  /** A part of the name or of the address, in any case. */
  readonly keyword?: string;
  readonly status?: readonly HostStatus[];
  /** null: hosts that no server has. */
  readonly msid?: number | null;
  readonly zoneId?: number;
  readonly podId?: number;
  readonly clusterId?: number;
  /** One of its tags, whoever has given it. */
  readonly tag?: string;
  readonly type?: string;
  readonly hypervisor?: string;
  readonly arch?: string;
  readonly resourceState?: string;
  /** Pages are counted from behind this host. The count is that of all matches all the same. */
  readonly behind?: Pick<HostRow, 'name' | 'id'>;
}

/** Which hosts are meant. */
export type HostSelection = HostsByName | HostsByPlace;

export interface HostsByName {
  /** UUIDs, names and guids, at most `ROWS_A_PAGE`: hosts that have one of them. */
  readonly names: readonly string[];
}

/** All that is given holds. `{}`: all hosts. */
export interface HostsByPlace {
  readonly zoneId?: number;
  readonly clusterId?: number;
  /** One of its tags, whoever has given it. */
  readonly tag?: string;
}

export type SelectedHost = Pick<HostRow, 'id' | 'uuid' | 'name' | 'guid'>;

/** A host as it is now, or was when it was removed. */
export interface ChangedHost extends AgentRow {
  /** When it was removed; null: it is there. */
  readonly removed: number | null;
}

/** How far a reader of versions has read. */
export interface HostsCursor {
  /** When the reading began, by the store's clock. */
  readonly at: number;
  /** The last version of the answer, when the reading takes several. */
  readonly last?: HostVersion;
}

export type HostVersion = Pick<AgentRow, 'id' | 'changed'>;

export interface HostVersions {
  readonly versions: readonly HostVersion[];
  readonly cursor: HostsCursor;
  /** There were more than fit: ask again at once. */
  readonly more: boolean;
}
