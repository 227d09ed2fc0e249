/** `0.6 s`, `12 s`, `3 min`, `2 h`, `4 d`. @param ms milliseconds */
export function seconds(ms: number): string {
  const all = Math.max(0, ms) / 1_000;
  if (all < 9.95) return `${all.toFixed(1)} s`;
  if (all < 99.5) return `${Math.round(all)} s`;
  if (all < 5_970) return `${Math.round(all / 60)} min`;
  if (all < 171_000) return `${Math.round(all / 3_600)} h`;
  return `${Math.round(all / 86_400)} d`;
}

/** `a`, `a and b`, `a, b and c`, `a, b and 3 more`. */
export function addresses(all: readonly string[]): string {
  if (all.length < 2) return all.join();
  const shown = all.length <= 3 ? all : [...all.slice(0, 2), `${all.length - 2} more`];
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** `14:03`, or with seconds `14:03:27`, in the browser's time. */
export function timeOfDay(moment: number, withSeconds = false): string {
  const date = new Date(moment);
  const parts = [date.getHours(), date.getMinutes(), ...(withSeconds ? [date.getSeconds()] : [])];
  return parts.map(part => String(part).padStart(2, '0')).join(':');
}

/** `2026-11-28 14:03:27`, in the browser's time. */
export function dateAndTime(moment: number): string {
  const date = new Date(moment);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(part => String(part).padStart(2, '0'));
  return `${day.join('-')} ${timeOfDay(moment, true)}`;
}
