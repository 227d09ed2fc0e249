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
   * throws is logged, and changes nothing.
   * @returns what ends that; idempotent
   */
  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): () => void;
}

/** Tells listeners what happens. */
export class Emitter<Map> implements Events<Map> {
  readonly #log: Log;
  readonly #listeners: { [Name in keyof Map]?: Set<(event: Map[Name]) => void> } = {};

  constructor(log: Log) {
    this.#log = log;
  }

  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): () => void {
    const listeners = this.#listeners[name] ?? new Set();
    this.#listeners[name] = listeners;
    // A listener that is added twice is called twice.
    const own = (event: Map[Name]) => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  emit<Name extends keyof Map>(name: Name, event: Map[Name]): void {
    for (const listener of this.#listeners[name] ?? []) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error('A listener has failed', { event: String(name), reason: reasonOf(error) });
      }
    }
  }
}
