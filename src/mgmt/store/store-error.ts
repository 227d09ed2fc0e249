import { reasonOf } from '../../lib/errors.js';

const MEANINGS = {
  STORE_BUSY: 'the store did not get to it in time',
  STORE_UNAVAILABLE: 'the store cannot be reached',
  STORE_READ_ONLY: 'the store may not be written',
  STORE_FULL: 'no space is left for the store',
  STORE_REPLACED: 'the database file is not the one that was opened',
  STORE_CORRUPT: 'the store is damaged, or not a database',
  STORE_VALUE_REFUSED: 'the store cannot keep this value',
  STORE_CLOSED: 'the store is closed',
  STORE_FAILED: 'the store failed',
} as const;

/** Why a call to the store failed: see `docs/errors.md`. */
export type StoreErrorCode = keyof typeof MEANINGS;

/**
 * A call to the store failed, and has changed nothing, unless its method says otherwise. The database's own error is the
 * `cause`. `STORE_BUSY` and `STORE_UNAVAILABLE` pass: the same call may succeed later.
 * @example
 * try {
 *   await store.configuration();
 * } catch (error) {
 *   if (error instanceof StoreError && error.code === 'STORE_UNAVAILABLE') return undefined;
 *   throw error;
 * }
 */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** What is wrong, for programs. docs/errors.md has every code. */
  readonly code: StoreErrorCode;
  /** The method of `Store` that was called. */
  readonly operation: string;

  constructor(code: StoreErrorCode, operation: string, options?: ErrorOptions) {
    const reason = options?.cause === undefined ? '' : `: ${reasonOf(options.cause)}`;
    super(`${operation}: ${MEANINGS[code]}${reason}`, options);
    this.code = code;
    this.operation = operation;
  }
}
