import type { Clock } from '../../../lib/clock.js';
import type { Random } from '../../../lib/random.js';
import type { Store } from '../store.js';
import { Calls } from './calls.js';
import { configurationCalls } from './configuration.js';
import type { SqlDatabase } from './database.js';
import { eventCalls } from './events.js';
import { ownershipCalls } from './host-ownership.js';
import { registrationCalls } from './host-registration.js';
import { hostSearchCalls } from './host-search.js';
import { hostCalls } from './hosts.js';
import { jobCalls } from './jobs.js';
import { locationCalls } from './locations.js';
import { secretCalls } from './secrets.js';
import { serverCalls } from './servers.js';

/**
 * The store in SQL that SQLite and MariaDB both speak. One pattern serves all inserts: look, else insert; where another
 * server was faster, the key is a duplicate and the transaction is carried out anew, and finds it.
 */
export function sqlStore(database: SqlDatabase, env: { readonly clock: Clock; readonly random: Random }): Store {
  const calls = new Calls(database, env);
  return {
    ...configurationCalls(calls),
    ...locationCalls(calls),
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
