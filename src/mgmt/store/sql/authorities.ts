import type { Kysely, Selectable } from 'kysely';
import type { AuthorityRow, AuthorityStore, WantedAuthority } from '../authority-store.js';
import type { AuthorityTable, Schema } from './schema.js';
import { lockedSequence, raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

const NAMED = 5;

export function authorityStore(transactions: Transactions): AuthorityStore {
  /** One change of the CAs at a time. @returns the row with this fingerprint */
  async function locked(db: Kysely<Schema>, fingerprint: string) {
    await lockedSequence(transactions.database, db, 'authority');
    return db.selectFrom('authority').selectAll().where('fingerprint', '=', fingerprint).executeTakeFirst();
  }

  return {
    authorities: () =>
      transactions.read('authorities', async db => {
        const rows = await db.selectFrom('authority').selectAll().orderBy('generation').execute();
        return rows.map(authorityOf);
      }),

    addFirstAuthority: ({ fingerprint, chainPem, secret, created }) =>
      transactions.write('addFirstAuthority', async db => {
        await lockedSequence(transactions.database, db, 'authority');
        const standing = await db.selectFrom('authority').select('fingerprint').executeTakeFirst();
        if (standing !== undefined) return;
        await db
          .insertInto('authority')
          .values({
            ...{ fingerprint, secret, created },
            chain: chainPem,
            cross_certificate: null,
            state: 'issuing',
            generation: 0,
            changed: created,
          })
          .execute();
      }),

    introduceAuthority: ({ fingerprint, chainPem, crossPem, secret, sealed, created }) =>
      transactions.write('introduceAuthority', async db => {
        if ((await locked(db, fingerprint)) !== undefined) return undefined;
        const other = await db
          .selectFrom('authority')
          .select('fingerprint')
          .where('state', 'in', ['introduced', 'trusted'])
          .executeTakeFirst();
        if (other !== undefined) return undefined;
        const generation = await raiseSequence(db, 'authority');
        if (secret !== null && sealed !== null) {
          await db.insertInto('secret').values({ name: secret, value: sealed }).execute();
        }
        await db
          .insertInto('authority')
          .values({
            ...{ fingerprint, secret, created, generation },
            chain: chainPem,
            cross_certificate: crossPem,
            state: 'introduced',
            changed: created,
          })
          .execute();
        return generation;
      }),

    switchAuthority: (fingerprint, at) =>
      transactions.write('switchAuthority', async db => {
        if ((await locked(db, fingerprint))?.state !== 'introduced') return false;
        await db
          .updateTable('authority')
          .set({ state: 'trusted', changed: at })
          .where('state', '=', 'issuing')
          .execute();
        await setState(db, fingerprint, 'issuing', at);
        await raiseSequence(db, 'authority');
        return true;
      }),

    dropAuthority: (fingerprint, at) =>
      transactions.write('dropAuthority', async db => {
        const row = await locked(db, fingerprint);
        if (row?.state !== 'introduced' && row?.state !== 'trusted') return false;
        if (row.secret !== null) await db.deleteFrom('secret').where('name', '=', row.secret).execute();
        await setState(db, fingerprint, 'dropped', at);
        await raiseSequence(db, 'authority');
        return true;
      }),

    hostsBehindAuthority: wanted =>
      transactions.read('hostsBehindAuthority', async db => {
        const behind = hostsBehind(db, wanted);
        const counted = await behind
          .select(({ fn }) => ['status', fn.countAll<number>().as('count')])
          .groupBy('status')
          .execute();
        const named = await behind
          .select('name')
          .orderBy(({ eb }) => eb.case().when('status', '=', 'Up').then(0).else(1).end())
          .orderBy('name')
          .limit(NAMED)
          .execute();
        const countOf = (rows: typeof counted) => rows.reduce((sum, { count }) => sum + Number(count), 0);
        return {
          count: countOf(counted),
          up: countOf(counted.filter(({ status }) => status === 'Up')),
          names: named.map(({ name }) => name),
        };
      }),
  };
}

function setState(db: Kysely<Schema>, fingerprint: string, state: AuthorityTable['state'], changed: number) {
  return db.updateTable('authority').set({ state, changed }).where('fingerprint', '=', fingerprint).execute();
}

/** It has a certificate, whether it has confirmed that or not, and has confirmed none of those that are wanted. */
function hostsBehind(db: Kysely<Schema>, { generation, fingerprint }: WantedAuthority) {
  return db
    .selectFrom('host')
    .where('removed', 'is', null)
    .where(eb => {
      const inForce = eb
        .selectFrom('certificate')
        .leftJoin('crl', 'crl.serial', 'certificate.serial')
        .select('certificate.serial')
        .whereRef('host_id', '=', 'host.id')
        .where('crl.id', 'is', null);
      const confirmed = inForce.where('installed', 'is not', null).where('bundle', '>=', generation);
      const wanted = fingerprint === undefined ? confirmed : confirmed.where('issuer_fingerprint', '=', fingerprint);
      return eb.and([eb.exists(inForce), eb.not(eb.exists(wanted))]);
    });
}

function authorityOf(row: Selectable<AuthorityTable>): AuthorityRow {
  const { fingerprint, state, secret, generation, created, changed } = row;
  const crossPem = row.cross_certificate;
  return { fingerprint, state, secret, generation, created, changed, chainPem: row.chain, crossPem };
}
