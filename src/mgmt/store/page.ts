/** Rows in one answer. A larger answer would block the event loop of its reader. */
export const ROWS_A_PAGE = 500;

export interface PageQuery {
  /** From 1. */
  readonly page: number;
  /** Rows on a page: 1 to `ROWS_A_PAGE`. */
  readonly pagesize: number;
}

export interface Page<T> {
  /** Of all matches. */
  readonly count: number;
  readonly rows: readonly T[];
}
