import type { ExpressionBuilder, Kysely, Selectable } from 'kysely';
import type { CertificateRow, CertificateStore, HostCertificateRow } from '../certificate-store.js';
import { ROWS_A_PAGE } from '../page.js';
import { checkPageSize, DELETED_A_CALL, repeatedToPowerOfTwo } from './batches.js';
import type { CertificateTable, Schema } from './schema.js';
import { raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

export function certificateStore(transactions: Transactions): CertificateStore {
  return {
    addCertificate: certificate =>
      transactions.write('addCertificate', async db => {
        await db
          .insertInto('certificate')
          .values({
            serial: certificate.serial,
            kind: certificate.kind,
            host_id: certificate.hostId,
            guid: certificate.guid,
            cn: certificate.cn,
            key_fingerprint: certificate.keyFingerprint,
            issuer_fingerprint: certificate.issuerFingerprint,
            not_before: certificate.notBefore,
            not_after: certificate.notAfter,
            created: certificate.created,
            bundle: certificate.bundle,
            installed: null,
          })
          .execute();
      }),

    certificatesInstalled: async (serials, at) => {
      checkPageSize(serials.length);
      if (serials.length === 0) return;
      await transactions.several('certificatesInstalled', async ({ read, write }) => {
        // It is known of nearly all that are presented.
        const fresh = await read(db =>
          db
            .selectFrom('certificate')
            .select('serial')
            .where('serial', 'in', repeatedToPowerOfTwo(serials))
            .where('installed', 'is', null)
            .execute(),
        );
        if (fresh.length === 0) return;
        const values = repeatedToPowerOfTwo(fresh.map(({ serial }) => serial));
        await write(db =>
          db
            .updateTable('certificate')
            .set({ installed: at })
            .where('serial', 'in', values)
            .where('installed', 'is', null)
            .execute(),
        );
      });
    },

    certificate: serial =>
      transactions.read('certificate', async db => {
        const row = await selectCertificates(db).where('certificate.serial', '=', serial).executeTakeFirst();
        return row && certificateOf(row);
      }),

    hostCertificates: async hostIds => {
      checkPageSize(hostIds.length);
      if (hostIds.length === 0) return [];
      return transactions.read('hostCertificates', async db => {
        const rows = await selectCertificates(db)
          .where('host_id', 'in', repeatedToPowerOfTwo(hostIds))
          .where('installed', 'is not', null)
          .where(isNewest)
          .execute();
        // Of two that were made in one millisecond, either.
        const byHost = new Map<number, HostCertificateRow>();
        for (const row of rows) {
          const { host_id: hostId } = row;
          if (hostId !== null) byHost.set(hostId, { ...certificateOf(row), hostId });
        }
        return [...byHost.values()];
      });
    },

    deleteCertificatesBefore: at =>
      transactions.write('deleteCertificatesBefore', async db => {
        const old = await db
          .selectFrom('certificate')
          .select('serial')
          .where('not_after', '<', at)
          .orderBy('not_after')
          .limit(DELETED_A_CALL)
          .execute();
        if (old.length === 0) return 0;
        const serials = old.map(({ serial }) => serial);
        const deleted = await db.deleteFrom('certificate').where('serial', 'in', serials).executeTakeFirst();
        return Number(deleted.numDeletedRows);
      }),

    revokeCertificate: ({ serial, cn, by, at }) =>
      transactions.write('revokeCertificate', async db => {
        const standing = await db.selectFrom('crl').select('id').where('serial', '=', serial).executeTakeFirst();
        if (standing !== undefined) return false;
        // In one row that all of them write: ids become visible in their order, so that none is passed over.
        const id = await raiseSequence(db, 'crl');
        await db.insertInto('crl').values({ id, serial, cn, revoker: by, revoked: at }).execute();
        return true;
      }),

    revocations: after =>
      transactions.read('revocations', db =>
        db
          .selectFrom('crl')
          .select(['id', 'serial'])
          .where('id', '>', after)
          .orderBy('id')
          .limit(ROWS_A_PAGE)
          .execute(),
      ),

    bindCertificate: (fingerprint, guid, at) =>
      transactions.several('bindCertificate', async ({ read, write }) => {
        // Only the first call ever has to write.
        const known = await read(db => guidOf(db, fingerprint));
        if (known !== undefined) return known;
        return write(async db => {
          const standing = await guidOf(db, fingerprint);
          if (standing !== undefined) return standing;
          await db.insertInto('certificate_guid').values({ fingerprint, guid, created: at }).execute();
          return guid;
        });
      }),
  };
}

const selectCertificates = (db: Kysely<Schema>) =>
  db
    .selectFrom('certificate')
    .leftJoin('crl', 'crl.serial', 'certificate.serial')
    .selectAll('certificate')
    .select('revoked');

/** Its host is known to have no later one. */
function isNewest(eb: ExpressionBuilder<Schema, 'certificate'>) {
  const later = eb
    .selectFrom('certificate as later')
    .select('later.serial')
    .whereRef('later.host_id', '=', 'certificate.host_id')
    .whereRef('later.created', '>', 'certificate.created')
    .where('later.installed', 'is not', null);
  return eb.not(eb.exists(later));
}

async function guidOf(db: Kysely<Schema>, fingerprint: string): Promise<string | undefined> {
  const query = db.selectFrom('certificate_guid').select('guid').where('fingerprint', '=', fingerprint);
  return (await query.executeTakeFirst())?.guid;
}

function certificateOf(row: Selectable<CertificateTable> & { readonly revoked: number | null }): CertificateRow {
  return {
    serial: row.serial,
    kind: row.kind,
    hostId: row.host_id,
    guid: row.guid,
    cn: row.cn,
    keyFingerprint: row.key_fingerprint,
    issuerFingerprint: row.issuer_fingerprint,
    notBefore: row.not_before,
    notAfter: row.not_after,
    created: row.created,
    bundle: row.bundle,
    installed: row.installed,
    revoked: row.revoked,
  };
}
