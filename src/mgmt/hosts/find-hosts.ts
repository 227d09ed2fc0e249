import type { HostQuery, HostRow, Page, Store } from '../store/store.js';

/** The store reads each row of a page by its id, and a statement has a limit for parameters. */
const ROWS_A_READ = 2_000;

/**
 * One page of the hosts that match, as the store's own `findHosts`, but of any size: a large page is read in several
 * transactions. A host that is removed meanwhile moves those behind it to the front, so one may be left out, as with
 * any pages.
 * @throws StoreError
 */
export async function findHosts(store: Pick<Store, 'findHosts'>, query: HostQuery): Promise<Page<HostRow>> {
  if (query.pagesize <= ROWS_A_READ) return store.findHosts(query);
  const from = (query.page - 1) * query.pagesize;
  // By id: no host comes twice.
  const found = new Map<number, HostRow>();
  for (let page = 1; ; page++) {
    const { count, rows } = await store.findHosts({ ...query, page, pagesize: ROWS_A_READ });
    for (const row of rows) found.set(row.id, row);
    if (rows.length < ROWS_A_READ || found.size >= from + query.pagesize) {
      return { count, rows: [...found.values()].slice(from, from + query.pagesize) };
    }
  }
}
