import { join } from 'node:path';
import Database from 'libsql';
import t from 'tap';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import type { Store } from '../../../../src/mgmt/store/store.js';
import { storeContract } from '../contract.js';
import { closedWith } from '../store-test.js';

const parts = { clock: systemClock, random: systemRandom, log: silentLog };
const file = join(t.testdir(), 'muster.db');
const url = `sqlite:${file}`;

/** One for all tests, since a worker thread takes a while to start. Undefined after a test has closed it. */
let inWorker: Store | undefined = await openStore(url, parts);
t.teardown(() => inWorker?.close());
const whenEmpty = rowsOf();

storeContract('sqlite in a worker', async t => {
  // The store keeps in mind which pods and clusters there are.
  if (hasPods()) {
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

/** The rows of all tables. */
function rowsOf(): ReadonlyMap<string, readonly object[]> {
  const database = new Database(file);
  const tables = database.prepare("select name from sqlite_master where type = 'table'").all() as { name: string }[];
  const rows = new Map(tables.map(({ name }) => [name, database.prepare(`select * from ${name}`).all() as object[]]));
  database.close();
  return rows;
}

function hasPods(): boolean {
  const database = new Database(file);
  const pod = database.prepare('select * from host_pod_ref limit 1').get();
  database.close();
  return pod !== undefined;
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
