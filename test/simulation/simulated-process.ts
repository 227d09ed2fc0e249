import type { Clock, Timer } from '../../src/lib/clock.js';
import type { Random } from '../../src/lib/random.js';
import { type Actor, BEGINNING, type Happening, PHASE, type World } from './world.js';

/** How wrong the clocks of a machine run at most, in parts per million. */
const MONOTONIC_PPM = 2_000;
const WALL_PPM = 500;

/** The clocks of a machine: each runs a little wrong, at a rate of its own, and somebody sets the wall clock. */
export class MachineClock {
  /** Its seconds for each second of the world: of the monotonic clock … */
  readonly rate: number;
  /** … and of the wall clock. */
  readonly #wallRate: number;
  #setByMs = 0;

  constructor(random: Random) {
    const rateWithin = (ppm: number) => 1 + (2 * random.uniform() - 1) * (ppm / 1_000_000);
    this.rate = rateWithin(MONOTONIC_PPM);
    this.#wallRate = rateWithin(WALL_PPM);
  }

  /** Somebody sets the wall clock: nothing else is changed by that. */
  set(byMs: number): void {
    this.#setByMs += byMs;
  }

  /** @param now the world's milliseconds since its beginning */
  wallTime(now: number): number {
    return Math.round(BEGINNING + now * this.#wallRate + this.#setByMs);
  }
}

/** One process, from its start to its end: it has timers, and takes part in the network. */
export class SimulatedProcess implements Actor {
  readonly name: string;
  readonly #world: World;
  readonly #timers = new Set<Happening>();
  #postponed: Happening[] = [];
  #isAlive = true;
  #isFrozen = false;
  /** What happens in it until it crashes, and what is called then. */
  #untilCrash: { left: number; readonly crash: () => void } | undefined;
  readonly clock: Clock;

  constructor(name: string, world: World, machine: MachineClock) {
    this.name = name;
    this.#world = world;
    this.clock = {
      now: () => world.now * machine.rate,
      wallTime: () => machine.wallTime(world.now),
      after: (delayMs, callback) => this.#after(Math.max(0, delayMs) / machine.rate, callback),
      turn: () =>
        new Promise(resolve => {
          this.plan(0, PHASE.check, resolve);
        }),
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** Timers that are set: none when all that it did has ended. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Something is to happen in this process. */
  plan(delayMs: number, phase: (typeof PHASE)[keyof typeof PHASE], run: () => void): Happening {
    return this.#world.plan(delayMs, phase, this, () => {
      run();
      if (this.#untilCrash !== undefined && --this.#untilCrash.left <= 0) this.#crash(this.#untilCrash.crash);
    });
  }

  /** What comes from outside the process. */
  receive(delayMs: number, run: () => void): void {
    this.plan(delayMs, PHASE.io, run);
  }

  /** Behind so many things that happen in it: between two of them, which are often less than a millisecond apart. */
  crashAfter(happenings: number, crash: () => void): void {
    this.#untilCrash = { left: happenings, crash };
  }

  #crash(crash: () => void): void {
    this.#untilCrash = undefined;
    this.#world.plan(0, PHASE.timers, this, crash);
  }

  /** It ends at once, in the middle of whatever it does. */
  end(): void {
    this.#isAlive = false;
    this.#postponed = [];
    this.#timers.clear();
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  /** It goes on: first with timers that are due, then with what has come, as Node's event loop does. */
  thaw(): void {
    this.#isFrozen = false;
    const postponed = this.#postponed.toSorted(
      (one, other) => one.phase - other.phase || one.at - other.at || one.order - other.order,
    );
    this.#postponed = [];
    for (const happening of postponed) this.#world.takeUp(happening);
  }

  postpone(happening: Happening): void {
    this.#postponed.push(happening);
  }

  #after(delayMs: number, callback: () => void): Timer {
    const happening = this.plan(delayMs, PHASE.timers, () => {
      this.#timers.delete(happening);
      callback();
    });
    this.#timers.add(happening);
    return {
      cancel: () => {
        happening.run = undefined;
        this.#timers.delete(happening);
      },
    };
  }
}
