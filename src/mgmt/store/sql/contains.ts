import { type Expression, type ExpressionBuilder, type SqlBool, type StringReference, sql } from 'kysely';

/** One of the columns holds the text, in any case of ASCII letters at least. */
export function containing<DB, TB extends keyof DB>(
  eb: ExpressionBuilder<DB, TB>,
  columns: readonly StringReference<DB, TB>[],
  text: string,
): Expression<SqlBool> {
  const pattern = `%${text.toLowerCase().replace(/[%_|]/g, '|$&')}%`;
  return eb.or(columns.map(column => sql<SqlBool>`lower(${eb.ref(column)}) like ${pattern} escape '|'`));
}
