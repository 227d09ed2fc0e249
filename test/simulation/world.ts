import { Heap } from '../../scripts/programs/heap.js';
import type { Clock } from '../../src/lib/clock.js';
import type { Random } from '../../src/lib/random.js';
import { seededRandom } from '../helpers/seeded-random.js';

/** In which order things that are due at the same moment happen, as in one turn of Node's event loop. */
export const PHASE = { timers: 0, io: 1, check: 2 } as const;
export type Phase = (typeof PHASE)[keyof typeof PHASE];

/** Something that is to happen. */
export interface Happening {
  at: number;
  phase: Phase;
  /** Of two that are due at the same moment and in the same phase, the one that was planned earlier comes first. */
  order: number;
  /** Who does it. A process that has ended does nothing more. */
  readonly actor: Actor | undefined;
  /** Cleared when it is not to happen any more. */
  run: (() => void) | undefined;
  /** Where in the program it was planned. Known only once suspiciously many things happen at one moment. */
  readonly origin: string | undefined;
}

/** What a process is to the world. */
export interface Actor {
  readonly name: string;
  readonly isAlive: boolean;
  readonly isFrozen: boolean;
  /** It cannot act now: it takes this up when it can again. */
  postpone(happening: Happening): void;
}

/** More things never happen at one moment, not even to a process that has stood still for long. */
const MOST_AT_ONCE = 20_000;
/** Of so many, before the world ends for that, it is known where they were planned. */
const TRACED = 200;
const CALLERS = 3;
const TOLD = 3;

/** At one moment more and more happens, without an end. */
export class EndlessError extends Error {
  override readonly name = 'EndlessError';
}

/** The moment at which all worlds begin. */
export const BEGINNING = Date.UTC(2026, 0, 1);

/**
 * Time and chance of a simulated world. Everything that happens is a planned happening; between two of them only promises
 * run. So it is known, and not waited for, when there is nothing more to do at a moment: then time moves to the next one.
 */
export class World {
  readonly seed: number;
  /** Milliseconds since the beginning. */
  now = 0;
  readonly #queue = new Heap<Happening>(isBefore);
  #order = 0;
  /** Things that have happened since time went on last, and the last ones of too many. */
  #atOnce = 0;
  readonly #traced: string[] = [];

  constructor(seed: number) {
    this.seed = seed;
  }

  /** Chance for one purpose: what others take of theirs does not change it. */
  random(purpose: string): Random {
    return seededRandom(hashOf(`${this.seed} ${purpose}`));
  }

  plan(delayMs: number, phase: Phase, actor: Actor | undefined, run: () => void): Happening {
    const at = this.now + Math.max(0, delayMs);
    const happening: Happening = { at, phase, order: ++this.#order, actor, run, origin: this.#origin() };
    this.#queue.push(happening);
    return happening;
  }

  /** A happening whose actor can act again comes at this moment, behind those that were taken up before. */
  takeUp(happening: Happening): void {
    happening.at = this.now;
    happening.order = ++this.#order;
    this.#queue.push(happening);
  }

  /** The store's and the network's own clock: that of no process. */
  readonly clock: Clock = {
    now: () => this.now,
    wallTime: () => BEGINNING + this.now,
    after: (delayMs, callback) => {
      const happening = this.plan(delayMs, PHASE.timers, undefined, callback);
      return {
        cancel() {
          happening.run = undefined;
        },
      };
    },
    turn: () =>
      new Promise(resolve => {
        this.plan(0, PHASE.check, undefined, resolve);
      }),
  };

  /** @param afterEach is called after each happening, when all that it led to at once is done */
  async runUntil(moment: number, afterEach: () => void | Promise<void>): Promise<void> {
    for (;;) {
      const next = this.#queue.peek();
      if (next === undefined || next.at > moment) break;
      this.#queue.pop();
      const { actor, run } = next;
      if (run === undefined || actor?.isAlive === false) continue;
      if (actor?.isFrozen) {
        actor.postpone(next);
        continue;
      }
      this.#moveTo(next.at);
      this.#count(next);
      next.run = undefined;
      run();
      await quiet();
      await afterEach();
    }
    this.#moveTo(moment);
  }

  #moveTo(moment: number): void {
    if (moment <= this.now) return;
    this.now = moment;
    this.#atOnce = 0;
    this.#traced.length = 0;
  }

  /** @throws EndlessError */
  #count({ actor, origin }: Happening): void {
    this.#atOnce++;
    if (origin !== undefined) this.#traced.push(`${actor?.name ?? 'the world'}, planned ${origin}`);
    if (this.#atOnce < MOST_AT_ONCE) return;
    const counts = new Map<string, number>();
    for (const what of this.#traced) counts.set(what, (counts.get(what) ?? 0) + 1);
    const most = [...counts].sort(([, one], [, other]) => other - one).slice(0, TOLD);
    throw new EndlessError(
      `${MOST_AT_ONCE} things have happened at one moment, and it goes on; of the last ${this.#traced.length}: ${most
        .map(([what, count]) => `${count} times ${what}`)
        .join('; ')}`,
    );
  }

  #origin(): string | undefined {
    if (this.#atOnce < MOST_AT_ONCE - TRACED) return undefined;
    const frames = (new Error().stack ?? '').split('\n').slice(1);
    const callers = frames.filter(line => !/\/(?:world|simulated-process)\.[jt]s:|node:/.test(line)).slice(0, CALLERS);
    return callers.map(line => line.trim().replace(/file:\S*\/(?:dist|build)\//, '')).join(' ');
  }

  /** Time goes on until the work is done. @throws Error: it takes longer than `withinMs` */
  async passes<T>(work: Promise<T>, withinMs: number, afterEach: () => void | Promise<void>): Promise<T> {
    let isOver = false;
    work
      .catch(() => {})
      .finally(() => {
        isOver = true;
      });
    await quiet();
    const end = this.now + withinMs;
    while (!isOver && this.now < end) {
      const next = this.#queue.peek();
      await this.runUntil(Math.min(next?.at ?? end, end), afterEach);
    }
    if (!isOver) throw new Error(`it takes longer than ${withinMs} ms`);
    return work;
  }
}

/** Promises, and whatever follows from them without a happening, run to their end: all of them do so before the event loop turns. */
export function quiet(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

/** FNV-1a, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}

/** The next one comes first. */
function isBefore(one: Happening, other: Happening): boolean {
  if (one.at !== other.at) return one.at < other.at;
  return one.phase !== other.phase ? one.phase < other.phase : one.order < other.order;
}
