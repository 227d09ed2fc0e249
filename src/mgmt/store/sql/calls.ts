import type { Kysely, Transaction } from 'kysely';
import type { Clock, Timer } from '../../../lib/clock.js';
import type { Random } from '../../../lib/random.js';
import { StoreError } from '../store-error.js';
import { attempt, CALL_LIMIT_MS, type SqlDatabase } from './database.js';
import type { Schema, SequenceTable } from './schema.js';

/** What one transaction does. It may be carried out more than once, so what it does outside the database must bear that. */
export type Work<T> = (db: Transaction<Schema>) => Promise<T>;

/** The transactions of one call. */
export interface Steps {
  read<T>(work: Work<T>): Promise<T>;
  write<T>(work: Work<T>): Promise<T>;
}

/** Carries out the store's calls as transactions: each has its turn, its attempts and its deadline. */
export class Calls {
  readonly database: SqlDatabase;
  readonly clock: Clock;
  readonly random: Random;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(database: SqlDatabase, env: { readonly clock: Clock; readonly random: Random }) {
    this.database = database;
    this.clock = env.clock;
    this.random = env.random;
  }

  read<T>(operation: string, work: Work<T>): Promise<T> {
    return this.several(operation, steps => steps.read(work));
  }

  write<T>(operation: string, work: Work<T>): Promise<T> {
    return this.several(operation, steps => steps.write(work));
  }

  /** One call of several transactions, each with a deadline of its own. */
  async several<T>(operation: string, run: (steps: Steps) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new StoreError('STORE_CLOSED', operation);
    const ended = run({
      read: work => this.#transact(operation, this.#deadline(), 'read only', work),
      write: work => this.#inTurn(operation, this.#deadline(), work),
    });
    // Whoever closes the store waits for what is under way.
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
      // The caller has given up on what stood in line that long.
      checkDeadline();
      return this.database.kysely
        .transaction()
        .setAccessMode(accessMode)
        .execute(async db => {
          checkDeadline();
          const result = await work(db);
          // Before the commit: what the caller was told has failed must not be written behind its back.
          checkDeadline();
          return result;
        });
    };
    let lastFailure: StoreError | undefined;
    const done = attempt(operation, this.database.judge, this, tryOnce, deadline, failure => {
      lastFailure = failure;
    });
    if (!this.database.mayHang) return done;
    const late = () =>
      lastFailure ?? new StoreError('STORE_UNAVAILABLE', operation, { cause: new Error('no answer in time') });
    return this.#until(deadline, done, late);
  }

  /** Does not wait for an answer that comes too late; the connection that owes it is given up by its own limit. */
  async #until<T>(deadline: number, done: Promise<T>, lateError: () => StoreError): Promise<T> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = this.clock.after(deadline - this.clock.now(), () => reject(lateError()));
    });
    try {
      return await Promise.race([done, late]);
    } finally {
      timer?.cancel();
      done.catch(() => {});
    }
  }
}

/** The next values of a counter, raised in the transaction that uses them: none is ever given twice. @returns the last */
export async function raise(db: Kysely<Schema>, name: SequenceTable['name'], by = 1): Promise<number> {
  const raised = await db
    .updateTable('sequence')
    .set(eb => ({ value: eb('value', '+', by) }))
    .where('name', '=', name)
    .executeTakeFirst();
  if (raised.numUpdatedRows === 0n) await db.insertInto('sequence').values({ name, value: by }).execute();
  return current(db, name);
}

export async function current(db: Kysely<Schema>, name: SequenceTable['name']): Promise<number> {
  const row = await db.selectFrom('sequence').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value ?? 0;
}
