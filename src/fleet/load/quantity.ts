// Quantities as operators write them: 30s, 500/s, 10%, 64kB/s.

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const DURATION_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
export const DURATION_FORM = 'a time such as 200ms, 1.5s, 10m or 2h';

/** @returns milliseconds; undefined when it is no time */
export function durationMs(text: string): number | undefined {
  const [, number = '', unit = ''] = DURATION.exec(text) ?? [];
  return unit in DURATION_MS ? Number(number) * DURATION_MS[unit as keyof typeof DURATION_MS] : undefined;
}

const RATE = /^(\d+(?:\.\d+)?)\/(s|m|h)$/;
export const RATE_FORM = 'a rate such as 500/s, 0.5/s or 30/m';

/** @returns how many a second, more than 0; undefined when it is no rate */
export function ratePerSecond(text: string): number | undefined {
  const [, number = '', unit = ''] = RATE.exec(text) ?? [];
  const perSecond = (1_000 * Number(number)) / (DURATION_MS[unit as keyof typeof DURATION_MS] ?? 1_000);
  return unit !== '' && perSecond > 0 ? perSecond : undefined;
}

/** So many, or a part of all of them. */
export type Share = { readonly count: number } | { readonly percent: number };

const SHARE = /^(?:(\d+)|(\d+(?:\.\d+)?)%)$/;
export const SHARE_FORM = 'a number such as 5, or a part of all such as 10%';

/** @returns undefined when it is none, or more than all */
export function share(text: string): Share | undefined {
  const [found, count, percent] = SHARE.exec(text) ?? [];
  if (found === undefined) return undefined;
  if (count !== undefined) return { count: Number(count) };
  return Number(percent) <= 100 ? { percent: Number(percent) } : undefined;
}

/** How many of `all` a share is. A part of some is one at least. */
export function countOf(part: Share, all: number): number {
  if ('count' in part) return Math.min(part.count, all);
  return part.percent === 0 ? 0 : Math.min(all, Math.max(1, Math.round((all * part.percent) / 100)));
}

/** Why there are not more. */
export function agentsText(agents: number): string {
  return agents === 1 ? 'there is 1 agent' : `there are ${agents} agents`;
}

const BYTE_RATE = /^(\d+(?:\.\d+)?)(B|kB|MB)\/s$/;
const BYTES = { B: 1, kB: 1_000, MB: 1_000_000 } as const;
export const BYTE_RATE_FORM = 'a rate such as 500B/s, 64kB/s or 1MB/s';

/** @returns bytes a second, 1 at least; undefined when it is no rate of bytes */
export function bytesPerSecond(text: string): number | undefined {
  const [, number = '', unit = ''] = BYTE_RATE.exec(text) ?? [];
  const bytes = Number(number) * (BYTES[unit as keyof typeof BYTES] ?? 0);
  return bytes >= 1 ? bytes : undefined;
}
