import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { codeOf, reasonOf } from '../../lib/errors.js';
import { writeFileAtomic } from '../../lib/files/atomic-file.js';
import type { Log } from '../../lib/logger.js';
import { isSameSet } from '../../lib/same-set.js';
import { LIMITS } from '../../protocol/index.js';

/**
 * The addresses that names had when they were last looked up with success, in memory and in a JSON file of the form
 * `{"ms1.example.org":["192.0.2.1"]}`. The file is advice: when it cannot be read or written, the agent goes on
 * without it.
 */
export class KnownAddresses {
  readonly #file: string | undefined;
  readonly #log: Log;
  readonly #names = new Map<string, readonly string[]>();
  readonly #isRead: Promise<void>;
  #writing: Promise<void> | undefined;
  #isChanged = false;
  #hasFailed = false;

  /** @param file undefined to keep them in memory only */
  constructor(file: string | undefined, log: Log) {
    this.#file = file;
    this.#log = log;
    this.#isRead = file === undefined ? Promise.resolve() : this.#read(file);
  }

  /** @returns undefined when there are none */
  async get(name: string): Promise<readonly string[] | undefined> {
    await this.#isRead;
    return this.#names.get(name);
  }

  /** Keeps the addresses. The file is written afterwards, if they have changed. */
  async set(name: string, addresses: readonly string[]): Promise<void> {
    await this.#isRead;
    const before = this.#names.get(name);
    const kept = addresses.slice(0, LIMITS.addressesPerName);
    this.#names.delete(name);
    this.#names.set(name, kept);
    for (const oldest of this.#names.keys()) {
      if (this.#names.size <= LIMITS.knownNames) break;
      this.#names.delete(oldest);
    }
    if (before !== undefined && isSameSet(before, kept)) return;
    this.#isChanged = true;
    if (this.#file !== undefined) this.#writing ??= this.#write(this.#file);
  }

  async #read(file: string): Promise<void> {
    try {
      const names: unknown = JSON.parse(await readFile(file, 'utf8'));
      if (typeof names !== 'object' || names === null) return;
      for (const [name, addresses] of Object.entries(names).slice(0, LIMITS.knownNames)) {
        if (!Array.isArray(addresses)) continue;
        const usable = addresses.filter(address => typeof address === 'string' && isIP(address) > 0);
        if (usable.length > 0) this.#names.set(name, usable.slice(0, LIMITS.addressesPerName));
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#say('Cannot read the last good addresses', file, error);
    }
  }

  async #write(file: string): Promise<void> {
    while (this.#isChanged) {
      this.#isChanged = false;
      try {
        await writeFileAtomic(file, `${JSON.stringify(Object.fromEntries(this.#names))}\n`, { mode: 0o644 });
      } catch (error) {
        if (!this.#hasFailed) this.#say('Cannot write the last good addresses: they are kept in memory', file, error);
        this.#hasFailed = true;
      }
    }
    this.#writing = undefined;
  }

  #say(message: string, file: string, error: unknown): void {
    this.#log.warn(message, { file, reason: reasonOf(error) });
  }
}
