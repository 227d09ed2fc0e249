import type { AgentStore } from '../store/agent-store.js';
import { pagesOf } from '../store/pages.js';
import type { AgentRow } from '../store/store.js';

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
export interface KnownHost extends Omit<AgentRow, 'changed' | 'msHostList'> {
  /** The row's version; undefined: this has not been read yet. */
  readonly changed?: number | undefined;
}

/** All hosts in memory, so that known agents can come while the store is away, and rows can be compared with links. */
export class KnownHosts {
  readonly #store: Pick<AgentStore, 'hosts'>;
  readonly #onLearned: (host: KnownHost, former: KnownHost | undefined) => void;
  readonly #byGuid = new Map<string, KnownHost>();
  readonly #byId = new Map<number, KnownHost>();
  #connected = 0;

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

  /** Hosts that a server has. */
  get connected(): number {
    return this.#connected;
  }

  *[Symbol.iterator](): IterableIterator<KnownHost> {
    yield* this.#byId.values();
  }

  learn(host: KnownHost): KnownHost {
    const former = this.#byId.get(host.id);
    const known = pick(host, former?.changed);
    this.#byGuid.set(known.guid, known);
    this.#byId.set(known.id, known);
    this.#connected += connections(known) - connections(former);
    this.#onLearned(known, former);
    return known;
  }

  /** The host was removed: its guid would come back under another id. */
  forget(id: number): void {
    const forgotten = this.#byId.get(id);
    const guid = forgotten?.guid;
    this.#byId.delete(id);
    this.#connected -= connections(forgotten);
    // Under another id the guid may have come back already.
    if (guid !== undefined && this.#byGuid.get(guid)?.id === id) this.#byGuid.delete(guid);
  }

  /** Reads all hosts. @throws StoreError */
  async read(): Promise<void> {
    for await (const page of pagesOf(after => this.#store.hosts(after))) for (const host of page) this.learn(host);
  }
}

function connections(host: KnownHost | undefined): 0 | 1 {
  return host === undefined || host.msid === null ? 0 : 1;
}

/** Rows come with more columns than 100,000 hosts are worth in memory. */
function pick(host: KnownHost, formerChanged: number | undefined): KnownHost {
  return {
    id: host.id,
    uuid: host.uuid,
    guid: host.guid,
    name: host.name,
    zoneId: host.zoneId,
    clusterId: host.clusterId,
    preferred: host.preferred,
    nextPreferred: host.nextPreferred,
    nextGeneration: host.nextGeneration,
    status: host.status,
    msid: host.msid,
    epoch: host.epoch,
    instanceId: host.instanceId,
    linkAddress: host.linkAddress,
    changed: host.changed ?? formerChanged,
  };
}
