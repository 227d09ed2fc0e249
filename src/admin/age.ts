const UNITS: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** The API's dates. @returns milliseconds since 1970; undefined: it is none */
export function momentOf(date: unknown): number | undefined {
  if (typeof date !== 'string') return undefined;
  const moment = Date.parse(date.replace(/\+0000$/, 'Z'));
  return Number.isNaN(moment) ? undefined : moment;
}

/** `3 d 4 h`, `5 min`, `12 s`: two units at most. Empty where there is no date. */
export function age(date: unknown, wallTime: number): string {
  const moment = momentOf(date);
  if (moment === undefined) return '';
  // Clocks differ by a little: nothing is younger than new.
  let rest = Math.max(0, Math.round((wallTime - moment) / 1_000));
  const parts: string[] = [];
  for (const [size, name] of UNITS) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)} ${name}`);
    // A minute and nothing is a minute: no smaller unit follows.
    else if (parts.length > 0) break;
    rest %= size;
    if (parts.length === 2) break;
  }
  return parts.join(' ') || '0 s';
}
