import type { Transaction } from 'kysely';
import { withinLimit } from '../../../lib/abort.js';
import type { Clock } from '../../../lib/clock.js';
import type { Random } from '../../../lib/random.js';
import { StoreError } from '../store-error.js';
import { attempt, CALL_LIMIT_MS, type SqlDatabase } from './database.js';
import type { Schema } from './schema.js';

/** What one transaction does. It may run more than once, so it must have no effects outside the database. */
export type Work<T> = (db: Transaction<Schema>) => Promise<T>;

/** For a call that needs several transactions. Each has a time limit of its own. */
export interface CallTransactions {
  read<T>(work: Work<T>): Promise<T>;
  write<T>(work: Work<T>): Promise<T>;
}

/** Runs the store's calls as transactions, each with its turn, its attempts and its time limit. */
export class Transactions {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly random: Random;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(database: SqlDatabase, parts: { readonly clock: Clock; readonly random: Random }) {
    this.database = database;
    this.clock = parts.clock;
    this.random = parts.random;
  }

  read<T>(operation: string, work: Work<T>): Promise<T> {
    return this.several(operation, ({ read }) => read(work));
  }

  write<T>(operation: string, work: Work<T>): Promise<T> {
    return this.several(operation, ({ write }) => write(work));
  }

  async several<T>(operation: string, run: (transactions: CallTransactions) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new StoreError('STORE_CLOSED', operation);
    const ended = run({
      read: work => this.#transact(operation, this.#deadline(), 'read only', work),
      write: work => this.#inTurn(operation, this.#deadline(), work),
    });
    // `close` waits for it.
    this.#underWay.add(ended);
    try {
      return await ended;
    } finally {
      this.#underWay.delete(ended);
    }
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underWay).then(() => this.database.close());
    return this.#closing;
  }

  #deadline(): number {
    return this.clock.now() + CALL_LIMIT_MS;
  }

  async #inTurn<T>(operation: string, deadline: number, work: Work<T>): Promise<T> {
    const leave = await this.database.writers?.acquire();
    try {
      return await this.#transact(operation, deadline, 'read write', work);
    } finally {
      leave?.();
    }
  }

  #transact<T>(operation: string, deadline: number, accessMode: 'read only' | 'read write', work: Work<T>): Promise<T> {
    const checkDeadline = () => {
      if (this.clock.now() >= deadline) throw new StoreError('STORE_BUSY', operation);
    };
    const tryOnce = async () => {
      // It waited for its turn too long: the caller has given up.
      checkDeadline();
      return this.database.kysely
        .transaction()
        .setAccessMode(accessMode)
        .execute(async db => {
          checkDeadline();
          const result = await work(db);
          // A call that has failed for its caller must not be committed afterwards.
          checkDeadline();
          return result;
        });
    };
    let lastFailure: StoreError | undefined;
    const done = attempt(operation, this.database.judge, this, tryOnce, deadline, failure => {
      lastFailure = failure;
    });
    if (!this.database.mayHang) return done;
    // What is late then ends by the limit of its connection.
    return withinLimit(
      this.clock,
      deadline - this.clock.now(),
      () => done,
      () => {
        const cause = new Error('no answer in time');
        throw lastFailure ?? new StoreError('STORE_UNAVAILABLE', operation, { cause });
      },
    );
  }
}
