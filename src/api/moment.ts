/** The form of the API's dates: `2026-11-22T09:00:00+0000`, in UTC. @param moment milliseconds since 1970 */
export function dateText(moment: number): string {
  return `${new Date(moment).toISOString().slice(0, 19)}+0000`;
}

/** `2026-11-22T09:00:00+0000`, also `+00:00`, `Z`, and fractions. @returns milliseconds since 1970; undefined: no date */
export function parseMoment(text: string): number | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)(Z|[+-]\d{2}:?\d{2})$/.exec(text);
  if (parts === null) return undefined;
  const [, moment = '', zone = ''] = parts;
  const milliseconds = Date.parse(moment + zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2'));
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
