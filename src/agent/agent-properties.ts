import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../lib/atomic-file.js';
import { type Clock, delay } from '../lib/clock.js';
import { codeOf, reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import { type PropertiesDocument, parseProperties } from '../lib/properties.js';

/** A missing file is an empty one, without an error. One that cannot be read is taken as empty. */
export async function readProperties(path: string): Promise<{ document: PropertiesDocument; error: unknown }> {
  try {
    return { document: parseProperties(await readFile(path)), error: undefined };
  } catch (error) {
    return { document: parseProperties(''), error: codeOf(error) === 'ENOENT' ? undefined : error };
  }
}

/** A write that failed is tried again after this. */
const RETRY_MS = 60_000;

/**
 * agent.properties: what the agent reads at start, and writes as servers tell it new things. A file that cannot be
 * written is said once; the agent goes on with what it has in memory, and tries again.
 */
export class AgentProperties {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #document: PropertiesDocument;
  /** What the file does not have yet. */
  readonly #unwritten = new Map<string, string>();
  readonly #stopping = new AbortController();
  #writing: Promise<void> | undefined;
  #lastFailure: string | undefined;

  constructor(path: string, document: PropertiesDocument, clock: Clock, log: Log) {
    this.#path = path;
    this.#document = document;
    this.#clock = clock;
    this.#log = log;
  }

  get(key: string): string | undefined {
    return this.#unwritten.get(key) ?? this.#document.get(key);
  }

  /** Takes the changes at once; the file follows. */
  set(changes: Readonly<Record<string, string>>): void {
    for (const [key, value] of Object.entries(changes)) {
      if (this.get(key) !== value) this.#unwritten.set(key, value);
    }
    if (this.#unwritten.size > 0) this.#writing ??= this.#writeAll();
  }

  /** One last attempt to write what is pending, and no more after that. */
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

  /** Reads the file anew, so that what an operator has changed meanwhile stays. */
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
