import type { Clock } from '../../../lib/clock.js';
import type { Random } from '../../../lib/random.js';
import type { Store } from '../store.js';
import { alertStore } from './alerts.js';
import { apiKeyStore } from './api-keys.js';
import { assignmentStore } from './assignments.js';
import { authorityStore } from './authorities.js';
import { certificateStore } from './certificates.js';
import { commandStore } from './commands.js';
import { configurationStore } from './configuration.js';
import type { SqlDatabase } from './database.js';
import { enrollmentStore } from './enrollment.js';
import { eventStore } from './events.js';
import { hostMoves } from './hosts/moves.js';
import { hostOwnership } from './hosts/ownership.js';
import { hostReading } from './hosts/reading.js';
import { hostRegistration } from './hosts/registration.js';
import { hostSearch } from './hosts/search.js';
import { hostSelection } from './hosts/selection.js';
import { hostTags } from './hosts/tags.js';
import { jobStore } from './jobs.js';
import { locationStore } from './locations.js';
import type { SchemaUpgrade } from './migration/migrate.js';
import { requestStore } from './requests.js';
import { secretStore } from './secrets.js';
import { serverStore } from './servers.js';
import { Transactions } from './transactions.js';

/** A store whose schema is up to date, and what was done for that. */
export interface OpenedStore {
  readonly store: Store;
  readonly upgrade: SchemaUpgrade | undefined;
}

/**
 * The store in SQL that SQLite and MariaDB both understand. All inserts are made in the same way: read first, insert if
 * there is no row. If another server has inserted the same key meanwhile, the transaction runs again and finds its row.
 */
export function sqlStore(database: SqlDatabase, parts: { readonly clock: Clock; readonly random: Random }): Store {
  const transactions = new Transactions(database, parts);
  return {
    ...configurationStore(transactions),
    ...assignmentStore(transactions),
    ...locationStore(transactions),
    ...hostRegistration(transactions),
    ...hostReading(transactions),
    ...hostOwnership(transactions),
    ...hostMoves(transactions),
    ...hostSearch(transactions),
    ...hostSelection(transactions),
    ...hostTags(transactions),
    ...serverStore(transactions),
    ...jobStore(transactions),
    ...eventStore(transactions),
    ...alertStore(transactions),
    ...secretStore(transactions),
    ...apiKeyStore(transactions),
    ...requestStore(transactions),
    ...authorityStore(transactions),
    ...certificateStore(transactions),
    ...commandStore(transactions),
    ...enrollmentStore(transactions),
    close: () => transactions.close(),
  };
}
