import { type HostQuery, type HostRow, type HostUuid, type Page, type PageQuery, ROWS_A_PAGE } from './store.js';

/** What pages are read by: rows by their id, or the ids themselves. */
type ById = number | { readonly id: number };

/**
 * The pages of a reading by ascending id, such as `hosts`. Others get their turn between two pages.
 * @param after only ids beyond this one
 * @throws StoreError
 */
export async function* pagesOf<T extends ById>(
  read: (after: number) => Promise<readonly T[]>,
  after = 0,
): AsyncGenerator<readonly T[], void> {
  for (let last = after; ; ) {
    const page = await read(last);
    yield page;
    const end = page.at(-1);
    if (end === undefined || page.length < ROWS_A_PAGE) return;
    last = typeof end === 'number' ? end : end.id;
  }
}

/** All rows of such a reading. @throws StoreError */
export async function readAll<T extends ById>(read: (after: number) => Promise<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pagesOf(read)) all.push(...page);
  return all;
}

/** The UUIDs of all hosts of such a reading. @throws StoreError */
export async function readUuids(read: (after: number) => Promise<readonly HostUuid[]>): Promise<string[]> {
  const uuids: string[] = [];
  for await (const page of pagesOf(read)) for (const { uuid } of page) uuids.push(uuid);
  return uuids;
}

/**
 * One page of a search, such as `findHosts`, with more than `ROWS_A_PAGE` rows, read in several transactions.
 * @param behind the condition for the rows behind a row: rows that come or go meanwhile neither repeat nor hide others.
 *   Without it pages are counted, so that a row that is removed meanwhile may leave out a later one.
 * @throws StoreError
 */
export async function readLargePage<Q extends PageQuery, T extends { readonly id: number | string }>(
  find: (query: Q) => Promise<Page<T>>,
  query: Q,
  behind?: (row: T) => Partial<Q>,
): Promise<Page<T>> {
  if (query.pagesize <= ROWS_A_PAGE) return find(query);
  const from = (query.page - 1) * query.pagesize;
  const before = from % ROWS_A_PAGE;
  // By id: no row comes twice.
  const found = new Map<T['id'], T>();
  for (let next: Q = { ...query, page: 1 + (from - before) / ROWS_A_PAGE, pagesize: ROWS_A_PAGE }; ; ) {
    const { count, rows } = await find(next);
    for (const row of rows) found.set(row.id, row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_A_PAGE || found.size >= before + query.pagesize) {
      return { count, rows: [...found.values()].slice(before, before + query.pagesize) };
    }
    next = behind === undefined ? { ...next, page: next.page + 1 } : { ...next, page: 1, ...behind(last) };
  }
}

/** A large page of hosts. @throws StoreError */
export function readHosts<T extends Pick<HostRow, 'id' | 'name'>>(
  find: (query: HostQuery) => Promise<Page<T>>,
  query: HostQuery,
): Promise<Page<T>> {
  return readLargePage(find, query, ({ id, name }) => ({ behind: { id, name } }));
}
