import { invalidParameter } from '../api-error.js';

const DEFAULT_PAGE_SIZE = 500;
/** In place of CloudStack's -1, which means all. */
const ALL = 1_000_000_000;

/** The page that a list is asked for. @throws ApiError 431 */
export function paging(
  command: string,
  {
    page = 1,
    pagesize = DEFAULT_PAGE_SIZE,
  }: { readonly page?: number | undefined; readonly pagesize?: number | undefined },
): { page: number; pagesize: number } {
  if (page < 1) throw invalidParameter(command, 'page', String(page), 'pages are counted from 1');
  if (pagesize < 1 && pagesize !== -1) {
    throw invalidParameter(command, 'pagesize', String(pagesize), 'at least 1 is allowed, or -1 for all');
  }
  if (page * pagesize > Number.MAX_SAFE_INTEGER) {
    throw invalidParameter(command, 'page', String(page), 'there are not so many pages');
  }
  return pagesize === -1 ? { page: 1, pagesize: ALL } : { page, pagesize };
}

/** One page of a list that is in memory. */
export function pageOf<T>(all: readonly T[], { page, pagesize }: { page: number; pagesize: number }): readonly T[] {
  return all.slice((page - 1) * pagesize, page * pagesize);
}

/** Whether CloudStack's `keyword` matches: it is a part of the text, in any case. */
export function hasKeyword(text: string, keyword: string | undefined): boolean {
  return keyword === undefined || text.toLowerCase().includes(keyword.toLowerCase());
}
