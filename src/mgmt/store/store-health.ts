import type { Clock } from '../../lib/clock.js';
import { codeOf, reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { retryWhile } from '../../lib/retry.js';
import { StoreError, type StoreErrorCode } from './store-error.js';

/**
 * Whether the store answers. While it is away, calls do not wait for it: agents that are known register from memory,
 * and what has to be written waits for the poll, which goes on asking, to find it back.
 */
export class StoreHealth {
  readonly #log: Log;
  readonly #onBack: (() => void)[] = [];
  readonly #onReplaced: (() => void)[] = [];
  #away = false;
  #isReplaced = false;

  constructor(log: Log) {
    this.#log = log;
  }

  get away(): boolean {
    return this.#away;
  }

  /** Whether the store is away because its file is not the one that was opened. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** Called each time the file is found to be another one, or gone. */
  onReplaced(listener: () => void): void {
    this.#onReplaced.push(listener);
  }

  /** Called each time the store answers again after it was away. */
  onBack(listener: () => void): void {
    this.#onBack.push(listener);
  }

  /** Carries out a call, and learns from how it ends. @throws StoreError */
  async watch<T>(call: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await call();
    } catch (error) {
      if (isAway(error)) this.#lost(error);
      throw error;
    }
    this.#found();
    return result;
  }

  #lost(error: unknown): void {
    if (codeOf(error) === 'STORE_REPLACED' && !this.#isReplaced) {
      this.#away = true;
      this.#noteReplaced(error);
    }
    if (this.#away) return;
    this.#away = true;
    this.#log.error('The store is away; connected agents stay, and known ones may come', { reason: reasonOf(error) });
  }

  #noteReplaced(error: unknown): void {
    this.#isReplaced = true;
    this.#log.error('The database file was deleted or replaced: put it back, or restart this server', {
      reason: reasonOf(error),
    });
    for (const listener of this.#onReplaced) listener();
  }

  #found(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#isReplaced = false;
    this.#log.info('The store is back');
    for (const listener of this.#onBack) listener();
  }
}

/** The store as a whole does not do its work, rather than refuse this one call. */
export function isAway(error: unknown): boolean {
  return error instanceof StoreError && AWAY.has(error.code);
}

const AWAY: ReadonlySet<StoreErrorCode> = new Set([
  'STORE_BUSY',
  'STORE_UNAVAILABLE',
  'STORE_READ_ONLY',
  'STORE_FULL',
  'STORE_REPLACED',
  'STORE_CORRUPT',
]);

/** Tries again while the store is away. @throws StoreError, and the reason of `stopping` */
export function retryWhileAway<T>(
  parts: { readonly clock: Clock; readonly stopping: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  return retryWhile(parts, work, isAway);
}
