import type { Kysely, Selectable } from 'kysely';
import type { EnrollmentRefusal, EnrollmentStore, EnrollmentTokenRow } from '../enrollment-store.js';
import type { HostDescription, HostRow } from '../host-store.js';
import { checkPageSize, DELETED_A_CALL, deleteById } from './batches.js';
import { hostInserter } from './hosts/registration.js';
import { columnsOf, hostOf } from './hosts/rows.js';
import { LocationIdCache } from './locations.js';
import type { EnrollmentTokenTable, Schema } from './schema.js';
import { raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

export function enrollmentStore(transactions: Transactions): EnrollmentStore {
  const { database, random, clock } = transactions;
  const locations = new LocationIdCache();
  const insertHosts = hostInserter(transactions);
  const uuid = () => random.uuid();

  const createHost = async (db: Kysely<Schema>, host: HostDescription): Promise<HostRow> => {
    const columns = columnsOf(host, await locations.finder(db, uuid)(host));
    const [row] = await insertHosts(db, [{ columns }], 'Creating');
    if (row === undefined) throw new Error('one host was inserted, and no row came back');
    return hostOf(row);
  };

  return {
    createEnrollmentToken: ({ validForMs, createdBy, ...token }) =>
      transactions.write('createEnrollmentToken', async db => {
        const now = await database.storeTime(db);
        const row: Selectable<EnrollmentTokenTable> = {
          ...token,
          id: await raiseSequence(db, 'enrollment_token'),
          uuid: random.uuid(),
          used: 0,
          created: now,
          expires: now + validForMs,
          created_by: createdBy,
          removed: null,
        };
        await db.insertInto('enrollment_token').values(row).execute();
        return tokenOf(row, now);
      }),

    enrollmentToken: hash =>
      transactions.read('enrollmentToken', async db => {
        const row = await selectTokens(db).where('hash', '=', hash).executeTakeFirst();
        return row && tokenOf(row, await database.storeTime(db));
      }),

    enrollmentTokens: async ({ page, pagesize }) => {
      checkPageSize(pagesize);
      return transactions.read('enrollmentTokens', async db => {
        const matches = db.selectFrom('enrollment_token').where('removed', 'is', null);
        const { count } = await matches.select(eb => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
        const rows = await matches
          .selectAll()
          .orderBy('id', 'desc')
          .limit(pagesize)
          .offset((page - 1) * pagesize)
          .execute();
        const now = await database.storeTime(db);
        return { count: Number(count), rows: rows.map(row => tokenOf(row, now)) };
      });
    },

    removeEnrollmentToken: (uuid, at) =>
      transactions.write('removeEnrollmentToken', async db => {
        const query = selectTokens(db).where('uuid', '=', uuid).where('removed', 'is', null);
        const row = await database.locked(query).executeTakeFirst();
        if (row === undefined) return undefined;
        await db.updateTable('enrollment_token').set({ removed: at }).where('id', '=', row.id).execute();
        return tokenOf(row, await database.storeTime(db));
      }),

    useEnrollmentToken: ({ hash, keyFingerprint, host }) =>
      transactions.write('useEnrollmentToken', async db => {
        const row = await database.locked(selectTokens(db).where('hash', '=', hash)).executeTakeFirst();
        if (row === undefined) return refused('unknown');
        const now = await database.storeTime(db);
        const token = tokenOf(row, now);
        if (token.removed !== null) return refused('removed');
        if (token.isExpired) return refused('expired');
        if (token.guid !== null && token.guid !== host.guid) return refused('other-guid');
        const use = { token_id: token.id, guid: host.guid, key_fingerprint: keyFingerprint };
        const isRepeated =
          (await db
            .selectFrom('enrollment_use')
            .select('created')
            .where(eb => eb.and(use))
            .executeTakeFirst()) !== undefined;
        if (!isRepeated && token.used >= token.uses) return refused('spent');
        const known = await db.selectFrom('host').selectAll().where('guid', '=', host.guid).executeTakeFirst();
        if (
          known !== undefined &&
          token.guid === null &&
          (await hasOtherKey(db, known.id, keyFingerprint, clock.wallTime()))
        ) {
          return refused('certified');
        }
        if (!isRepeated) {
          await db
            .insertInto('enrollment_use')
            .values({ ...use, created: now })
            .execute();
          // Of two uses on two nodes of Galera, which certifies writes only, one is tried again.
          await db
            .updateTable('enrollment_token')
            .set({ used: token.used + 1 })
            .where('id', '=', token.id)
            .execute();
        }
        const enrolled: HostRow = known === undefined ? await createHost(db, host) : hostOf(known);
        return { kind: 'enrolled', token, host: enrolled, isNew: known === undefined };
      }),

    deleteEnrollmentTokensBefore: at =>
      transactions.write('deleteEnrollmentTokensBefore', async db => {
        const old = await db
          .selectFrom('enrollment_token')
          .select('id')
          .where('expires', '<', at)
          .orderBy('expires')
          .limit(DELETED_A_CALL)
          .execute();
        if (old.length === 0) return 0;
        const ids = old.map(({ id }) => id);
        await db.deleteFrom('enrollment_use').where('token_id', 'in', ids).execute();
        return deleteById(db, 'enrollment_token', old);
      }),
  };
}

const selectTokens = (db: Kysely<Schema>) => db.selectFrom('enrollment_token').selectAll();

const refused = (reason: EnrollmentRefusal) => ({ kind: 'refused', reason }) as const;

/** Whether the host has a certificate in force whose key is another one. */
async function hasOtherKey(db: Kysely<Schema>, hostId: number, keyFingerprint: string, now: number): Promise<boolean> {
  const other = await db
    .selectFrom('certificate')
    .leftJoin('crl', 'crl.serial', 'certificate.serial')
    .select('certificate.serial')
    .where('host_id', '=', hostId)
    .where('key_fingerprint', '<>', keyFingerprint)
    .where('not_after', '>', now)
    .where('crl.id', 'is', null)
    .executeTakeFirst();
  return other !== undefined;
}

function tokenOf({ created_by: createdBy, ...row }: Selectable<EnrollmentTokenTable>, now: number): EnrollmentTokenRow {
  return { ...row, createdBy, isExpired: row.expires <= now };
}
