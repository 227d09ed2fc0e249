import {
  CreateTableNode,
  type Dialect,
  Kysely,
  type KyselyPlugin,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type PluginTransformQueryArgs,
  RawNode,
  sql,
} from 'kysely';
import { HOSTS_A_PIECE } from '../sql/batches.js';
import { type AttemptParts, attempt, type SchemaDialect, type SqlDatabase } from '../sql/database.js';
import type { Schema } from '../sql/schema.js';
import { MysqlDriver } from './driver.js';
import { judgeMysql } from './errors.js';
import type { MysqlLimits } from './session.js';
import { readTlsOptions } from './tls-options.js';
import type { MysqlUrl } from './url.js';

/** Within the 2 s of a call there is time to find a node dead and to ask another one. */
export const CALL_LIMITS: MysqlLimits = { connectMs: 1_000, statementMs: 1_500 };

/** A step of the schema may have to copy a large table. */
export const MIGRATION_LIMITS: MysqlLimits = { connectMs: 5_000, statementMs: 60_000 };

/** MariaDB, MySQL, or a Galera cluster of several nodes. The database must be there. @throws StoreError, ConfigError */
export async function openMysql(url: MysqlUrl, parts: AttemptParts, limits: MysqlLimits): Promise<SqlDatabase> {
  const tables = new TableOptions();
  const ssl = await readTlsOptions(url.tls);
  const createDriver = () => new MysqlDriver(url, ssl, parts.clock, limits);
  const kysely = new Kysely<Schema>({ dialect: mysqlDialect(createDriver), plugins: [tables] });
  const findVersion = async () => {
    const { rows } = await sql<{ version: string }>`select version() as version`.execute(kysely);
    tables.setVersion(rows[0]?.version ?? '');
  };
  try {
    await attempt('open', judgeMysql, parts, findVersion, parts.clock.now() + limits.connectMs * url.hosts.length);
  } catch (error) {
    await kysely.destroy();
    throw error;
  }
  return {
    kysely,
    schema: schemaDialect,
    mayHang: true,
    rowsAStatement: HOSTS_A_PIECE,
    now: () => STORE_TIME,
    greatest: (one, other) => sql`greatest(${one}, ${other})`,
    async storeTime(db) {
      const { rows } = await sql<{ now: number }>`select ${STORE_TIME} as now`.execute(db);
      if (rows[0] === undefined) throw new Error('the database did not tell its time');
      return rows[0].now;
    },
    locked: query => query.forUpdate(),
    judge: judgeMysql,
    close: () => kysely.destroy(),
  };
}

const STORE_TIME = sql<number>`cast(unix_timestamp(now(3)) * 1000 as signed)`;

function mysqlDialect(createDriver: () => MysqlDriver): Dialect {
  return {
    createAdapter: () => new MysqlAdapter(),
    createDriver,
    createIntrospector: db => new MysqlIntrospector(db),
    createQueryCompiler: () => new MysqlQueryCompiler(),
  };
}

/**
 * Tables are made for transactions, and compare texts byte for byte, as SQLite does: names that differ by case, by an
 * accent or by a blank at their end are different names.
 */
class TableOptions implements KyselyPlugin {
  #options = '';

  setVersion(version: string): void {
    const collation = /mariadb/i.test(version) ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin';
    this.#options = `engine = InnoDB default charset = utf8mb4 collate = ${collation}`;
  }

  transformQuery({ node }: PluginTransformQueryArgs) {
    if (!CreateTableNode.is(node)) return node;
    return CreateTableNode.cloneWithEndModifier(node, RawNode.createWithSql(this.#options));
  }

  async transformResult({ result }: Parameters<KyselyPlugin['transformResult']>[0]) {
    return result;
  }
}

const schemaDialect: SchemaDialect = {
  async hasColumn(db, table, column) {
    const { rows } = await sql`select 1 from information_schema.columns
      where table_schema = database() and table_name = ${table} and column_name = ${column}`.execute(db);
    return rows.length > 0;
  },
  async hasIndex(db, table, index) {
    const { rows } = await sql`select 1 from information_schema.statistics
      where table_schema = database() and table_name = ${table} and index_name = ${index}`.execute(db);
    return rows.length > 0;
  },
  async dropIndex(db, table, index) {
    await db.schema.dropIndex(index).on(table).execute();
  },
};
