import type { Clock } from '../../lib/clock.js';
import { ConfigError, FatalError } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import { migrate } from './migrate.js';
import { sqlStore } from './sql-store.js';
import { openSqlite } from './sqlite.js';
import type { Store } from './store.js';
import { StoreError } from './store-error.js';

export interface OpenStoreEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const ALLOWED = 'allowed is sqlite: and the path of a file, such as sqlite:data/muster.db';

/** The only place that knows which databases there are. The schema is up to date afterwards. */
export async function openStore(dbUrl: string, env: OpenStoreEnv): Promise<Store> {
  const path = sqlitePath(dbUrl);
  try {
    const database = await openSqlite(path, env);
    try {
      await migrate(database, env);
    } catch (error) {
      await database.close();
      throw error;
    }
    return sqlStore(database, env);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new FatalError('STORE_UNUSABLE', `db.url=${dbUrl}: ${error.message}`, { cause: error });
  }
}

function sqlitePath(dbUrl: string): string {
  if (!dbUrl.startsWith('sqlite:')) {
    // The rest of it may hold a password, and errors are logged.
    const scheme = /^[a-z]*:/.exec(dbUrl)?.[0] ?? '';
    throw new ConfigError('db.url', `${scheme}…`, scheme === 'mysql:' ? `not supported yet; ${ALLOWED}` : ALLOWED);
  }
  const path = dbUrl.slice('sqlite:'.length);
  // In a URL, `//data` would be a machine's name; as a path, a folder at the root. Neither is what was meant.
  if (path === '' || path.includes('\0') || /^\/\/[^/]/.test(path)) throw new ConfigError('db.url', dbUrl, ALLOWED);
  return path;
}
