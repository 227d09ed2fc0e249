import { type Interruptible, workCounter } from '../../lib/interruptible.js';
import { NOT_YET, NOWHERE, type Step, type Track } from './tracks.js';

/**
 * The placement timeline as a grid of pixels. Each row of it stands for one or many hosts, each column for a span of time,
 * and each cell for the worst of its hosts in that span: a larger number is worse.
 */
export interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** The moment at which the first column begins. */
  readonly start: number;
  /** Milliseconds of a column. */
  readonly step: number;
  /** How many hosts there are. */
  readonly hosts: number;
  /** Row by row. See `NO_DATA`, `ASTRAY`, `NO_LINK`; else the number of the preferred server that the host was on. */
  readonly cells: Uint8Array;
}

/** No host had come yet, or it is not known. */
export const NO_DATA = 0;
/** Beyond this is the number of a server that was not the preferred one. */
export const ASTRAY = 100;
/** A host had no Ready link. */
export const NO_LINK = 255;
/** Servers beyond this number share its colour. */
const SERVERS_MAX = 100;

export interface GridOptions {
  readonly columns: number;
  /** There are fewer when there are fewer hosts. */
  readonly rows: number;
  readonly start: number;
  readonly end: number;
}

/** Cells that are written, and moves that are looked at, in a step of a millisecond or two. */
const WORK_PER_STEP = 100_000;

/**
 * Folds all hosts into a new grid, some rows a step.
 * @param onRows called with the first row of a step, and the first behind them, when they are folded
 */
export function* fold(
  tracks: readonly Track[],
  { columns, rows: most, start, end }: GridOptions,
  onRows: (grid: Grid, from: number, to: number) => void = () => {},
): Interruptible<Grid> {
  const rows = Math.min(most, tracks.length);
  const step = Math.max(1, (end - start) / Math.max(1, columns));
  const grid = { columns, rows, start, step, hosts: tracks.length, cells: new Uint8Array(columns * rows) };
  const isStepFull = workCounter(WORK_PER_STEP);
  let from = 0;
  for (let row = 0; row < rows; row++) {
    foldRow(grid, tracks, row, 0);
    const [first, behind] = hostsOfRow(grid, row);
    let moves = 0;
    for (let place = first; place < behind; place++) moves += 1 + (tracks[place]?.steps.length ?? 0);
    if (!isStepFull(columns + MOVE_WORK * moves)) continue;
    onRows(grid, from, row + 1);
    from = row + 1;
    yield;
  }
  onRows(grid, from, rows);
  return grid;
}

/** A move costs as much as so many cells. */
const MOVE_WORK = 20;

/** The hosts of these places have changed: their rows are folded again. The grid's cells are written. @returns the rows */
export function refold(grid: Grid, tracks: readonly Track[], changed: Iterable<number>): ReadonlySet<number> {
  const rows = new Set<number>();
  for (const place of changed) rows.add(rowOf(grid, place));
  for (const row of rows) foldRow(grid, tracks, row, 0);
  return rows;
}

/** Time has gone on by whole columns. The first ones fall out, and new ones are folded. The cells are those of the former grid. */
export function advance(grid: Grid, tracks: readonly Track[], by: number): Grid {
  const { columns, rows, start, step, cells } = grid;
  if (by <= 0) return grid;
  const next = { ...grid, start: start + by * step };
  if (by < columns) cells.copyWithin(0, by);
  // The last column of before was not over.
  const from = Math.max(0, columns - by - 1);
  for (let row = 0; row < rows; row++) foldRow(next, tracks, row, from);
  return next;
}

/** The row of a host, by the host's place. */
export function rowOf({ rows, hosts }: Pick<Grid, 'rows' | 'hosts'>, place: number): number {
  return Math.min(rows - 1, Math.floor(((place + 0.5) * rows) / hosts));
}

/** The places of a row's hosts: from the first to before the second. */
export function hostsOfRow({ rows, hosts }: Pick<Grid, 'rows' | 'hosts'>, row: number): readonly [number, number] {
  const firstOf = (one: number) => Math.max(0, Math.ceil((one * hosts) / rows - 0.5));
  return [firstOf(row), firstOf(row + 1)];
}

/** Writes the cells of a row from a column on. */
function foldRow(grid: Grid, tracks: readonly Track[], row: number, from: number): void {
  const { columns, cells, start, step } = grid;
  const base = row * columns;
  const [first, end] = hostsOfRow(grid, row);
  // No cell is better than a host that was there all the time, on its preferred server at best. This spares painting what
  // most hosts do most of the time.
  let least = NO_DATA;
  for (let place = first; place < end; place++) {
    const track = tracks[place];
    if (track !== undefined && wasThere(track, start + from * step)) least = Math.max(least, shown(track.preferred));
  }
  cells.fill(least, base + from, base + columns);
  for (let place = first; place < end; place++) {
    const track = tracks[place];
    if (track !== undefined) paintTrack(grid, track, { base, from, least });
  }
}

function wasThere({ first, steps }: Track, moment: number): boolean {
  return first !== NOT_YET || (steps[0] !== undefined && steps[0].at <= moment);
}

const shown = (server: number) => Math.min(server, SERVERS_MAX - 1);

interface RowCells {
  /** The row's first cell. */
  readonly base: number;
  /** The first column that is painted. */
  readonly from: number;
  /** What all its cells are at least. */
  readonly least: number;
}

function paintTrack(
  { columns, start, step, cells }: Grid,
  { first, steps, preferred }: Track,
  { base, from, least }: RowCells,
) {
  const paint = (since: number, until: number, value: number) => {
    if (value <= least) return;
    const left = Math.max(from, Math.floor((since - start) / step));
    // What is shorter than a column still fills one.
    const right = Math.min(columns, Math.max(left + 1, Math.ceil((until - start) / step)));
    for (let cell = base + left; cell < base + right; cell++) {
      if ((cells[cell] ?? 0) < value) cells[cell] = value;
    }
  };
  const cellOf = (server: number) => {
    if (server === NOT_YET) return NO_DATA;
    if (server === NOWHERE) return NO_LINK;
    return server === preferred || preferred === NOWHERE ? shown(server) : ASTRAY + shown(server);
  };
  const visibleFrom = start + from * step;
  const end = start + columns * step;
  let until = end;
  // From the newest: those that are over before the first column are not looked at.
  for (let index = steps.length - 1; index >= 0; index--) {
    const { at, server, gap } = steps[index] as Step;
    if (at < end && until > visibleFrom) paint(Math.max(at, start), until, cellOf(server));
    if (gap !== undefined && gap > 0 && at > visibleFrom) {
      // It had no link before it came; but it had one when it came the time before.
      const since = Math.max(at - gap, start, sinceLink(steps, index));
      if (since < at && since < end) paint(since, Math.min(at, end), NO_LINK);
    }
    until = Math.min(until, at);
    if (until <= visibleFrom) return;
  }
  if (until > visibleFrom && first !== NOT_YET) paint(start, until, cellOf(first));
}

/** When a host came to a server for the last time before this step. */
function sinceLink(steps: readonly Step[], index: number): number {
  return steps.findLast(({ server }, place) => place < index && server !== NOWHERE)?.at ?? Number.NEGATIVE_INFINITY;
}
