import type { Kysely } from 'kysely';
import type { HostStore } from '../../host-store.js';
import type { Schema } from '../schema.js';
import type { Transactions } from '../transactions.js';
import { changeTime, type HostColumns, hostOf, tagsOf, tagsText } from './rows.js';

/** What operators say of hosts, and the tags by which hosts are found. */
export function hostTags(transactions: Transactions): Pick<HostStore, 'updateHost'> {
  const { database } = transactions;
  return {
    updateHost: (id, { explicitTags, annotation }) =>
      transactions.write('updateHost', async db => {
        // Locked: the agent may register with other tags at the same time.
        const standing = db.selectFrom('host').selectAll().where('id', '=', id).where('removed', 'is', null);
        const former = await database.locked(standing).executeTakeFirst();
        if (former === undefined) return undefined;
        const values = {
          explicit_tags: explicitTags === undefined ? former.explicit_tags : tagsText(explicitTags),
          annotation: annotation === undefined ? former.annotation : annotation,
        };
        const row: HostColumns = { ...former, ...values };
        await db
          .updateTable('host')
          .set({ ...values, changed: changeTime(database) })
          .where('id', '=', id)
          .execute();
        await writeTags(db, [{ former, row }]);
        return hostOf(row);
      }),
  };
}

/** Brings the rows of `host_tag` in line with the hosts'. @param changes without `former`, the host is new */
export async function writeTags(
  db: Kysely<Schema>,
  changes: readonly { readonly former?: HostColumns; readonly row: HostColumns }[],
): Promise<void> {
  const added: { tag: string; host_id: number }[] = [];
  for (const { former, row } of changes) {
    const before = former === undefined ? new Set<string>() : allTags(former);
    const after = allTags(row);
    for (const tag of after) if (!before.has(tag)) added.push({ tag, host_id: row.id });
    const gone = [...before].filter(tag => !after.has(tag));
    if (gone.length > 0)
      await db.deleteFrom('host_tag').where('host_id', '=', row.id).where('tag', 'in', gone).execute();
  }
  for (let from = 0; from < added.length; from += ROWS_A_STATEMENT) {
    await db
      .insertInto('host_tag')
      .values(added.slice(from, from + ROWS_A_STATEMENT))
      .execute();
  }
}

/** The host is removed. */
export async function deleteTags(db: Kysely<Schema>, id: number): Promise<void> {
  const row = await db.selectFrom('host').selectAll().where('id', '=', id).executeTakeFirst();
  const tags = row === undefined ? [] : [...allTags(row)];
  if (tags.length > 0) await db.deleteFrom('host_tag').where('host_id', '=', id).where('tag', 'in', tags).execute();
}

/** SQLite has a bound on the values of a statement. */
const ROWS_A_STATEMENT = 500;

const allTags = (row: HostColumns): ReadonlySet<string> =>
  new Set([...tagsOf(row.implicit_tags), ...tagsOf(row.explicit_tags)]);
