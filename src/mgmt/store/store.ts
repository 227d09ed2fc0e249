/**
 * What the servers of one cluster share, in the words of the domain. Nobody outside this folder knows that it is SQL.
 * Every method may reject with a `StoreError`; after one, nothing of the call has been written.
 */
export interface Store {
  /** All values at one moment, and the generation they belong to. */
  configuration(): Promise<Configuration>;
  /**
   * Writes each value whose name the store does not have yet.
   * @returns where the store had another value already: that one, which stands
   */
  initialiseConfiguration(values: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>>;
  /** @returns the generation in which the value stands; setting what is there already makes no new one */
  setConfiguration(name: string, value: string): Promise<number>;

  /** The id of a zone; the first use of a name gives it one. */
  zoneId(name: string): Promise<number>;
  /**
   * The ids of a zone's hosts that are not removed, whatever their state, ascending.
   * @param after only ids beyond this one
   */
  ring(zoneId: number, after?: number): Promise<readonly number[]>;

  /** Finds the host with this guid, or makes it; takes over the facts either way. A host that is Up stays Up. */
  registerHost(facts: HostFacts): Promise<Registration>;
  /**
   * The server `msid` takes the host.
   * @returns the new epoch; undefined when the host has been removed meanwhile
   */
  hostReady(id: number, ready: HostReady): Promise<number | undefined>;
  /** The agent acknowledged a new list. @returns false when the host has moved on to another epoch, and nothing changed */
  hostMsHostList(id: number, epoch: number, msHostList: string): Promise<boolean>;
  /**
   * The owner lost the host. It is written only while owner and epoch are still these: an agent that left is often
   * Ready at another server before the old one notices.
   * @returns whether it was written
   */
  hostDisconnected(id: number, disconnected: HostDisconnected): Promise<boolean>;
  /**
   * The server `msid` has no agents any more: it stops, or starts after it was killed. Hosts that have moved on stay.
   * @returns how many hosts it still had
   */
  releaseHosts(msid: number, released: HostsReleased): Promise<number>;
  /** Its id is never used again; the same guid would come back with another. @returns false when there was none */
  removeHost(id: number, at: number): Promise<boolean>;
  /**
   * All hosts that are not removed, by ascending id.
   * @param after only ids beyond this one
   */
  hosts(after?: number): Promise<readonly HostRow[]>;
  /** A host that is not removed. */
  host(id: number): Promise<HostRow | undefined>;

  secret(name: string): Promise<Uint8Array | undefined>;
  /** The first writer wins. @returns what the store has now, which may be another server's */
  createSecret(name: string, ciphertext: Uint8Array): Promise<Uint8Array>;

  /** Lets calls under way end; later ones reject with `STORE_CLOSED`. Idempotent. */
  close(): Promise<void>;
}

export interface Configuration {
  /** Raised by every change; 0 before the first. */
  readonly version: number;
  readonly values: ReadonlyMap<string, string>;
}

/** What an agent says of its host at Startup. `null`: it did not say. */
export interface HostFacts {
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
  readonly cpus: number | null;
  /** MHz. */
  readonly speed: number | null;
  /** Bytes. */
  readonly ram: number | null;
}

export type HostStatus = 'Connecting' | 'Up' | 'Disconnected' | 'Removed';

/** A host that is not removed. Moments are milliseconds since 1970, UTC. */
export interface HostRow extends HostFacts {
  readonly id: number;
  readonly uuid: string;
  readonly status: HostStatus;
  /** The server that has it; null when none does. */
  readonly msid: number | null;
  /** Raised each time a server takes the host: what an older epoch still wants to write is void. */
  readonly epoch: number;
  /** `A,B,C@algorithm` as a server last saw the agent report or acknowledge it. */
  readonly msHostList: string | null;
  readonly lastPing: number | null;
  readonly disconnected: number | null;
  readonly disconnectReason: string | null;
  readonly created: number;
}

export interface Registration {
  readonly host: HostRow;
  /** This guid was not there before: the ring has grown. */
  readonly isNew: boolean;
}

export interface HostReady {
  readonly msid: number;
  readonly msHostList: string | null;
  readonly at: number;
}

export interface HostDisconnected {
  /** Who had the host; null: nobody had it, it was still Connecting. */
  readonly msid: number | null;
  readonly epoch: number;
  readonly at: number;
  readonly reason: string;
}

export interface HostsReleased {
  readonly at: number;
  readonly reason: string;
}
