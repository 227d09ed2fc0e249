import type { AgentChanges, AgentStore } from '../store/agent-store.js';
import type { HostsCursor } from '../store/store.js';

export type HostChange = AgentChanges['hosts'][number];

export interface HostWatchListener {
  onRemoved(host: HostChange): void;
  /** The host's row as it is now, whoever changed it; the same change may come twice. */
  onChanged(host: HostChange): void;
}

/** Follows what becomes of hosts in the store, by the poll. */
export class HostWatch {
  readonly #store: Pick<AgentStore, 'hostsChanged'>;
  readonly #listener: HostWatchListener;
  #cursor: HostsCursor | undefined;

  constructor(store: Pick<AgentStore, 'hostsChanged'>, listener: HostWatchListener) {
    this.#store = store;
    this.#listener = listener;
  }

  /** The first one only finds out where the store stands. @throws StoreError */
  async poll(): Promise<void> {
    for (let more = true; more; ) {
      const changes = await this.#store.hostsChanged(this.#cursor);
      for (const host of changes.hosts) {
        if (host.removed === null) this.#listener.onChanged(host);
        else this.#listener.onRemoved(host);
      }
      this.#cursor = changes.cursor;
      more = changes.more;
    }
  }
}
