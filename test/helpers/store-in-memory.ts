import { sql } from 'kysely';
import Database from 'libsql';
import { type Clock, systemClock } from '../../src/lib/clock.js';
import { type Random, systemRandom } from '../../src/lib/random.js';
import type { SqlDatabase } from '../../src/mgmt/store/sql/database.js';
import { migrate } from '../../src/mgmt/store/sql/migration/migrate.js';
import { sqlStore } from '../../src/mgmt/store/sql/sql-store.js';
import { sqlDatabase } from '../../src/mgmt/store/sqlite/sqlite.js';
import type { Store } from '../../src/mgmt/store/store.js';

type Row = Readonly<Record<string, unknown>>;

/** A database whose schema is there, and the rows that each of its tables has when it is empty. */
interface MemoryDatabase {
  readonly database: SqlDatabase;
  readonly rows: ReadonlyMap<string, readonly Row[]>;
  /** That of the store that uses it. */
  clock: Clock;
}

/** Those that no store uses. */
const free: MemoryDatabase[] = [];

/** A new, empty store in memory, in this thread. Its database is that of an earlier one, emptied: migrations take longer than most tests. */
export async function openStoreInMemory(parts: { readonly clock: Clock; readonly random: Random }): Promise<Store> {
  const memory = free.pop() ?? (await migrated());
  memory.clock = parts.clock;
  const close = async () => {
    await becomeEmpty(memory);
    free.push(memory);
  };
  return sqlStore({ ...memory.database, close }, parts);
}

async function migrated(): Promise<MemoryDatabase> {
  const memory = { clock: systemClock };
  const clock: Clock = {
    now: () => memory.clock.now(),
    wallTime: () => memory.clock.wallTime(),
    after: (delayMs, callback) => memory.clock.after(delayMs, callback),
    turn: () => memory.clock.turn(),
  };
  const handle = new Database(':memory:');
  handle.exec('PRAGMA foreign_keys = ON');
  const database = sqlDatabase(handle, { clock, random: systemRandom }, () => {});
  await migrate(database, { clock, random: systemRandom });
  const { kysely } = database;
  const tables = await sql<{ name: string }>`select name from sqlite_master where type = 'table'`.execute(kysely);
  const rows = new Map<string, readonly Row[]>();
  for (const { name } of tables.rows)
    rows.set(name, (await sql<Row>`select * from ${sql.table(name)}`.execute(kysely)).rows);
  return Object.assign(memory, { database, rows });
}

async function becomeEmpty({ database, rows }: MemoryDatabase): Promise<void> {
  await database.kysely.transaction().execute(async db => {
    await sql`pragma defer_foreign_keys = on`.execute(db);
    for (const name of rows.keys()) await sql`delete from ${sql.table(name)}`.execute(db);
    for (const [name, kept] of rows) {
      for (const row of kept) {
        const values = sql.join(Object.values(row));
        await sql`insert into ${sql.table(name)} values (${values})`.execute(db);
      }
    }
  });
}
