import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import Database from 'libsql';
import t from 'tap';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import type { Store } from '../../../../src/mgmt/store/store.js';
import { hostDescription } from '../../../helpers/host-description.js';
import { registerHost } from '../../../helpers/one-host.js';
import { testFolder } from '../../../helpers/scratch.js';
import { storeContract } from '../contract.js';
import { closedWith } from '../store-test.js';

const parts = { clock: systemClock, random: systemRandom, log: silentLog };
/** Tables of which the store keeps rows in mind. */
const PLACES = ['data_center', 'host_pod_ref', 'cluster'];
const file = join(testFolder(t), 'muster.db');
const url = `sqlite:${file}`;

/** One for all tests, since a worker thread takes a while to start. Undefined after a test has closed it. */
let inWorker: Store | undefined = await openStore(url, parts);
t.teardown(() => inWorker?.close());
const whenEmpty = await rowsOfEmpty(inWorker);

storeContract('sqlite in a worker', async t => {
  // The store keeps in mind which pods and clusters there are.
  if (!PLACES.every(table => isDeepStrictEqual(rowsOf(table), whenEmpty.get(table)))) {
    await inWorker?.close();
    inWorker = undefined;
  }
  becomeEmpty();
  let isFirst = true;
  return async () => {
    if (!isFirst) return closedWith(t, openStore(url, { ...parts, thread: 'same' }));
    isFirst = false;
    inWorker ??= await openStore(url, parts);
    const store = inWorker;
    return {
      ...store,
      close() {
        inWorker = undefined;
        return store.close();
      },
    };
  };
});

/** The rows of all tables of an empty store, and the zone, pod and cluster of common hosts, which stay. */
async function rowsOfEmpty(store: Store): Promise<ReadonlyMap<string, readonly object[]>> {
  const database = new Database(file);
  const tables = database.prepare("select name from sqlite_master where type = 'table'").all() as { name: string }[];
  database.close();
  const rows = new Map(tables.map(({ name }) => [name, rowsOf(name)]));
  await registerHost(store, hostDescription('one', await store.zoneId('default')));
  for (const table of PLACES) rows.set(table, rowsOf(table));
  // Their last ids go with them.
  const sequences = rowsOf('sequence') as { readonly name: string }[];
  rows.set(
    'sequence',
    sequences.filter(({ name }) => PLACES.includes(name)),
  );
  return rows;
}

function rowsOf(table: string): readonly object[] {
  const database = new Database(file);
  const rows = database.prepare(`select * from ${table}`).all() as object[];
  database.close();
  return rows;
}

function becomeEmpty(): void {
  const database = new Database(file);
  database.pragma('foreign_keys = off');
  database.exec('begin immediate');
  for (const table of whenEmpty.keys()) database.exec(`delete from ${table}`);
  for (const [table, rows] of whenEmpty) {
    for (const row of rows) {
      const values = Object.values(row);
      database.prepare(`insert into ${table} values (${values.map(() => '?').join(', ')})`).run(values);
    }
  }
  database.exec('commit');
  database.close();
}
