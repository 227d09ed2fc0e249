import type { AgentStore } from '../store/agent-store.js';

export interface Zone {
  readonly id: number;
  readonly name: string;
}

/** The zones that agents may register with. Agents name one by its name, or by its id, as CloudStack's operators do. */
export class Zones {
  readonly #store: Pick<AgentStore, 'zoneId'>;
  readonly #ids = new Map<string, number>();
  /** Names of the configuration that was read last, whose ids could not be read yet. */
  #unread = new Set<string>();

  constructor(store: Pick<AgentStore, 'zoneId'>) {
    this.#store = store;
  }

  /** Learns the ids of these names; those that are known cost nothing. @throws StoreError */
  async learn(names: readonly string[]): Promise<void> {
    this.#unread = new Set(names.filter(name => !this.#ids.has(name)));
    for (const name of [...this.#unread]) {
      this.#ids.set(name, await this.#store.zoneId(name));
      this.#unread.delete(name);
    }
  }

  /** Whether ids are still to be read: a zone that is not found may be one of those. */
  get areIncomplete(): boolean {
    return this.#unread.size > 0;
  }

  /** @param names those that are configured now */
  find(nameOrId: string, names: readonly string[]): Zone | undefined {
    for (const wanted of [
      (name: string) => name === nameOrId,
      (name: string) => String(this.#ids.get(name)) === nameOrId,
    ]) {
      const name = names.find(wanted);
      const id = name === undefined ? undefined : this.#ids.get(name);
      if (name !== undefined && id !== undefined) return { id, name };
    }
    return undefined;
  }
}
