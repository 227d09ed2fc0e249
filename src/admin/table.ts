/** Rows as aligned columns; numbers to the right. The first row is the head. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map(row => (row[column] ?? '').length)));
  const isNumeric = head.map((_, column) => rows.slice(1).every(row => /^(\d+(\.\d+)?)?$/.test(row[column] ?? '')));
  return rows.map(row =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        return isNumeric[column] ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** The columns of objects, for people. */
export function objectTable(
  columns: readonly string[],
  objects: readonly Readonly<Record<string, unknown>>[],
): string[] {
  return formatTable([
    columns.map(name => name.toUpperCase()),
    ...objects.map(object => columns.map(name => cell(object[name]))),
  ]);
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(cell).join(',');
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([key, field]) => `${key}=${cell(field)}`)
      .join(' ');
  }
  return String(value).replace(/\s+/g, ' ');
}
