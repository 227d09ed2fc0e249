import mysql from 'mysql2/promise';
import t from 'tap';
import { systemClock } from '../../../../src/lib/clock.js';
import { silentLog } from '../../../../src/lib/logger.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { openStore } from '../../../../src/mgmt/open-store.js';
import { startMariaDb, whyNoMariaDb } from '../../../helpers/mariadb.js';
import { storeContract } from '../contract.js';
import { closedWith } from '../store-test.js';

const env = { clock: systemClock, random: systemRandom, log: silentLog };
const absent = whyNoMariaDb(t);

if (absent !== undefined) t.test('mariadb: the store contract', { skip: absent }, async () => {});
else {
  const mariadb = await startMariaDb(t);
  // One for all tests, since migrations take longer than most of them.
  const url = await mariadb.createDatabase();
  const becomeEmpty = await emptier(url);
  storeContract('mariadb', async t => {
    await becomeEmpty();
    return () => closedWith(t, openStore(url, env));
  });
}

/** @returns what gives the tables of a new database the rows that they have when it is empty */
async function emptier(url: string): Promise<() => Promise<void>> {
  await (await openStore(url, env)).close();
  const database = await mysql.createConnection({ uri: url, multipleStatements: true });
  t.teardown(() => database.end());
  const query = async (sql: string) => (await database.query(sql))[0] as Record<string, unknown>[];
  const tables = (await query('show tables')).flatMap(row => Object.values(row).map(String));
  const counts = tables.map(table => `select '${table}' as name, count(*) as n from \`${table}\``).join(' union all ');
  const countedRows = async () => new Map((await query(counts)).map(({ name, n }) => [String(name), Number(n)]));
  const filled = [...(await countedRows())].filter(([, n]) => n > 0).map(([name]) => name);
  for (const table of filled) await query(`create table test_${table} as select * from \`${table}\``);
  return async () => {
    const changed = [...(await countedRows())].filter(([name, n]) => n > 0 || filled.includes(name));
    const statements = changed.flatMap(([name]) => [
      `truncate table \`${name}\``,
      ...(filled.includes(name) ? [`insert into \`${name}\` select * from test_${name}`] : []),
    ]);
    await query(['set foreign_key_checks = 0', ...statements].join(';'));
  };
}
