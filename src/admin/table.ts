import { parseMoment } from '../api/moment.js';
import type { ApiCommand } from '../api/table.js';
import { duration } from './age.js';

/** No column is cut to less than this, in characters. */
const NARROWEST = 8;
const GAP = '  ';

/**
 * Rows as aligned columns, numbers to the right. The first row is the head.
 * @param width of the terminal, in characters: the widest columns are cut until a row fits; undefined: nothing is cut
 */
export function formatTable(rows: readonly (readonly string[])[], width?: number): string[] {
  const lines = rows.map(row => row.map(printable));
  const [head = []] = lines;
  const natural = head.map((_, column) => Math.max(...lines.map(row => row[column]?.length ?? 0)));
  const widths = fitted(natural, width);
  const isNumeric = head.map((_, column) => lines.slice(1).every(row => /^(\d+(\.\d+)?)?$/.test(row[column] ?? '')));
  return lines.map(row =>
    widths
      .map((width, column) => {
        const cell = cut(row[column] ?? '', width);
        return isNumeric[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(GAP)
      .trimEnd(),
  );
}

/**
 * Objects of the API as a table, in the columns of their command. Dates are shown as how long ago they are, or how far
 * ahead, those of a history as such.
 * @param wallTime milliseconds since 1970
 */
export function objectTable(
  { columns, response }: Pick<ApiCommand, 'columns' | 'response'>,
  objects: readonly Readonly<Record<string, unknown>>[],
  wallTime: number,
  width?: number,
): string[] {
  const shown = (name: string, value: unknown) => {
    if (response.fields[name]?.type !== 'date') return cell(value);
    return HISTORY.has(name) ? timeText(value) : distanceText(value, wallTime);
  };
  return formatTable(
    [columns.map(name => name.toUpperCase()), ...objects.map(object => columns.map(name => shown(name, object[name])))],
    width,
  );
}

/** The server's clock may be ahead so much: what it calls now is not to come. */
const CLOCKS_APART_MS = 60_000;

/** Dates that are compared with a log. */
const HISTORY: ReadonlySet<string> = new Set(['created', 'completed']);

function timeText(date: unknown): string {
  const moment = typeof date === 'string' ? parseMoment(date) : undefined;
  return moment === undefined ? '' : new Date(moment).toISOString().slice(0, 19).replace('T', ' ');
}

/** `5 min ago`, or `in 5 min` for what is to come. */
function distanceText(date: unknown, wallTime: number): string {
  const moment = typeof date === 'string' ? parseMoment(date) : undefined;
  if (moment === undefined) return '';
  return moment > wallTime + CLOCKS_APART_MS
    ? `in ${duration(moment - wallTime)}`
    : `${duration(wallTime - moment)} ago`;
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(cell).join(value.some(one => typeof one === 'object') ? ', ' : ',');
  if (typeof value === 'object') {
    return Object.values(value).map(cell).join(' ');
  }
  return String(value);
}

/** Names come from agents: control characters, which could move the cursor of the terminal, become blanks. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ');
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function fitted(natural: readonly number[], width: number | undefined): readonly number[] {
  const widths = [...natural];
  if (width === undefined) return widths;
  let excess = widths.reduce((sum, one) => sum + one, GAP.length * (widths.length - 1)) - width;
  while (excess > 0) {
    // The first column names the row: it is cut only when all others are as narrow as they may be.
    const others = widths.slice(1);
    const cuttable = others.some(one => one > NARROWEST) ? others : widths;
    const widest = Math.max(...cuttable);
    if (widest <= NARROWEST) break;
    const column = cuttable === others ? others.lastIndexOf(widest) + 1 : widths.lastIndexOf(widest);
    widths[column] = widest - 1;
    excess--;
  }
  return widths;
}
