import type { JobOutcome, JobRow, NewJob } from './job-store.js';

/** The management servers of the cluster, each a row that it keeps alive by a heartbeat. */
export interface ServerStore {
  /**
   * A server starts. Its row, found by the msid or made, gets the run id and the description.
   *
   * The row is refused while another `data.dir` holds it: the token differs, the run has not been stopped, and its
   * heartbeat counter is not `silentBeat`. The same token takes over at once: the folder's lock says that the former
   * process is dead. Rows of the same address whose servers do not run any more are removed.
   */
  claimServer(server: ServerDescription, claim: ServerClaim): Promise<ServerClaimed>;
  /**
   * Says that the server lives, and learns its state.
   * @param port on which it serves agents; undefined: it does not
   */
  heartbeat(msid: number, runId: string, port: number | undefined): Promise<Heartbeat>;
  /** All servers that there ever were and that are not removed, by ascending id. */
  servers(): Promise<readonly ServerRow[]>;
  /**
   * One step of a server's state, if it is in one of the states that the step starts from.
   * @returns whether it was done
   */
  changeServerState(msid: number, change: ServerStateChange): Promise<boolean>;
  /** One step of a server's state and the jobs that follow from it, in one transaction: both are written, or neither. */
  changeServerStateWithJobs(
    msid: number,
    change: OrderedStateChange,
    jobs: readonly NewJob[],
  ): Promise<OrderedStateChanged>;
  /**
   * The server stops in good order: the others need not wait for its silence.
   * @param at by the server's clock
   * @param keepStates a server in one of these states is in `Maintenance` from now on, any other `Down`. @default none
   * @returns false when another run has the row by now, and nothing changed
   */
  stopServer(msid: number, runId: string, at: number, keepStates?: readonly ServerState[]): Promise<boolean>;
  /**
   * Removes a server that is Down, and the status of its links. Jobs that it was carrying out, or that only it could do, have
   * failed. Its msid may be claimed again.
   * @returns false when it is not Down, or not there, and nothing changed
   */
  removeServer(msid: number, jobOutcome: Omit<JobOutcome, 'status'>): Promise<boolean>;

  /** The row is not a server's any more, if its heartbeat counter still has this value. @returns whether it was removed */
  retireServer(msid: number, beat: number): Promise<boolean>;

  /**
   * What a server knows of its agents' links, packed; what it wrote before is replaced. Rows of any server that are older
   * than `LINK_STATUS_KEPT_MS` are deleted: that server writes no more.
   * @param at by the server's clock
   */
  putLinkStatus(msid: number, at: number, packed: Uint8Array): Promise<void>;
  /**
   * What all servers know of their links, by ascending msid.
   * @param known what the caller has of each server: `packed` is left out when it is still the same
   */
  linkStatus(known?: readonly Pick<LinkStatusRow, 'msid' | 'updated'>[]): Promise<readonly LinkStatusRow[]>;
}

export const LINK_STATUS_KEPT_MS = 86_400_000;

/** CloudStack's states of `mshost`. */
export const SERVER_STATES = [
  'Up',
  'Down',
  'PreparingForMaintenance',
  'Maintenance',
  'PreparingForShutDown',
  'ReadyToShutDown',
  'ShuttingDown',
] as const;

export type ServerState = (typeof SERVER_STATES)[number];

export interface ServerDescription {
  /** 48 bits. */
  readonly msid: number;
  readonly name: string;
  readonly version: string;
  /** As it stands in `host`. */
  readonly serviceIp: string;
  readonly osDistribution: string | null;
  readonly kernelVersion: string | null;
  /** When the machine was started. */
  readonly lastBootTime: number | null;
}

export interface ServerClaim {
  /** Random, of this process. */
  readonly runId: string;
  /** Random, kept in `data.dir`. */
  readonly dataDirToken: string;
  /** The heartbeat counter at which the claimant has seen the present holder stand still. @default none */
  readonly silentBeat?: number;
  /** States that outlive the restart; from any other the server comes up as `Up`. @default none */
  readonly keepStates?: readonly ServerState[];
}

export type ServerClaimed =
  | {
      readonly claimed: true;
      readonly server: ServerRow;
    }
  | {
      readonly claimed: false;
      /** Who has it, and since when it was last heard of. */
      readonly holder: ServerRow;
    };

export type Heartbeat =
  | { readonly kind: 'alive'; readonly state: ServerState }
  /** Another run has the row, or it is gone: this process has no business any more. */
  | { readonly kind: 'foreign'; readonly holder: ServerRow | undefined };

export interface ServerRow extends ServerDescription {
  readonly id: number;
  readonly uuid: string;
  /** Null once the server has stopped in good order. */
  readonly runId: string | null;
  readonly state: ServerState;
  /** Who or what brought it into this state; null: itself. */
  readonly stateBy: string | null;
  /** Since when, by the store's clock. */
  readonly stateSince: number;
  /** The last heartbeat, by the store's clock. */
  readonly lastUpdate: number;
  /** Raised by each heartbeat. */
  readonly beat: number;
  /** It serves agents: it has read the hosts, and its agents' port is bound. As of its last heartbeat. */
  readonly joined: boolean;
  /** The agents' port, to which other servers come too: the last one that was bound. Null: none was. */
  readonly servicePort: number | null;
  /** By the store's clock. */
  readonly started: number | null;
  /** The last orderly stop, by the server's clock; null: there was none. */
  readonly stopped: number | null;
  readonly created: number;
}

export interface ServerStateChange {
  readonly from: readonly ServerState[];
  readonly to: ServerState;
  readonly by?: string;
  /** It only goes on with what somebody has asked for: who that was is kept. @default false */
  readonly keepsBy?: boolean;
  /** Only if its heartbeat counter still has this value. */
  readonly beat?: number;
  /** Only if this run has the row. */
  readonly runId?: string;
}

/** A step that an operator has asked for. */
export interface OrderedStateChange extends ServerStateChange {
  /** What it is from now on if it has stopped in good order. @default `to` */
  readonly ifStopped?: ServerState;
  /** Refused while another server is in one of these states. Of two changes at once, one sees the other. */
  readonly unlessAnotherIs?: readonly ServerState[];
}

export type OrderedStateChanged =
  | { readonly done: true; readonly jobs: readonly JobRow[] }
  | {
      readonly done: false;
      /** The server's state, which is none of those that the step starts from. Undefined: it is gone. */
      readonly state: ServerState | undefined;
      /** The server that is in one of the states of `unlessAnotherIs`. */
      readonly another: { readonly serviceIp: string; readonly state: ServerState } | undefined;
    };

export interface LinkStatusRow {
  readonly msid: number;
  /** By the server's clock. */
  readonly at: number;
  /** When they were written, by the store's clock: the same as before means the same content. */
  readonly updated: number;
  /** By the store's clock. */
  readonly ageMs: number;
  /** Undefined: the caller has it already. */
  readonly packed: Uint8Array | undefined;
}
