import { withinLimit } from '../../../lib/abort.js';
import type { Clock } from '../../../lib/clock.js';
import { reasonOf } from '../../../lib/errors.js';
import type { Log } from '../../../lib/logger.js';
import { CALL_LIMIT_MS } from '../sql/database.js';
import type { OpenedStore } from '../sql/sql-store.js';
import type { Store } from '../store.js';
import { StoreError } from '../store-error.js';
import type { FileIdentity } from './file-identity.js';
import { type Opened, StoreThread } from './store-thread.js';

interface WorkerStoreParts {
  /** Only for the waits of this thread: the worker has the system's clock. */
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Opens the store in a worker thread, so that neither its statements nor the waits for the disk block the event loop of
 * this thread.
 * @throws StoreError, FatalError
 */
export async function openWorkerStore(path: string, parts: WorkerStoreParts): Promise<OpenedStore> {
  const client = new StoreClient(path, parts);
  const { operations, upgrade } = await client.start();
  const methods = operations.map(operation => [
    operation,
    (...args: readonly unknown[]) => client.call(operation, args),
  ]);
  // The worker's store has these methods and is a `Store`.
  const store = { ...Object.fromEntries(methods), close: () => client.close() } as Store;
  return { store, upgrade };
}

/** Sends calls to the worker thread, and starts another one when it has died. */
class StoreClient {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Undefined after the thread has died, until the next call. */
  #thread: StoreThread | undefined;
  /** The file that the first thread has opened: a later thread must not make another one. */
  #file: FileIdentity | undefined;
  #closing: Promise<void> | undefined;

  constructor(path: string, { clock, log }: WorkerStoreParts) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
  }

  start(): Promise<Opened> {
    return this.#running().opened;
  }

  async call(operation: keyof Store, args: readonly unknown[]): Promise<unknown> {
    if (this.#closing !== undefined) throw new StoreError('STORE_CLOSED', operation);
    const thread = this.#running();
    if (!thread.isOpen) await this.#hasOpened(thread, operation);
    return thread.call(operation, args);
  }

  close(): Promise<void> {
    this.#closing ??= this.#thread?.close() ?? Promise.resolve();
    return this.#closing;
  }

  #running(): StoreThread {
    this.#thread ??= this.#newThread();
    return this.#thread;
  }

  #newThread(): StoreThread {
    const thread = new StoreThread(this.#path, this.#clock, this.#file);
    thread.opened.then(
      ({ file }) => {
        this.#file = file;
        return thread.ended.then(reason => {
          if (reason === undefined) return;
          this.#log.error('The thread of the store has died; the next call starts another one', {
            reason: reasonOf(reason),
          });
        });
      },
      // It ends by itself; the next call tries anew.
      () => this.#forget(thread),
    );
    void thread.ended.then(() => this.#forget(thread));
    return thread;
  }

  #forget(thread: StoreThread): void {
    if (this.#thread === thread) this.#thread = undefined;
  }

  /** @throws StoreError when the thread cannot open the store, or not in time */
  async #hasOpened(thread: StoreThread, operation: string): Promise<void> {
    try {
      await withinLimit(
        this.#clock,
        CALL_LIMIT_MS,
        () => thread.opened,
        () => {
          throw new Error('the store was not opened in time');
        },
      );
    } catch (error) {
      if (error instanceof StoreError) throw new StoreError(error.code, operation, { cause: error.cause });
      throw new StoreError('STORE_UNAVAILABLE', operation, { cause: error });
    }
  }
}
