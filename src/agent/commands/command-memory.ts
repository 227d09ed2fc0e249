import { type CommandId, LIMITS } from '../../protocol/index.js';
import { type CommandEffect, type CommandEvent, type CommandState, next, PROCESS_ENDED } from './command-state.js';
import type { JournalRecord, ReadJournal } from './journal-records.js';

/** The bounds of an agent's memory: see `LIMITS`. Tests have smaller ones. */
export interface MemoryBounds {
  /** Packets in progress, and likewise packets whose answers are kept. */
  readonly commands: number;
  readonly bytes: number;
  readonly ids: number;
  readonly memoryMs: number;
  readonly delayMs: number;
}

const BOUNDS: MemoryBounds = {
  commands: LIMITS.commandsKept,
  bytes: LIMITS.commandBytesKept,
  ids: LIMITS.commandIdsKept,
  memoryMs: LIMITS.commandMemoryMs,
  delayMs: LIMITS.commandDelayMs,
};

/** Both clocks at one moment: only the wall time goes on while no process runs. */
export interface Moment {
  /** Monotonic milliseconds. */
  readonly now: number;
  /** Milliseconds since 1970. */
  readonly wallTime: number;
}

interface Entry {
  readonly state: CommandState;
  /** When nobody gives the id any more, by the monotonic clock, with the time that a packet may be under way. */
  readonly until: number;
  /** Since when its outcome is kept; undefined: it is not. */
  keptSince: number | undefined;
}

/** One outcome that no server has confirmed. */
export interface KeptOutcome {
  readonly id: string;
  /** Monotonic milliseconds. */
  readonly since: number;
  /** The text of the answers, or why nobody can say what became of the commands. */
  readonly outcome: { readonly answers: string } | { readonly unknown: string };
}

/** Looking through all ids for those whose time is over is done at most this often. */
const FORGET_EVERY_MS = 10_000;
/** Of the ids that have no room, so many are forgotten at once: one of this. */
const FORGET_PART = 20;
/** About what a line of the journal has beside the id and the answers. */
const LINE_BYTES = 64;

/**
 * What an agent remembers of packets with an id: `command-state` for each, within bounds. It has no I/O.
 *
 * An id is remembered until nobody gives it any more. When one has to be forgotten earlier, new ids are taken only if their
 * time ends later than that of any forgotten one: so none is ever carried out twice.
 */
export class CommandMemory {
  readonly #bounds: MemoryBounds;
  readonly #entries = new Map<string, Entry>();
  /** Of these, those whose outcome is kept; the oldest first. */
  readonly #kept = new Map<string, Entry>();
  #keptBytes = 0;
  /** Of all entries, on disk. */
  #bytes = 0;
  #inProgress = 0;
  /** A new id whose time ends before this may be one that was forgotten. */
  #forgottenUntil = Number.NEGATIVE_INFINITY;
  #forgetAt = Number.NEGATIVE_INFINITY;

  constructor(bounds: MemoryBounds = BOUNDS) {
    this.#bounds = bounds;
  }

  /** How many packets are in progress. */
  get inProgress(): number {
    return this.#inProgress;
  }

  /** About the size of a journal that says all this and nothing else. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes what a journal says. Commands that it has no end of are `unknown` from now on. */
  load({ records, isDamaged }: ReadJournal, { now, wallTime }: Moment): void {
    const { memoryMs, delayMs } = this.#bounds;
    const longest = memoryMs + delayMs;
    // Whatever was given before this moment ends before that one.
    if (isDamaged) this.#forgottenUntil = now + longest;
    const last = new Map<string, CommandState>();
    for (const record of records) {
      switch (record.kind) {
        case 'started':
          last.set(record.id, { kind: 'unknown', why: PROCESS_ENDED });
          break;
        case 'finished':
          last.set(record.id, { kind: 'finished', answers: record.answers });
          break;
        case 'unknown':
          last.set(record.id, { kind: 'unknown', why: record.why });
          break;
        case 'confirmed':
          last.set(record.id, { kind: 'confirmed' });
          break;
        case 'forgotten':
          // Of a clock that was set meanwhile, no more is believed than can be.
          this.#forgottenUntil = Math.max(this.#forgottenUntil, now + Math.min(record.until - wallTime, longest));
          break;
      }
    }
    // How long the process was away is not known for sure: all of them may come again for as long as any.
    for (const [id, state] of last) this.#set(id, state, { now, until: now + longest });
    // Nothing is lost if this is not written: it is found out again at the next start.
    this.#makeRoom(now);
  }

  /** All that is remembered, as a new journal. */
  *records({ now, wallTime }: Moment): Generator<JournalRecord, void> {
    if (this.#forgottenUntil > now) yield { kind: 'forgotten', until: wallTime + (this.#forgottenUntil - now) };
    for (const [id, { state }] of this.#entries) {
      switch (state.kind) {
        case 'writing':
        case 'running':
          yield { kind: 'started', id };
          break;
        case 'finished':
          yield { kind: 'finished', id, answers: state.answers };
          break;
        case 'unknown':
          yield { kind: 'unknown', id, why: state.why };
          break;
        case 'confirmed':
          yield { kind: 'confirmed', id };
          break;
      }
    }
  }

  /**
   * A packet with an id has come.
   * @returns what to do, or why it is not carried out
   */
  ask({ commandId, expiresInMs }: CommandId, moment: Moment): readonly CommandEffect[] | { readonly refused: string } {
    const { now } = moment;
    this.#forgetOld(now);
    if (this.#entries.has(commandId)) return this.on(commandId, { kind: 'asked' }, moment);
    const refused = this.#objectionTo(expiresInMs, now);
    if (refused !== undefined) return { refused };
    const forgotten = this.#forgetSome(moment);
    const { state, effects } = next(commandId, undefined, { kind: 'asked' });
    if (state !== undefined) this.#set(commandId, state, { now, until: now + expiresInMs + this.#bounds.delayMs });
    return [...forgotten, ...effects];
  }

  /** Something has happened to the packet with this id. */
  on(id: string, event: CommandEvent, { now }: Moment): readonly CommandEffect[] {
    const entry = this.#entries.get(id);
    const { state, effects } = next(id, entry?.state, event);
    if (entry === undefined || state === entry.state) return effects;
    if (state === undefined) this.#remove(id);
    else this.#set(id, state, { now, until: entry.until });
    return state?.kind === 'finished' ? [...effects, ...this.#makeRoom(now)] : effects;
  }

  /** Outcomes that no server has confirmed, the oldest first. */
  *kept({ now }: Moment): Generator<KeptOutcome, void> {
    this.#forgetOld(now);
    for (const [id, { state, keptSince: since = now }] of this.#kept) {
      if (state.kind === 'finished') yield { id, since, outcome: { answers: state.answers } };
      else if (state.kind === 'unknown') yield { id, since, outcome: { unknown: state.why } };
    }
  }

  /** Whether the packet with this id is being carried out. */
  isInProgress(id: string): boolean {
    const state = this.#entries.get(id)?.state;
    return state !== undefined && isInProgress(state);
  }

  /** Whether the outcome of this id is one of them. */
  isKept(id: string): boolean {
    return this.#kept.has(id);
  }

  #objectionTo(expiresInMs: number, now: number): string | undefined {
    const { commands, memoryMs } = this.#bounds;
    if (expiresInMs < 1) return 'the time of its id is over';
    if (expiresInMs > memoryMs) return `its id is for longer than this agent remembers ids, ${memoryMs / 1000} s`;
    if (now + expiresInMs <= this.#forgottenUntil) {
      return 'its id may be one that this agent has forgotten, and the commands may have been carried out';
    }
    if (this.#inProgress >= commands) return `${commands} packets with an id are in progress already`;
    return undefined;
  }

  #set(id: string, state: CommandState, { now, until }: { readonly now: number; readonly until: number }): void {
    const keptSince = this.#entries.get(id)?.keptSince ?? now;
    this.#remove(id);
    const isKept = state.kind === 'finished' || state.kind === 'unknown';
    const entry: Entry = { state, until, keptSince: isKept ? keptSince : undefined };
    this.#entries.set(id, entry);
    this.#bytes += sizeOf(id, state);
    if (isInProgress(state)) this.#inProgress++;
    if (!isKept) return;
    this.#kept.set(id, entry);
    this.#keptBytes += sizeOf(id, state);
  }

  #remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const { state } = entry;
    this.#entries.delete(id);
    this.#bytes -= sizeOf(id, state);
    if (isInProgress(state)) this.#inProgress--;
    this.#unkeep(id, entry);
  }

  #unkeep(id: string, entry: Entry): void {
    if (!this.#kept.delete(id)) return;
    entry.keptSince = undefined;
    this.#keptBytes -= sizeOf(id, entry.state);
  }

  /** Answers that have no room are forgotten, the oldest first. Their ids are not. */
  #makeRoom(now: number): readonly CommandEffect[] {
    const { commands, bytes } = this.#bounds;
    const effects: CommandEffect[] = [];
    for (const [id, entry] of this.#kept) {
      if (this.#kept.size <= commands && this.#keptBytes <= bytes) break;
      effects.push(...this.on(id, { kind: 'dropped' }, { now, wallTime: 0 }));
      const dropped = this.#entries.get(id) ?? entry;
      this.#unkeep(id, dropped);
    }
    return effects;
  }

  /** Forgets what nobody asks for any more. */
  #forgetOld(now: number): void {
    if (now < this.#forgetAt) return;
    this.#forgetAt = now + FORGET_EVERY_MS;
    for (const [id, { state, until, keptSince }] of this.#entries) {
      const isOld = now >= until && (keptSince === undefined || now >= keptSince + this.#bounds.memoryMs);
      if (isOld && !isInProgress(state)) this.#remove(id);
    }
  }

  /** When there is no room for another id: forgets those whose time ends first. */
  #forgetSome({ now, wallTime }: Moment): readonly CommandEffect[] {
    if (this.#entries.size < this.#bounds.ids) return [];
    const ended = [...this.#entries].filter(([, { state }]) => !isInProgress(state));
    ended.sort(([, one], [, other]) => one.until - other.until);
    for (const [id, { until }] of ended.slice(0, Math.ceil(this.#bounds.ids / FORGET_PART))) {
      this.#remove(id);
      this.#forgottenUntil = Math.max(this.#forgottenUntil, until);
    }
    return [{ kind: 'write', record: { kind: 'forgotten', until: wallTime + (this.#forgottenUntil - now) } }];
  }
}

function isInProgress({ kind }: CommandState): boolean {
  return kind === 'writing' || kind === 'running';
}

function sizeOf(id: string, state: CommandState): number {
  const own = LINE_BYTES + id.length;
  // Characters: close enough, and counting bytes would read all of them.
  if (state.kind === 'finished') return own + state.answers.length;
  return state.kind === 'unknown' ? own + state.why.length : own;
}
