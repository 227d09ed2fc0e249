import type { AgentStore } from '../store/agent-store.js';
import { HOSTS_A_BATCH, type HostDescription } from '../store/store.js';
import { isAway, type StoreHealth } from '../store/store-health.js';

/** What the store returns of a host that it has registered. */
export type RegisteredRow = Awaited<ReturnType<AgentStore['registerHosts']>>[number];

interface Waiting {
  readonly description: HostDescription;
  resolve(registered: RegisteredRow): void;
  reject(error: unknown): void;
}

/** Registers hosts, one call of the store at a time: the Startups that come during a call share the next one. */
export class RegistrationBatches {
  readonly #store: Pick<AgentStore, 'registerHosts'>;
  readonly #health: StoreHealth;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(store: Pick<AgentStore, 'registerHosts'>, health: StoreHealth) {
    this.#store = store;
    this.#health = health;
  }

  /** @throws StoreError */
  register(description: HostDescription): Promise<RegisteredRow> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ description, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, HOSTS_A_BATCH);
      this.#waiting = this.#waiting.slice(HOSTS_A_BATCH);
      await this.#write(batch);
    }
    this.#isWriting = false;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const descriptions = batch.map(one => one.description);
      const registrations = await this.#health.watch(() => this.#store.registerHosts(descriptions));
      for (const [index, one] of batch.entries()) {
        const registration = registrations[index];
        if (registration === undefined) one.reject(new Error('a host that was registered has no row'));
        else one.resolve(registration);
      }
    } catch (error) {
      // One host that the store refuses must not keep the others out.
      if (batch.length > 1 && !isAway(error)) for (const one of batch) await this.#write([one]);
      else for (const one of batch) one.reject(error);
    }
  }
}
