/** Prints columns; all but the first stand at the right. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map(row => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  console.log([line(head), widths.map(width => '─'.repeat(width)).join('  '), ...rows.map(line), ''].join('\n'));
}

export function rounded(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function ratio(value: number, base: number | undefined): string {
  return base ? `${(value / base).toFixed(2)} ×` : '';
}
