import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, delay } from '../lib/clock.js';
import { codeOf, reasonOf } from '../lib/errors.js';
import { writeFileAtomic } from '../lib/files/atomic-file.js';
import { type PropertiesDocument, parseProperties } from '../lib/files/properties.js';
import type { Log } from '../lib/logger.js';

/**
 * Reads agent.properties. A missing file counts as empty.
 * @returns the document, empty when the file cannot be read, and the error for which it cannot
 * @example
 * const { document, error } = await readProperties('conf/agent.properties');
 * const settings = readSettings(key => document.get(key));
 */
export async function readProperties(path: string): Promise<{ document: PropertiesDocument; error: unknown }> {
  try {
    return { document: parseProperties(await readFile(path)), error: undefined };
  } catch (error) {
    return { document: parseProperties(''), error: codeOf(error) === 'ENOENT' ? undefined : error };
  }
}

/** A failed write is repeated after this. */
const RETRY_MS = 60_000;

/**
 * agent.properties: the agent reads it at its start, and writes to it what servers tell it. When the file cannot be
 * written, the agent logs it once, goes on with the values in memory, and repeats the write each minute.
 * @example
 * const { document } = await readProperties('conf/agent.properties');
 * const properties = new AgentProperties('conf/agent.properties', document, systemClock, silentLog);
 */
export class AgentProperties {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #document: PropertiesDocument;
  /** Values that are not in the file yet. */
  readonly #unwritten = new Map<string, string>();
  readonly #stopping = new AbortController();
  #writing: Promise<void> | undefined;
  #lastFailure: string | undefined;

  /** @param document what `readProperties` has read from `path` */
  constructor(path: string, document: PropertiesDocument, clock: Clock, log: Log) {
    this.#path = path;
    this.#document = document;
    this.#clock = clock;
    this.#log = log;
  }

  /** The value of a key, whether or not it is in the file yet. */
  get(key: string): string | undefined {
    return this.#unwritten.get(key) ?? this.#document.get(key);
  }

  /** Changes values. `get` has them at once; the file is written afterwards. */
  set(changes: Readonly<Record<string, string>>): void {
    for (const [key, value] of Object.entries(changes)) {
      if (this.get(key) !== value) this.#unwritten.set(key, value);
    }
    if (this.#unwritten.size > 0) this.#writing ??= this.#writeAll();
  }

  /** Tries once more to write pending values, and then never again. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#unwritten.size > 0) {
      const changes = new Map(this.#unwritten);
      try {
        await this.#write(changes);
      } catch (error) {
        this.#sayFailure(reasonOf(error));
        if (this.#stopping.signal.aborted) break;
        await delay(this.#clock, RETRY_MS, this.#stopping.signal);
        continue;
      }
      this.#lastFailure = undefined;
      for (const [key, value] of changes) {
        if (this.#unwritten.get(key) === value) this.#unwritten.delete(key);
      }
    }
    this.#writing = undefined;
  }

  /** Reads the file again first, so that changes by an operator stay. */
  async #write(changes: ReadonlyMap<string, string>): Promise<void> {
    let current = this.#document;
    try {
      current = parseProperties(await readFile(this.#path));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await mkdir(dirname(this.#path), { recursive: true });
    }
    const next = current.with(changes);
    await writeFileAtomic(this.#path, next.toBytes(), { mode: 0o640 });
    this.#document = next;
  }

  #sayFailure(reason: string): void {
    if (reason === this.#lastFailure) return;
    this.#lastFailure = reason;
    this.#log.error('Cannot write the properties file: what servers said is kept in memory only', {
      file: this.#path,
      keys: [...this.#unwritten.keys()],
      reason,
    });
  }
}
