import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../../lib/clock.js';
import { CALL_LIMIT_MS } from '../sql/database.js';
import type { Store } from '../store.js';
import { StoreError } from '../store-error.js';
import type { FileIdentity } from './file-identity.js';
import { decodeError, type FromWorker, type ToWorker, type WorkerInput } from './thread-messages.js';

/** Milliseconds between the pings of the worker, while calls wait for it. */
const PING_MS = 500;
/** By then no call has got an answer within its limit. */
const UNANSWERED_PINGS = CALL_LIMIT_MS / PING_MS;

interface Call {
  readonly operation: string;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

export type Opened = FromWorker & { readonly kind: 'opened' };

/** One worker thread from its start to its end, and the calls that wait for it. */
export class StoreThread {
  /** @throws StoreError, FatalError */
  readonly opened: Promise<Opened>;
  /** Why the thread ended; undefined: in good order. */
  readonly ended: Promise<Error | undefined>;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #givenUp = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #calls = new Map<number, Call>();
  #isOpen = false;
  #end: Error | undefined;
  #lastId = 0;
  #unanswered = 0;
  #ping: Timer | undefined;

  /** @param expected the file that an earlier thread had open */
  constructor(path: string, clock: Clock, expected: FileIdentity | undefined) {
    this.#clock = clock;
    const workerData: WorkerInput = { path, expected, givenUp: this.#givenUp.buffer };
    // Without the options of this process: a loader or a debugger is not for the worker.
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, execArgv: [] });
    this.ended = this.#watchEnd();
    this.opened = this.#watchStart();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** @throws StoreError */
  call(operation: keyof Store, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) throw new StoreError('STORE_UNAVAILABLE', operation, { cause: this.#end });
      const id = ++this.#lastId;
      // Throws when an argument cannot be cloned.
      this.#send({ kind: 'call', id, operation, args });
      this.#calls.set(id, { operation, resolve, reject });
      if (this.#calls.size > 1) return;
      this.#worker.ref();
      this.#pingLater();
    });
  }

  /** Calls under way end first. Resolves when the thread has ended, or does not answer. */
  async close(): Promise<void> {
    try {
      await this.opened;
      await this.call('close', []);
    } catch {
      void this.#worker.terminate();
      return;
    }
    this.#worker.ref();
    await this.ended;
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #watchStart(): Promise<Opened> {
    return new Promise((resolve, reject) => {
      this.#worker.on('message', (message: FromWorker) => {
        if (message.kind === 'failed') reject(decodeError(message.error));
        else if (message.kind === 'opened') {
          this.#isOpen = true;
          // From now on only calls keep the process alive.
          this.#worker.unref();
          resolve(message);
        } else this.#receive(message);
      });
      void this.ended.then(reason => reject(reason ?? new Error('the thread ended while it opened the store')));
    });
  }

  #watchEnd(): Promise<Error | undefined> {
    return new Promise(resolve => {
      let failure: Error | undefined;
      this.#worker.once('error', error => {
        failure = error;
      });
      this.#worker.once('exit', code => {
        const reason = code === 0 ? undefined : (failure ?? new Error(`the store's thread ended with code ${code}`));
        this.#isOpen = false;
        this.#end = reason ?? new Error("the store's thread has ended");
        this.#failAll(this.#end);
        resolve(reason);
      });
    });
  }

  #receive(message: FromWorker & { readonly kind: 'done' | 'refused' | 'pong' }): void {
    this.#unanswered = 0;
    if (message.kind === 'pong') return;
    const call = this.#calls.get(message.id);
    // It was given up.
    if (call === undefined) return;
    this.#calls.delete(message.id);
    if (this.#calls.size === 0) this.#rest();
    if (message.kind === 'done') call.resolve(message.result);
    else call.reject(decodeError(message.error));
  }

  /** Pings are counted, not timed: if this thread stood still, the answers may be there and not yet read. */
  #pingLater(): void {
    this.#ping = this.#clock.after(PING_MS, () => {
      if (this.#unanswered >= UNANSWERED_PINGS) {
        this.#failAll(new Error('no answer in time'));
        return;
      }
      this.#unanswered++;
      this.#send({ kind: 'ping' });
      this.#pingLater();
    });
  }

  #failAll(reason: Error): void {
    Atomics.store(this.#givenUp, 0, this.#lastId);
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#rest();
    for (const { operation, reject } of calls) {
      reject(new StoreError('STORE_UNAVAILABLE', operation, { cause: reason }));
    }
  }

  #rest(): void {
    this.#ping?.cancel();
    this.#worker.unref();
  }
}
