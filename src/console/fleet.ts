import { batch, signal } from '@preact/signals';
import { ask } from './api.js';
import { after, elapsed, turn } from './clock.js';
import { inSlices } from './model/slices.js';
import { type Fleet, fleetOf, follow, type Move, NO_FLEET, type Preference, preferring } from './model/tracks.js';

// Where all hosts were for a day: read once, and followed from then on.

export const fleet = signal<Fleet>(NO_FLEET);
export const isFleetRead = signal(false);
/** Changes whenever the tracks have other places. */
export const fleetReading = signal(0);
/** Whenever one of these hosts moves, its pages read again: the last move of each, by host id. */
export const lastMoves = signal<ReadonlyMap<string, string>>(new Map());

/** Readings that follow each other closely are one. */
const READ_AGAIN_MS = 1_000;

let isAtWork = false;
let hasToRead = false;
/** From when on it is read, in milliseconds since 1970. */
let start = 0;
/** Of somebody who has signed in: what was begun for another one is not wanted any more. */
let era = 0;
/** What comes while something is made. */
let moves: Move[] = [];
let lists: Preference[] = [];

/** Has it read anew, soon. @param from milliseconds since 1970 */
export function readFleet(from: number): void {
  start = from;
  hasToRead = true;
  void work();
}

/** There is nobody to show it to. */
export function forgetFleet(): void {
  era++;
  hasToRead = false;
  moves = [];
  lists = [];
  batch(() => {
    isFleetRead.value = false;
    fleet.value = NO_FLEET;
  });
}

/** Moves, oldest first. @param from for the case that the fleet has to be read anew */
export function moved(more: readonly Move[], from: number): void {
  if (isAtWork) moves.push(...more);
  else if (isFleetRead.value && apply(more)) readFleet(from);
  const last = new Map(lastMoves.value);
  for (const { hostid, id } of more) if (hostid) last.set(hostid, id);
  lastMoves.value = last;
}

/** Agents have other lists. */
export function listed(more: readonly Preference[]): void {
  lists.push(...more);
  void work();
}

/** One thing after the other: what comes meanwhile waits, and is applied to what was made. */
async function work(): Promise<void> {
  if (isAtWork) return;
  isAtWork = true;
  while (hasToRead || (isFleetRead.value && lists.length > 0)) {
    const made = hasToRead ? await read() : await prefer();
    if (made !== undefined || isFleetRead.value) show(made);
    if (hasToRead) await pause(READ_AGAIN_MS);
  }
  isAtWork = false;
}

/** @returns undefined: there was no answer, or nobody wants it any more */
async function read(): Promise<Fleet | undefined> {
  const before = era;
  hasToRead = false;
  try {
    const placements = await ask('listPlacements', { startdate: dateText(start) });
    return await inSlices(fleetOf(placements), { elapsed, turn, isWanted: () => era === before });
  } catch {
    // While there is no server the page says so.
    hasToRead ||= era === before;
    return undefined;
  }
}

/** @returns undefined: nothing is new, or nobody wants it any more */
async function prefer(): Promise<Fleet | undefined> {
  const before = era;
  return inSlices(preferring(fleet.value, lists.splice(0)), { elapsed, turn, isWanted: () => era === before });
}

/** @param made undefined: the tracks stay where they are */
function show(made: Fleet | undefined): void {
  batch(() => {
    if (made !== undefined) {
      fleet.value = made;
      isFleetRead.value = true;
      fleetReading.value++;
    }
    // A host that came while all were read may be unknown still.
    hasToRead ||= apply(moves.splice(0));
  });
}

/** @returns whether it has to be read anew: there are hosts that it does not know, or no longer should */
function apply(more: readonly Move[]): boolean {
  const followed = follow(fleet.value, more);
  if (followed.changed.length > 0) fleet.value = followed.fleet;
  return followed.hasUnknown || more.some(({ cause }) => cause === 'removed');
}

const pause = (ms: number) => new Promise<void>(resolve => after(ms, resolve));

/** The API's form of a date. */
function dateText(moment: number): string {
  return `${new Date(moment).toISOString().slice(0, 19)}+0000`;
}
