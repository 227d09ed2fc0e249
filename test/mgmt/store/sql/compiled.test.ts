import Database from 'libsql';
import type { Test } from 'tap';
import t from 'tap';
import { systemClock } from '../../../../src/lib/clock.js';
import { systemRandom } from '../../../../src/lib/random.js';
import { compiledForList, compiledOnce } from '../../../../src/mgmt/store/sql/compiled.js';
import { migrate } from '../../../../src/mgmt/store/sql/migration/migrate.js';
import { sqlDatabase } from '../../../../src/mgmt/store/sqlite/sqlite.js';

const parts = { clock: systemClock, random: systemRandom };

async function newDatabase(t: Test) {
  const database = sqlDatabase(new Database(':memory:'), parts, () => {});
  t.teardown(() => database.close());
  await migrate(database, parts);
  return database.kysely;
}

t.test('compiled: a statement is built once for each database, and has the values of each call', async t => {
  let built = 0;
  const insert = compiledOnce((db, { name, value }: { name: 'host' | 'mshost'; value: number }) => {
    built++;
    return db.insertInto('sequence').values({ name, value });
  });
  const read = compiledOnce((db, { least }: { least: number }) =>
    db.selectFrom('sequence').selectAll().where('value', '>=', least).orderBy('value'),
  );
  const one = await newDatabase(t);
  await one.deleteFrom('sequence').execute();
  const { affected } = await insert(one, { name: 'host', value: 1 });
  await one.transaction().execute(db => insert(db, { value: 2, name: 'mshost' }));
  t.equal(affected, 1);
  t.strictSame((await read(one, { least: 1 })).rows, [
    { name: 'host', value: 1 },
    { name: 'mshost', value: 2 },
  ]);
  t.strictSame((await read(one, { least: 2 })).rows, [{ name: 'mshost', value: 2 }]);
  const other = await newDatabase(t);
  await other.deleteFrom('sequence').execute();
  await insert(other, { name: 'host', value: 3 });
  t.strictSame((await read(other, { least: 1 })).rows, [{ name: 'host', value: 3 }]);
  t.equal(built, 2);
});

t.test('compiled: a list is filled up to a power of two, so that few statements serve all lengths', async t => {
  const built: number[] = [];
  const read = compiledForList((db, values: readonly number[]) => {
    built.push(values.length);
    return db.selectFrom('sequence').select('value').where('value', 'in', values).orderBy('value');
  });
  const db = await newDatabase(t);
  await db.deleteFrom('sequence').execute();
  await db
    .insertInto('sequence')
    .values([
      { name: 'host', value: 1 },
      { name: 'mshost', value: 2 },
      { name: 'alert', value: 3 },
    ])
    .execute();
  const valuesOf = async (values: readonly number[]) => (await read(db, values)).map(({ value }) => value);
  t.strictSame(await valuesOf([]), []);
  t.strictSame(await valuesOf([2]), [2]);
  t.strictSame(await valuesOf([1, 3, 4]), [1, 3]);
  t.strictSame(await valuesOf([1, 2, 3, 4]), [1, 2, 3]);
  t.strictSame(built, [1, 4]);
});

t.test('compiled: what a call leaves out is refused, and never an earlier value', async t => {
  const read = compiledOnce((db, { value }: { value?: number }) =>
    db
      .selectFrom('sequence')
      .selectAll()
      .where('value', '=', value as number),
  );
  const db = await newDatabase(t);
  await read(db, { value: 1 });
  await t.rejects(read(db, {}), { name: 'UnkeepableValue' });
});
