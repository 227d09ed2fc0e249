import { type Clock, nextTurn, systemClock, type Timer } from '../lib/clock.js';

interface FakeTimer {
  readonly due: number;
  readonly callback: () => void;
}

/**
 * A clock that moves only when told to. `advance` runs what falls due, in order, and lets promises settle in between.
 * @example
 * const clock = new FakeClock();
 * clock.after(1_000, () => console.log('a second later'));
 * await clock.advance(1_000);
 */
export class FakeClock implements Clock {
  #now = 0;
  #setBy = 0;
  readonly #wallStart: number;
  /** In the order in which they were set. */
  readonly #timers = new Set<FakeTimer>();

  constructor(wallStart = Date.UTC(2026, 0, 1)) {
    this.#wallStart = wallStart;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#wallStart + this.#now + this.#setBy;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { due: this.#now + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  turn(): Promise<void> {
    return systemClock.turn();
  }

  /** How many timers are set: a test that stops something expects 0. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Somebody sets the machine's clock: the wall time steps, and nothing else does. */
  setWallTime(byMs: number): void {
    this.#setBy += byMs;
  }

  /** So much time passes at once, as for a process that stands still: what falls due runs late, at the next `advance`. */
  stall(ms: number): void {
    this.#now += ms;
  }

  /** Moves on by `ms`; timers that callbacks set run too when they fall due within it. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    do await this.advanceToNext(end - this.#now);
    while (this.#now < end || this.#next(end) !== undefined);
  }

  /** Moves on to the timer that is due next, runs it, and lets all come to rest. Without one it moves on by `withinMs`. */
  async advanceToNext(withinMs: number): Promise<void> {
    const end = this.#now + withinMs;
    await settle();
    const next = this.#next(end);
    this.#now = Math.max(this.#now, next?.due ?? end);
    if (next === undefined) return;
    this.#timers.delete(next);
    next.callback();
    await settle();
  }

  #next(end: number): FakeTimer | undefined {
    let next: FakeTimer | undefined;
    for (const timer of this.#timers)
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    return next;
  }
}

/** Node's names of turns of the event loop that somebody waits for, and of calls to files. */
const LISTED: ReadonlySet<string> = new Set(['Immediate', 'FSReqPromise', 'FSReqCallback', 'CloseReq']);
/** Node lists some calls for a moment after their end. */
const LOOK_MS = 5;
/** The turn that all who call `turnOfLoop` at this moment wait for. */
let turn: Promise<boolean> | undefined;
/** 1 while that turn is caused here: it is no work of the program under test. */
let ownTurns = 0;

/**
 * Lets pending promises, in-memory streams, turns of the event loop and calls to files come to rest. Node lists what is under way;
 * timers and sockets are not waited for.
 * @example
 * agent.ping();
 * await settle();
 */
export async function settle(): Promise<void> {
  // What native code has put off to the next turn is not listed: so two turns in a row have to be quiet.
  for (let quietTurns = 0; quietTurns < 2; ) quietTurns = (await turnOfLoop()) ? 0 : quietTurns + 1;
}

/**
 * One turn of the event loop. The process sleeps while only calls to files are under way.
 * @returns whether something is under way after it
 */
export function turnOfLoop(): Promise<boolean> {
  turn ??= nextLook().finally(() => {
    turn = undefined;
  });
  return turn;
}

async function nextLook(): Promise<boolean> {
  if (isAnythingUnderWay()) await nextTurn(LOOK_MS);
  else {
    ownTurns = 1;
    await systemClock.turn();
    ownTurns = 0;
  }
  return isAnythingUnderWay();
}

function isAnythingUnderWay(): boolean {
  let count = -ownTurns;
  for (const kind of process.getActiveResourcesInfo()) if (LISTED.has(kind)) count++;
  return count > 0;
}
