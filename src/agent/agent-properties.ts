import { dirname } from 'node:path';
import { type Clock, delay } from '../lib/clock.js';
import { codeOf, reasonOf } from '../lib/errors.js';
import { writeFileAtomic } from '../lib/files/atomic-file.js';
import { type Disk, systemDisk } from '../lib/files/disk.js';
import { type PropertiesDocument, parseProperties } from '../lib/files/properties.js';
import type { Log } from '../lib/logger.js';

/**
 * Reads agent.properties. A missing file counts as empty.
 * @returns the document, empty when the file cannot be read, and the error for which it cannot
 * @example
 * const { document, error } = await readProperties('conf/agent.properties');
 * const settings = readSettings(key => document.get(key));
 */
export async function readProperties(
  path: string,
  disk: Disk = systemDisk,
): Promise<{ document: PropertiesDocument; error: unknown }> {
  try {
    return { document: parseProperties(await disk.readFile(path)), error: undefined };
  } catch (error) {
    return { document: parseProperties(''), error: codeOf(error) === 'ENOENT' ? undefined : error };
  }
}

/** A failed write is repeated after this. */
const RETRY_MS = 60_000;

/** Whether a key says who this host is: its guid, and the ids that servers have given to it. */
export function isIdentityKey(key: string): boolean {
  return /^(?:guid|\w+\.(?:id|uuid|name))$/.test(key);
}

/**
 * agent.properties: the agent reads it at its start, and writes to it what servers tell it. When the file cannot be
 * written, the agent logs it once, goes on with the values in memory, and repeats the write each minute.
 *
 * The identity is never lost: a write, and `close`, put back what of it the file has lost meanwhile, as when a template
 * has replaced it. A guid in the file is never replaced; when it is another one, the file gets no ids of this host.
 *
 * @example
 * const { document } = await readProperties('conf/agent.properties');
 * const properties = new AgentProperties('conf/agent.properties', document, systemClock, silentLog);
 */
export class AgentProperties {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #log: Log;
  #document: PropertiesDocument;
  /** Values that are not in the file yet; undefined: the key is to go. */
  readonly #unwritten = new Map<string, string | undefined>();
  /** What is known of who this host is, by key. */
  readonly #identity = new Map<string, string>();
  readonly #stopping = new AbortController();
  #writing: Promise<void> | undefined;
  #lastFailure: string | undefined;
  #guidSaid: string | undefined;

  /** @param document what `readProperties` has read from `path` */
  constructor(path: string, document: PropertiesDocument, clock: Clock, log: Log, disk: Disk = systemDisk) {
    this.#path = path;
    this.#disk = disk;
    this.#document = document;
    this.#clock = clock;
    this.#log = log;
    for (const key of document.keys()) this.#noteIdentity(key, document.get(key) ?? '');
  }

  /** The value of a key, whether or not it is in the file yet. */
  get(key: string): string | undefined {
    if (this.#unwritten.has(key)) return this.#unwritten.get(key);
    return this.#identity.get(key) ?? this.#document.get(key);
  }

  /**
   * Changes values. `get` has them at once; the file is written afterwards.
   * @param changes undefined removes the key
   */
  set(changes: Readonly<Record<string, string | undefined>>): void {
    for (const [key, value] of Object.entries(changes)) {
      if (this.get(key) !== value) this.#unwritten.set(key, value);
      this.#noteIdentity(key, value ?? '');
    }
    if (this.#unwritten.size > 0) this.#writing ??= this.#writeAll();
  }

  /** Reads the file again: from now on `get` has what an operator has changed in it. A file that is not there changes nothing. */
  async reload(): Promise<void> {
    const inFile = await this.#readFile();
    // A write reads it itself.
    if (inFile !== undefined && this.#writing === undefined) this.#document = inFile;
  }

  /** Tries once more to write pending values and what of the identity the file has lost, and then never again. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#writing;
    try {
      await this.#write(new Map(), 'only if it is there');
    } catch (error) {
      this.#sayFailure(reasonOf(error));
    }
  }

  #noteIdentity(key: string, value: string): void {
    if (isIdentityKey(key) && value !== '') this.#identity.set(key, value);
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
  async #write(changes: ReadonlyMap<string, string | undefined>, when?: 'only if it is there'): Promise<void> {
    const inFile = await this.#readFile();
    if (inFile === undefined && when !== undefined) return;
    const current = inFile ?? this.#document;
    const next = current.with(this.#withIdentity(current, changes));
    const bytes = next.toBytes();
    this.#document = next;
    if (inFile !== undefined && Buffer.compare(bytes, inFile.toBytes()) === 0) return;
    await this.#disk.makeFolder(dirname(this.#path));
    await writeFileAtomic(this.#path, bytes, { mode: 0o640, disk: this.#disk });
  }

  /** Undefined when there is no file, or an empty one: somebody is about to write it, and has emptied it first. */
  async #readFile(): Promise<PropertiesDocument | undefined> {
    try {
      const bytes = await this.#disk.readFile(this.#path);
      return bytes.length === 0 ? undefined : parseProperties(bytes);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** The changes, with what of the identity a document lacks, or without the identity when it is another host's. */
  #withIdentity(
    current: PropertiesDocument,
    changes: ReadonlyMap<string, string | undefined>,
  ): ReadonlyMap<string, string | undefined> {
    const guid = this.#identity.get('guid');
    const guidInFile = current.get('guid');
    const isAnothers = Boolean(guid && guidInFile && guid !== guidInFile);
    if (isAnothers && guidInFile !== this.#guidSaid) {
      this.#guidSaid = guidInFile;
      this.#log.error(
        'The properties file has another guid now: this agent keeps its own, and writes no ids to the file',
        {
          file: this.#path,
          guid,
          guidInFile,
        },
      );
    }
    const own = [...changes].filter(([key]) => !isIdentityKey(key));
    if (isAnothers) return new Map(own);
    const lost = [...this.#identity].filter(([key]) => !current.get(key) || changes.has(key));
    return new Map([...own, ...lost]);
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
