import type { AgentStore } from '../store/agent-store.js';
import type { ChangedHost, HostsCursor, HostVersions } from '../store/store.js';

export interface HostWatchListener {
  onRemoved(host: ChangedHost): void;
  /** The host's row as it is now, whichever server changed it. */
  onChanged(host: ChangedHost): void;
}

/** Follows what becomes of hosts in the store, by the poll. Each version of a row is read once. */
export class HostWatch {
  readonly #store: Pick<AgentStore, 'hostVersions' | 'hostsById'>;
  readonly #listener: HostWatchListener;
  /** The versions that the next reading may name again, by host id. */
  readonly #known = new Map<number, number>();
  #cursor: HostsCursor | undefined;

  constructor(store: Pick<AgentStore, 'hostVersions' | 'hostsById'>, listener: HostWatchListener) {
    this.#store = store;
    this.#listener = listener;
  }

  /** The first one only finds out where the store stands. @throws StoreError */
  async poll(): Promise<void> {
    const named = new Set<number>();
    for (let more = true; more; ) {
      const answer = await this.#store.hostVersions(this.#cursor);
      await this.#read(answer);
      for (const { id } of answer.versions) named.add(id);
      ({ cursor: this.#cursor, more } = answer);
    }
    // What this reading did not name again is out of the time that readings repeat.
    for (const id of this.#known.keys()) if (!named.has(id)) this.#known.delete(id);
  }

  async #read({ versions }: HostVersions): Promise<void> {
    const fresh = versions.filter(({ id, changed }) => this.#known.get(id) !== changed);
    for (const host of await this.#store.hostsById(fresh.map(({ id }) => id))) {
      if (host.removed === null) this.#listener.onChanged(host);
      else this.#listener.onRemoved(host);
      // The row may have been written once more since its version was named.
      this.#known.set(host.id, host.changed);
    }
  }
}
