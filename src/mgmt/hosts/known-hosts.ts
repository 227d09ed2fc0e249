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

/** A host's row as it was last read, by whichever way. */
export interface KnownHost extends AgentRow {
  /** When the row was written, by the store's clock; undefined: this has not been read yet. */
  readonly changed?: number | undefined;
}

/** All hosts in memory, so that known agents can come while the store is away, and rows can be compared with links. */
export class KnownHosts {
  readonly #store: Pick<AgentStore, 'hosts'>;
  readonly #onLearned: (host: KnownHost, former: KnownHost | undefined) => void;
  readonly #byGuid = new Map<string, KnownHost>();
  readonly #byId = new Map<number, KnownHost>();

  /** @param onLearned called with each row that was read or registered, and with what was known before */
  constructor(store: Pick<AgentStore, 'hosts'>, onLearned: (host: KnownHost, former: KnownHost | undefined) => void) {
    this.#store = store;
    this.#onLearned = onLearned;
  }

  get(guid: string): KnownHost | undefined {
    return this.#byGuid.get(guid);
  }

  byId(id: number): KnownHost | undefined {
    return this.#byId.get(id);
  }

  learn(host: KnownHost): KnownHost {
    const {
      id,
      uuid,
      guid,
      name,
      zoneId,
      clusterId,
      preferred,
      nextPreferred,
      nextGeneration,
      status,
      msid,
      epoch,
      instanceId,
      linkAddress,
    } = host;
    const former = this.#byId.get(id);
    const changed = host.changed ?? former?.changed;
    const known: KnownHost = {
      id,
      uuid,
      guid,
      name,
      zoneId,
      clusterId,
      preferred,
      nextPreferred,
      nextGeneration,
      status,
      msid,
      epoch,
      instanceId,
      linkAddress,
      changed,
    };
    this.#byGuid.set(guid, known);
    this.#byId.set(id, known);
    this.#onLearned(known, former);
    return known;
  }

  /** The host was removed: its guid would come back under another id. */
  forget(id: number): void {
    const guid = this.#byId.get(id)?.guid;
    this.#byId.delete(id);
    // Under another id the guid may have come back already.
    if (guid !== undefined && this.#byGuid.get(guid)?.id === id) this.#byGuid.delete(guid);
  }

  /** Reads all hosts. @throws StoreError */
  async read(): Promise<void> {
    for (const host of await this.#store.hosts()) this.learn(host);
  }
}
