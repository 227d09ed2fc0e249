import type { Kysely } from 'kysely';
import { delay } from '../../../../lib/clock.js';
import { FatalError } from '../../../../lib/errors.js';
import { type AttemptParts, attempt, type SqlDatabase } from '../database.js';
import type { Schema } from '../schema.js';
import { MIGRATIONS, type Migration } from './migrations.js';

/** The numbers of the last migration before and after; 0: the database was empty. */
export interface SchemaUpgrade {
  readonly from: number;
  readonly to: number;
}

/** An owner that has not finished one step in this time is taken for dead. */
const LEASE_MS = 30_000;
/** Long enough for a dead owner's lease to end. */
const WAIT_LIMIT_MS = 60_000;
const LOOK_AGAIN_MS = 250;

/**
 * Brings the schema up to date. Several servers may start at the same moment: one of them carries out the steps under a
 * lock row, and the others wait for it. A lock of the database would end with the implicit commits of MariaDB.
 * @returns what this call has done; undefined: the schema was up to date, or another server did it
 * @throws FatalError, StoreError
 */
export async function migrate(
  database: SqlDatabase,
  parts: AttemptParts,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<SchemaUpgrade | undefined> {
  const { clock, random } = parts;
  const newest = migrations.at(-1)?.number ?? 0;
  const owner = random.uuid();
  const deadline = clock.now() + WAIT_LIMIT_MS;
  const write = <T>(work: (db: Kysely<Schema>) => Promise<T>) =>
    // Another server's step may take longer than a call should.
    attempt(
      'migrate',
      database.judge,
      parts,
      () => database.kysely.transaction().execute(work),
      clock.now() + WAIT_LIMIT_MS,
    );

  await write(createOwnTables);
  for (let upgrade: SchemaUpgrade | undefined; ; ) {
    const applied = await write(appliedMigration);
    if (applied.number > newest) throw tooNew(applied, newest);
    if (applied.number === newest) return upgrade;
    if (await write(async db => lock(db, owner, await database.storeTime(db)))) {
      try {
        upgrade = { from: upgrade?.from ?? applied.number, to: await applyAll() };
      } finally {
        await write(db => unlock(db, owner));
      }
    } else {
      if (clock.now() >= deadline) {
        throw new FatalError('STORE_UNUSABLE', 'another server has been changing the schema for a minute; start again');
      }
      await delay(clock, LOOK_AGAIN_MS * (0.5 + random.uniform()));
    }
  }

  /** Carries out what is missing as long as the lock is ours. @returns the number of the last step */
  async function applyAll(): Promise<number> {
    for (;;) {
      const last = await write(async db => {
        const { number } = await appliedMigration(db);
        const step = migrations.find(migration => migration.number > number);
        // The lock is read within the transaction: an owner that was stopped for longer than its lease must not go on.
        if (step === undefined || !(await renew(db, owner, await database.storeTime(db)))) return number;
        await step.up(db, database.schema);
        const { name, since } = step;
        await db
          .insertInto('schema_migration')
          .values({ number: step.number, name, since, applied: clock.wallTime() })
          .execute();
        return undefined;
      });
      if (last !== undefined) return last;
    }
  }
}

async function createOwnTables(db: Kysely<Schema>): Promise<void> {
  await db.schema
    .createTable('schema_migration')
    .ifNotExists()
    .addColumn('number', 'integer', column => column.primaryKey())
    .addColumn('name', 'varchar(255)', column => column.notNull())
    .addColumn('since', 'varchar(64)', column => column.notNull())
    .addColumn('applied', 'bigint', column => column.notNull())
    .execute();
  await db.schema
    .createTable('migration_lock')
    .ifNotExists()
    .addColumn('id', 'integer', column => column.primaryKey())
    .addColumn('owner', 'varchar(64)')
    .addColumn('expires', 'bigint', column => column.notNull())
    .execute();
}

async function appliedMigration(db: Kysely<Schema>): Promise<{ number: number; since: string }> {
  const row = await db
    .selectFrom('schema_migration')
    .select(['number', 'since'])
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ?? { number: 0, since: '' };
}

async function lock(db: Kysely<Schema>, owner: string, at: number): Promise<boolean> {
  const taken = await db
    .updateTable('migration_lock')
    .set({ owner, expires: at + LEASE_MS })
    .where(eb => eb.or([eb('owner', 'is', null), eb('expires', '<', at)]))
    .executeTakeFirst();
  if (taken.numUpdatedRows > 0n) return true;
  const held = await db.selectFrom('migration_lock').select('id').executeTakeFirst();
  if (held !== undefined) return false;
  await db
    .insertInto('migration_lock')
    .values({ id: 1, owner, expires: at + LEASE_MS })
    .execute();
  return true;
}

async function renew(db: Kysely<Schema>, owner: string, at: number): Promise<boolean> {
  const renewed = await db
    .updateTable('migration_lock')
    .set({ expires: at + LEASE_MS })
    .where('owner', '=', owner)
    .executeTakeFirst();
  return renewed.numUpdatedRows > 0n;
}

async function unlock(db: Kysely<Schema>, owner: string): Promise<void> {
  await db.updateTable('migration_lock').set({ owner: null }).where('owner', '=', owner).execute();
}

function tooNew(applied: { number: number; since: string }, newest: number): FatalError {
  return new FatalError(
    'STORE_TOO_NEW',
    `the store's schema is number ${applied.number}, and this server knows up to ${newest}: ` +
      `it needs Muster ${applied.since} or newer`,
  );
}
