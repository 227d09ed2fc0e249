import { reasonOf } from './errors.js';
import type { Log } from './logger.js';

/**
 * Something that tells what happens. `Map` has the payload of each event by its name.
 * @example
 * const end = running.events.on('ready', ({ host }) => console.log(host));
 * end();
 */
export interface Events<Map> {
  /**
   * Has `listener` called with each event of this name, from now on, in the order in which listeners were added. What it
   * throws, or rejects with, is logged, and changes nothing. Nobody waits for it.
   * @returns what ends that; idempotent
   */
  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): () => void;
}

interface Listening<Map> {
  readonly name: keyof Map;
  readonly listener: (event: Map[keyof Map]) => void;
}

/** Tells listeners what happens. */
export class Emitter<Map> implements Events<Map> {
  readonly #log: Log;
  /** In the order in which they were added. They are few, and emitters many: an array takes less than a set for each name. */
  #listeners: readonly Listening<Map>[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): () => void {
    // A listener that is added twice is called twice. It is given events of this name alone.
    const own = { name, listener } as unknown as Listening<Map>;
    this.#listeners = [...this.#listeners, own];
    return () => {
      this.#listeners = this.#listeners.filter(other => other !== own);
    };
  }

  emit<Name extends keyof Map>(name: Name, event: Map[Name]): void {
    for (const { name: own, listener } of this.#listeners) {
      if (own !== name) continue;
      void callOut(
        () => listener(event),
        error => this.#log.error('A listener has failed', { event: String(name), reason: reasonOf(error) }),
      );
    }
  }
}

/**
 * Calls a function of the program that this library is a part of, at once. It may be anybody's, and an async one: without
 * this, what it throws would break off the work behind the call, and what it rejects with would end the process.
 * @param onFailure told what it throws, or rejects with; it does not throw itself
 * @returns when it has ended. Never rejects
 */
export async function callOut(call: () => unknown, onFailure: (error: unknown) => void): Promise<void> {
  try {
    await call();
  } catch (error) {
    onFailure(error);
  }
}
