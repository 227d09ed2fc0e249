import { FatalError, type FatalErrorCode, reasonOf } from '../../../lib/errors.js';
import type { SchemaUpgrade } from '../sql/migration/migrate.js';
import type { Store } from '../store.js';
import { StoreError, type StoreErrorCode } from '../store-error.js';
import type { FileIdentity } from './file-identity.js';

/** What the main thread and the store's worker thread send each other. Structured clone carries it. */

/** What the worker is started with. */
export interface WorkerInput {
  readonly path: string;
  /** The file that an earlier thread had open; undefined for the first one. */
  readonly expected: FileIdentity | undefined;
  /** One Int32: calls up to this id were given up, and must not begin any more. */
  readonly givenUp: SharedArrayBuffer;
}

export type ToWorker =
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly operation: keyof Store;
      readonly args: readonly unknown[];
    }
  /** The worker answers as soon as it is not in the middle of a statement. */
  | { readonly kind: 'ping' };

export type FromWorker =
  /** The first message, or `failed` is. */
  | {
      readonly kind: 'opened';
      /** The methods that its store has. */
      readonly operations: readonly (keyof Store)[];
      readonly upgrade: SchemaUpgrade | undefined;
      readonly file: FileIdentity;
    }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }
  | { readonly kind: 'done'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly error: ErrorMessage }
  | { readonly kind: 'pong' };

/** Structured clone keeps the name and the message of JavaScript's own errors only. */
export type ErrorMessage =
  | {
      readonly kind: 'store';
      readonly code: StoreErrorCode;
      readonly operation: string;
      readonly reason: string | undefined;
    }
  | { readonly kind: 'fatal'; readonly code: FatalErrorCode; readonly message: string }
  | { readonly kind: 'other'; readonly error: unknown };

export function encodeError(error: unknown): ErrorMessage {
  if (error instanceof StoreError) {
    const { code, operation, cause } = error;
    return { kind: 'store', code, operation, reason: cause === undefined ? undefined : reasonOf(cause) };
  }
  if (error instanceof FatalError) return { kind: 'fatal', code: error.code, message: error.message };
  return { kind: 'other', error };
}

/** The error as it was thrown; its cause is an error with the text alone. */
export function decodeError(message: ErrorMessage): unknown {
  switch (message.kind) {
    case 'store': {
      const { code, operation, reason } = message;
      return new StoreError(code, operation, reason === undefined ? undefined : { cause: new Error(reason) });
    }
    case 'fatal':
      return new FatalError(message.code, message.message);
    case 'other':
      return message.error;
  }
}
