import { amount } from '../../lib/text/amount.js';
import { seconds, timeOfDay } from './text.js';
import { type Fleet, NOT_YET, NOWHERE, type Track, whereAt } from './tracks.js';

/** The host that is worst at a moment: without a link, else on another server than the preferred one, else the first. */
export function worstAt(tracks: readonly Track[], moment: number): Track | undefined {
  const rank = (track: Track) => {
    const server = whereAt(track, moment);
    if (server === NOWHERE) return 2;
    return server !== NOT_YET && track.preferred !== NOWHERE && server !== track.preferred ? 1 : 0;
  };
  return tracks.reduce<Track | undefined>(
    (worst, track) => (worst === undefined || rank(track) > rank(worst) ? track : worst),
    undefined,
  );
}

/** What a place of the timeline shows, in words. */
export function stateAtText(tracks: readonly Track[], moment: number, { servers }: Pick<Fleet, 'servers'>): string {
  const worst = worstAt(tracks, moment);
  if (worst === undefined) return '';
  const server = whereAt(worst, moment);
  const address = servers[server - 1]?.address ?? '';
  const where = server === NOT_YET ? 'not there yet' : server === NOWHERE ? 'without a Ready link' : `on ${address}`;
  const rest =
    server > NOWHERE && server !== worst.preferred ? `, prefers ${servers[worst.preferred - 1]?.address}` : '';
  const last = worst.steps.findLast(({ at }) => at <= moment);
  const why = last === undefined ? '' : `; ${last.kind} (${last.cause}) ${seconds(moment - last.at)} before`;
  const all = tracks.length === 1 ? '' : ` – the worst of ${amount(tracks.length, 'agent')} in this row`;
  return `${timeOfDay(moment, true)}: ${worst.name} ${where}${rest}${why}${all}`;
}

/** How much of the past is shown first: `most`; of a cluster that was just made, what there is of it. Milliseconds. */
export function firstSpan(tracks: readonly Track[], now: number, most: number): number {
  let earliest = now;
  for (const { first, steps } of tracks) {
    if (first !== NOT_YET) return most;
    earliest = Math.min(earliest, steps[0]?.at ?? now);
  }
  return Math.min(most, Math.max(SHORT_MS, (now - earliest) * 1.25));
}

const SHORT_MS = 120_000;

export interface Tick {
  readonly at: number;
  readonly label: string;
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600];
/** Pixels that a label needs. */
const LABEL = 80;

/** The times below the timeline. @param width of it, in pixels */
export function ticks(start: number, end: number, width: number): readonly Tick[] {
  if (width <= 0 || end <= start) return [];
  const least = ((end - start) / 1_000 / width) * LABEL;
  const step = (STEPS_S.find(seconds => seconds >= least) ?? 43_200) * 1_000;
  // At whole hours of the browser's time, whose zone may be half an hour off.
  const offset = new Date(start).getTimezoneOffset() * 60_000;
  const all: Tick[] = [];
  const margin = ((end - start) / width) * (LABEL / 3);
  for (let at = Math.ceil((start - offset) / step) * step + offset; at <= end; at += step) {
    if (at > start + margin && at < end - margin) all.push({ at, label: timeOfDay(at, step < 60_000) });
  }
  return all;
}
