import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { JournalDisk } from './journal-disk.js';
import { encodeRecord, type JournalRecord } from './journal-records.js';

export interface JournalWriterParts {
  readonly disk: JournalDisk;
  readonly clock: Clock;
  readonly log: Log;
  /** The whole journal, with what is being written. */
  snapshot(): Buffer;
  /** About its size, without making it. */
  snapshotBytes(): number;
}

interface Pending {
  readonly line: string;
  done(): void;
  failed(why: string): void;
}

/** After a failure, the next attempt comes no sooner. Until then all writes fail. */
const RETRY_MS = 1_000;
/** After a failure, what is not on disk is written again after this, also if nothing else is to be written. */
const AGAIN_MS = 10_000;
/** The file is written anew when it is so much longer than twice what it has to say. */
const SLACK_BYTES = 2 ** 20;

/**
 * Writes the journal: what comes while the disk is busy goes there together, with one fsync.
 *
 * After a failure nobody knows what the file has. So the next write replaces it by all that is remembered.
 */
export class JournalWriter {
  readonly #parts: JournalWriterParts;
  #pending: Pending[] = [];
  /** Lines that go to the disk with the next others. */
  #later = '';
  #writing: Promise<void> | undefined;
  /** The bytes of the file; undefined when it has to be written anew. */
  #bytes: number | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #lastFailure: string | undefined;
  #again: Timer | undefined;

  /** @param bytes the length of a file that is whole; undefined when there is none */
  constructor(parts: JournalWriterParts, bytes: number | undefined) {
    this.#parts = parts;
    this.#bytes = bytes;
  }

  /** Resolves when the record is on disk. @throws Error with the reason why it is not */
  write(record: JournalRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (why: string) => reject(new Error(why));
      this.#pending.push({ line: encodeRecord(record), done: resolve, failed });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Writes a record with the next other ones, or at the end. */
  writeLater(record: JournalRecord): void {
    this.#later += encodeRecord(record);
  }

  /** Writes what is not on disk yet, and never again. */
  async close(): Promise<void> {
    this.#again?.cancel();
    await this.#writing;
    if (this.#later !== '' || this.#lastFailure !== undefined) {
      this.#failedAt = Number.NEGATIVE_INFINITY;
      await this.#write([]);
    }
    this.#again?.cancel();
  }

  async #writeAll(): Promise<void> {
    // What is asked for in one turn of the event loop is written together.
    await Promise.resolve();
    do {
      const batch = this.#pending;
      this.#pending = [];
      const why = await this.#write(batch);
      for (const { done, failed } of batch) {
        if (why === undefined) done();
        else failed(why);
      }
    } while (this.#pending.length > 0);
    this.#writing = undefined;
  }

  /** @returns why it has failed */
  async #write(batch: readonly Pending[]): Promise<string | undefined> {
    const { disk, clock, log, snapshot, snapshotBytes } = this.#parts;
    if (this.#lastFailure !== undefined && clock.now() < this.#failedAt + RETRY_MS) return this.#lastFailure;
    try {
      const bytes = Buffer.from(this.#later + batch.map(({ line }) => line).join(''));
      this.#later = '';
      if (this.#bytes === undefined || this.#bytes + bytes.length > 2 * snapshotBytes() + SLACK_BYTES) {
        const whole = snapshot();
        await disk.replace(whole);
        this.#bytes = whole.length;
      } else {
        await disk.append(bytes);
        this.#bytes += bytes.length;
      }
    } catch (error) {
      const why = reasonOf(error);
      this.#bytes = undefined;
      this.#failedAt = clock.now();
      if (why !== this.#lastFailure) {
        log.error('Cannot write the journal of commands: commands with an id are refused', {
          file: disk.path,
          reason: why,
        });
      }
      this.#lastFailure = why;
      this.#again?.cancel();
      this.#again = clock.after(AGAIN_MS, () => {
        this.#writing ??= this.#writeAll();
      });
      return why;
    }
    if (this.#lastFailure !== undefined) log.info('The journal of commands can be written again', { file: disk.path });
    this.#lastFailure = undefined;
    this.#again?.cancel();
    return undefined;
  }
}
