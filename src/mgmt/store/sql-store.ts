import type { Clock } from '../../lib/clock.js';
import type { Random } from '../../lib/random.js';
import { Calls } from './sql-calls.js';
import { configurationCalls } from './sql-configuration.js';
import type { SqlDatabase } from './sql-database.js';
import { eventCalls } from './sql-events.js';
import { ownershipCalls } from './sql-host-ownership.js';
import { registrationCalls } from './sql-host-registration.js';
import { hostSearchCalls } from './sql-host-search.js';
import { hostCalls } from './sql-hosts.js';
import { jobCalls } from './sql-jobs.js';
import { placeCalls } from './sql-places.js';
import { secretCalls } from './sql-secrets.js';
import { serverCalls } from './sql-servers.js';
import type { Store } from './store.js';

/**
 * The store in SQL that SQLite and MariaDB both speak. One pattern serves all inserts: look, else insert; where another
 * server was faster, the key is a duplicate and the transaction is carried out anew, and finds it.
 */
export function sqlStore(database: SqlDatabase, env: { readonly clock: Clock; readonly random: Random }): Store {
  const calls = new Calls(database, env);
  return {
    ...configurationCalls(calls),
    ...placeCalls(calls),
    ...registrationCalls(calls),
    ...hostCalls(calls),
    ...ownershipCalls(calls),
    ...hostSearchCalls(calls),
    ...serverCalls(calls),
    ...jobCalls(calls),
    ...eventCalls(calls),
    ...secretCalls(calls),
    close: () => calls.close(),
  };
}
