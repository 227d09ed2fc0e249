import type { Log } from '../../lib/logger.js';
import type { AgentStore } from '../store/agent-store.js';
import type { Configuration as StoredConfiguration } from '../store/store.js';
import { type Configuration, readConfiguration } from './parameters.js';

/** The configuration as the store has it, read anew by a poll. */
export class ConfigurationWatch {
  readonly #store: Pick<AgentStore, 'configuration'>;
  readonly #log: Log;
  #current: Configuration;

  /** @param start what the server starts with; its values are good */
  constructor(store: Pick<AgentStore, 'configuration'>, log: Log, start: Configuration) {
    this.#store = store;
    this.#log = log;
    this.#current = start;
  }

  get current(): Configuration {
    return this.#current;
  }

  /**
   * @param beforeTaking reads what was written ahead of a new configuration: rows as they should be under it
   * @returns whether there is another version now
   * @throws StoreError
   */
  async poll(beforeTaking: () => Promise<void>): Promise<boolean> {
    const stored = await this.#store.configuration();
    if (stored.version === this.#current.version) return false;
    await beforeTaking();
    return this.#take(stored);
  }

  #take(stored: StoredConfiguration): boolean {
    if (stored.version === this.#current.version) return false;
    const { configuration, invalid } = readConfiguration(stored, this.#current);
    this.#current = configuration;
    this.#log.info('Configuration changed', { version: configuration.version });
    for (const { name, text, reason } of invalid) {
      this.#log.error('The store has a value that cannot be used; the former one stays', { name, value: text, reason });
    }
    return true;
  }
}
