import type { JournalDisk } from '../../src/agent/commands/journal-disk.js';

/** A disk in memory, which fails when a test wants it to, and survives the crash of a process. */
export class FakeDisk implements JournalDisk {
  readonly path = 'commands.journal';
  /** What a process finds after a crash; undefined: no file. */
  content: Buffer | undefined;
  /** Why reads and writes fail. */
  readFailure: string | undefined;
  writeFailure: string | undefined;
  /** Of a write that fails, so many bytes are there all the same. */
  tornBytes = 0;
  /** How many times it was written to: each is one fsync. */
  writes = 0;
  replaced = 0;
  /** While set, writes wait for it. */
  held: Promise<void> | undefined;
  #isGone = false;

  constructor(content?: Buffer) {
    this.content = content;
  }

  /** The process ends, and what it has not written yet is lost. @returns the disk of the next one */
  crash(): FakeDisk {
    this.#isGone = true;
    return new FakeDisk(this.content);
  }

  async read(): Promise<Buffer | undefined> {
    if (this.readFailure !== undefined) throw new Error(this.readFailure);
    return this.content;
  }

  async append(bytes: Buffer): Promise<void> {
    await this.#turn();
    this.writes++;
    const old = this.content ?? Buffer.alloc(0);
    if (this.writeFailure !== undefined) {
      this.content = Buffer.concat([old, bytes.subarray(0, this.tornBytes)]);
      throw new Error(this.writeFailure);
    }
    this.content = Buffer.concat([old, bytes]);
  }

  async replace(bytes: Buffer): Promise<void> {
    await this.#turn();
    this.writes++;
    if (this.writeFailure !== undefined) throw new Error(this.writeFailure);
    this.replaced++;
    this.content = bytes;
  }

  async close(): Promise<void> {}

  /** For a process that has ended, nothing comes back from the disk. */
  async #turn(): Promise<void> {
    await this.held;
    if (this.#isGone) await new Promise<never>(() => {});
  }
}
