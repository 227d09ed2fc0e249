import { parseMoment } from '../api/moment.js';

const UNITS: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/**
 * How long ago a date of the API is: `3 d 4 h`, `5 min`, `12 s`, in two units at most. Empty when it is no date.
 * @param wallTime milliseconds since 1970
 */
export function age(date: unknown, wallTime: number): string {
  const moment = typeof date === 'string' ? parseMoment(date) : undefined;
  return moment === undefined ? '' : duration(wallTime - moment);
}

/** In the same words. The server's clock may be ahead: it is never negative. */
export function duration(ms: number): string {
  let rest = Math.max(0, Math.round(ms / 1_000));
  const parts: string[] = [];
  for (const [size, name] of UNITS) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)} ${name}`);
    // Only the unit that follows is added: 1 h 5 s is 1 h.
    else if (parts.length > 0) break;
    rest %= size;
    if (parts.length === 2) break;
  }
  return parts.join(' ') || '0 s';
}
