import type { AgentRow, AgentStore } from '../store/agent-store.js';

/** What an agent is told about itself. */
export interface HostIdentity {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly zoneId: number;
  readonly clusterId: number | null;
}

/** The identity, and where the store has the host. */
export interface RegisteredHost extends HostIdentity {
  /** The epoch in which the host is Connecting; undefined when a server has it, or the store was not asked. */
  readonly connectingEpoch: number | undefined;
}

/** Who is who, in memory, so that known agents can come while the store is away. */
export class KnownHosts {
  readonly #store: Pick<AgentStore, 'hosts'>;
  readonly #onLearned: (host: AgentRow) => void;
  readonly #byGuid = new Map<string, HostIdentity>();
  readonly #guids = new Map<number, string>();
  #lastId = 0;

  /** @param onLearned called with each row that was read or registered */
  constructor(store: Pick<AgentStore, 'hosts'>, onLearned: (host: AgentRow) => void) {
    this.#store = store;
    this.#onLearned = onLearned;
  }

  get(guid: string): HostIdentity | undefined {
    return this.#byGuid.get(guid);
  }

  learn(host: AgentRow): HostIdentity {
    const { guid, id, uuid, name, zoneId, clusterId } = host;
    const identity = { id, uuid, name, zoneId, clusterId };
    this.#onLearned(host);
    this.#byGuid.set(guid, identity);
    this.#guids.set(id, guid);
    return identity;
  }

  /** The host was removed: its guid would come back under another id. */
  forget(id: number): void {
    const guid = this.#guids.get(id);
    this.#guids.delete(id);
    // Under another id the guid may have come back already.
    if (guid !== undefined && this.#byGuid.get(guid)?.id === id) this.#byGuid.delete(guid);
  }

  /** Reads the hosts that are new since the last time, those of other servers too. @throws StoreError */
  async readOn(): Promise<void> {
    for (const host of await this.#store.hosts(this.#lastId)) {
      this.learn(host);
      this.#lastId = host.id;
    }
  }
}
