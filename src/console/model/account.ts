import type { Fleet } from './tracks.js';

/** Moves of one kind from one server to another within a minute: the timeline as text. */
export interface AccountLine {
  /** The first of them. */
  readonly at: number;
  readonly count: number;
  readonly kind: string;
  readonly cause: string;
  /** Address; '' for none. */
  readonly from: string;
  readonly to: string;
  /** The longest gap; undefined: not known. */
  readonly gap: number | undefined;
}

const TOGETHER_MS = 60_000;

/** Newest first. @param most lines at most */
export function account({ tracks, servers }: Fleet, start: number, end: number, most: number): readonly AccountLine[] {
  const address = (number: number) => servers[number - 1]?.address ?? '';
  const lines = new Map<string, { -readonly [K in keyof AccountLine]: AccountLine[K] }>();
  for (const { first, steps } of tracks) {
    let before = first;
    for (const { at, server, kind, cause, gap } of steps) {
      const from = address(before);
      before = server;
      if (at < start || at > end) continue;
      const key = [Math.floor(at / TOGETHER_MS), kind, cause, from, server].join(' ');
      const line = lines.get(key);
      if (line === undefined) lines.set(key, { at, count: 1, kind, cause, from, to: address(server), gap });
      else {
        line.at = Math.min(line.at, at);
        line.count++;
        if (gap !== undefined) line.gap = Math.max(line.gap ?? 0, gap);
      }
    }
  }
  return [...lines.values()].sort((one, other) => other.at - one.at || other.count - one.count).slice(0, most);
}
