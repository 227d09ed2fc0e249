import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { CommandId } from '../../protocol/index.js';
import { CommandMemory, type KeptOutcome, type MemoryBounds, type Moment } from './command-memory.js';
import type { CommandEffect, CommandEvent, CommandOutcome } from './command-state.js';
import type { JournalDisk } from './journal-disk.js';
import { decodeJournal, encodeJournal, type ReadJournal } from './journal-records.js';
import { JournalWriter } from './journal-writer.js';

/** What a journal is made of. */
export interface CommandJournalParts {
  /** Where its records are kept. */
  readonly disk: JournalDisk;
  /** Time and turns of the event loop: `systemClock`, or a clock of a test. */
  readonly clock: Clock;
  /** Where log lines go. */
  readonly log: Log;
  /** @default those of `LIMITS` */
  readonly bounds?: MemoryBounds;
}

/** One that has asked for the outcome of a packet with an id. */
export interface Asker {
  /** Whether it can still be told. */
  isThere(): boolean;
  tell(outcome: CommandOutcome): void;
}

type Run = () => Promise<string | undefined>;

/** An agent's own journal could not be read. It is tried again at the next command, but no sooner than this. */
const READ_AGAIN_MS = 1_000;
/** Of those who ask for one id again and again, the last ones are told. */
const MOST_ASKERS = 8;

/**
 * Carries packets of commands with an id out at most once, whatever happens to links, to the disk and to this process: an
 * id is on disk before the first command of the packet begins. Outcomes are kept until a server confirms them.
 * @example
 * const journal = new CommandJournal({ disk: fileDisk('conf/commands.journal'), clock: systemClock, log: silentLog });
 * await journal.open();
 */
export class CommandJournal {
  readonly #parts: CommandJournalParts;
  readonly #memory: CommandMemory;
  /** Undefined while the journal could not be read. */
  #writer: JournalWriter | undefined;
  #unreadable = 'the journal of commands was not opened';
  #readAgainAt = Number.NEGATIVE_INFINITY;
  readonly #asking = new Map<string, Asker[]>();
  readonly #runs = new Map<string, Run>();
  readonly #running = new Set<Promise<void>>();
  /** Calls back when the packet with this id is not in progress any more. */
  readonly #onEnded = new Map<string, (() => void)[]>();
  #isClosed = false;
  #onKept: (id: string, isTold: boolean) => void = () => {};

  constructor(parts: CommandJournalParts) {
    this.#parts = parts;
    this.#memory = new CommandMemory(parts.bounds);
  }

  /** Reads what an earlier process has left. Never throws: while it cannot be read, commands with an id are refused. */
  async open(): Promise<void> {
    const { disk, log, clock } = this.#parts;
    this.#readAgainAt = clock.now() + READ_AGAIN_MS;
    let bytes: Buffer | undefined;
    let found: ReadJournal;
    try {
      bytes = await disk.read();
      found = bytes === undefined ? { records: [], isTorn: false, isDamaged: false } : decodeJournal(bytes);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== this.#unreadable) {
        log.error('Cannot read the journal of commands: commands with an id are refused', { file: disk.path, reason });
      }
      this.#unreadable = reason;
      return;
    }
    if (found.isDamaged) {
      log.error(
        'The journal of commands is damaged: ids that it may have had are refused until nobody gives them any more',
        { file: disk.path, records: found.records.length },
      );
    }
    this.#memory.load(found, this.#moment());
    const parts = {
      disk,
      clock,
      log,
      snapshot: () => encodeJournal(this.#memory.records(this.#moment())),
      snapshotBytes: () => this.#memory.bytes,
    };
    this.#writer = new JournalWriter(parts, found.isTorn || found.isDamaged ? undefined : bytes?.length);
    const unknown = [...this.kept()].filter(({ outcome }) => 'unknown' in outcome).length;
    if (unknown > 0) {
      log.warn(
        'Commands were in progress when the last process of this agent ended: nobody knows what became of them',
        {
          packets: unknown,
        },
      );
    }
  }

  /**
   * A packet with an id has come. The asker is told the outcome at once or later, once, unless it is not there any more.
   * @param run carries the commands out, and returns their answers as the text of a body, or undefined when the process
   *   ends and nobody knows what becomes of them. It never rejects. It is called only if the id is new, and when it is on disk
   * @returns when the packet is not in progress any more
   */
  async ask(id: CommandId, asker: Asker, run: Run): Promise<void> {
    if (this.#writer === undefined && this.#parts.clock.now() >= this.#readAgainAt) {
      const opened = this.open();
      this.#track(opened);
      await opened;
    }
    this.#ask(id, asker, run);
    await this.#ended(id.commandId);
  }

  #ended(id: string): Promise<void> {
    if (!this.#memory.isInProgress(id)) return Promise.resolve();
    return new Promise(resolve => {
      this.#onEnded.set(id, [...(this.#onEnded.get(id) ?? []), resolve]);
    });
  }

  /** A server has stored the outcomes of these ids. */
  confirm(ids: readonly string[]): void {
    for (const id of ids) this.#on(id, { kind: 'confirmed' });
  }

  /** The outcomes that no server has confirmed, the oldest first. */
  kept(): Iterable<KeptOutcome> {
    return this.#memory.kept(this.#moment());
  }

  /** Calls back when an outcome is kept, and says whether one of those who have asked for it was told. */
  onKept(callback: (id: string, isTold: boolean) => void): void {
    this.#onKept = callback;
  }

  /**
   * No further commands begin. Waits for the turns of the event loop that those in progress may need to end at once, and for
   * the disk.
   */
  async close(turns: number): Promise<void> {
    this.#isClosed = true;
    for (let turn = 0; turn < turns && this.#running.size > 0; turn++) await this.#parts.clock.turn();
    await this.#writer?.close();
    await this.#parts.disk.close().catch(() => {});
  }

  #ask(id: CommandId, asker: Asker, run: Run): void {
    const { commandId } = id;
    if (this.#writer === undefined) {
      asker.tell({ kind: 'refused', why: `the journal of commands cannot be read: ${this.#unreadable}` });
      return;
    }
    const todo = this.#memory.ask(id, this.#moment());
    if ('refused' in todo) {
      asker.tell({ kind: 'refused', why: todo.refused });
      return;
    }
    this.#asking.set(commandId, [...(this.#asking.get(commandId) ?? []), asker].slice(-MOST_ASKERS));
    // Of a packet that is in progress already, the first run counts.
    if (!this.#runs.has(commandId)) this.#runs.set(commandId, run);
    this.#perform(commandId, todo);
  }

  #on(id: string, event: CommandEvent): void {
    this.#perform(id, this.#memory.on(id, event, this.#moment()));
    if (this.#memory.isInProgress(id)) return;
    for (const onEnded of this.#onEnded.get(id) ?? []) onEnded();
    this.#onEnded.delete(id);
  }

  #perform(id: string, effects: readonly CommandEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'write':
          this.#write(id, effect);
          break;
        case 'run':
          this.#run(id);
          break;
        case 'tell':
          this.#tell(id, effect.outcome);
          break;
      }
    }
  }

  #write(id: string, { record }: CommandEffect & { kind: 'write' }): void {
    if (record.kind === 'confirmed') {
      // Lost, the outcome is offered once more.
      this.#writer?.writeLater(record);
      return;
    }
    const written = this.#writer?.write(record);
    if (written === undefined) return;
    if (record.kind === 'started' && record.id === id) {
      this.#track(
        written.then(
          () => this.#on(id, { kind: 'written' }),
          error => {
            const why = `its id cannot be written to the journal of commands: ${reasonOf(error)}`;
            this.#on(id, { kind: 'not-written', why });
          },
        ),
      );
    } else {
      // What is not on disk is in memory, and written with all else once the disk takes it.
      this.#track(written.catch(() => {}));
    }
  }

  #run(id: string): void {
    const run = this.#runs.get(id);
    if (run === undefined || this.#isClosed) return;
    this.#track(
      run().then(answers => {
        if (answers !== undefined) this.#on(id, { kind: 'finished', answers });
      }),
    );
  }

  #tell(id: string, outcome: CommandOutcome): void {
    const askers = this.#asking.get(id) ?? [];
    this.#asking.delete(id);
    this.#runs.delete(id);
    const there = askers.filter(asker => asker.isThere());
    for (const asker of there) asker.tell(outcome);
    if (this.#memory.isKept(id)) this.#onKept(id, there.length > 0);
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    work.finally(() => this.#running.delete(work));
  }

  #moment(): Moment {
    const { clock } = this.#parts;
    return { now: clock.now(), wallTime: clock.wallTime() };
  }
}
