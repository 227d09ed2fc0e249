/** The management servers of the cluster, each a row that it keeps alive by a heartbeat. */
export interface ServerStore {
  /**
   * A server starts. Its row, found by the msid or made, gets the run id and the facts.
   *
   * The row is refused while another `data.dir` holds it: the token differs, the run has not been stopped, and its
   * heartbeat counter is not `silentBeat`. The same token takes over at once: the folder's lock says that the former
   * process is dead. Rows of the same address whose servers do not run any more are removed.
   */
  claimServer(facts: ServerDescription, claim: ServerClaim): Promise<ServerClaimed>;
  /**
   * Says that the server lives, and learns its state.
   * @param joined whether it serves agents
   */
  heartbeat(msid: number, runId: string, joined: boolean): Promise<Heartbeat>;
  /** All servers that there ever were and that are not removed, by ascending id. */
  servers(): Promise<readonly ServerRow[]>;
  /**
   * One step of a server's state, if it is in one of the states that the step starts from.
   * @returns whether it was done
   */
  changeServerState(msid: number, change: ServerStateChange): Promise<boolean>;
  /**
   * The server ends in good order: nobody need wait for its heartbeat.
   * @param at by the server's clock
   * @param kept states that outlive the stop, and what they become; any other becomes Down
   * @returns false when another run has the row by now, and nothing changed
   */
  stopServer(msid: number, runId: string, at: number, kept?: KeptStates): Promise<boolean>;

  /** The row is not a server's any more, if its heartbeat counter still has this value. @returns whether it was removed */
  retireServer(msid: number, beat: number): Promise<boolean>;

  /** What a server knows of its agents' links, packed; the former facts are replaced. @param at by the server's clock */
  putLinkFacts(msid: number, at: number, facts: Uint8Array): Promise<void>;
  linkFacts(): Promise<readonly LinkFacts[]>;
}

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

/** States that outlive a stop. Decided in the store: an order may come in the last moment. */
export interface KeptStates {
  readonly from: readonly ServerState[];
  readonly to: ServerState;
}

export type ServerClaimed =
  | {
      readonly claimed: true;
      readonly server: ServerRow;
      /** The state before; undefined: the msid is new. */
      readonly formerState: ServerState | undefined;
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
  /** How long ago that was when this was read, by the store's clock: for people. */
  readonly ageMs: number;
  /** Raised by each heartbeat. */
  readonly beat: number;
  /** It serves agents: it has read the hosts, and its agents' port is bound. As of its last heartbeat. */
  readonly joined: boolean;
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
  /** Only if its heartbeat counter still has this value. */
  readonly beat?: number;
  /** Only if this run has the row. */
  readonly runId?: string;
}

export interface LinkFacts {
  readonly msid: number;
  /** By the server's clock. */
  readonly at: number;
  /** By the store's. */
  readonly ageMs: number;
  readonly facts: Uint8Array;
}
