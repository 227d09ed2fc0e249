import { elapsed, turn } from './clock.js';
import { advance, fold, type Grid, refold } from './model/fold.js';
import { carriesOn, columnsBehind, type Frame, frameOf, placeIn, type View } from './model/frame.js';
import { inSlices } from './model/slices.js';
import type { Track } from './model/tracks.js';
import { emptyColour, pixels } from './palette.js';

/** What the timeline is to show. */
export interface Scene {
  readonly view: View;
  readonly tracks: readonly Track[];
  /** Another one: the tracks have other places. */
  readonly reading: number;
  readonly isDark: boolean;
}

interface Painted {
  readonly scene: Scene;
  readonly grid: Grid;
  readonly tracks: readonly Track[];
  readonly canvas: Canvas;
}

/** When more hosts have changed, all are painted anew. */
const CHANGED_AT_MOST = 1_000;

/**
 * The picture of the timeline. Another window of time is folded and painted in slices, between which the page answers; meanwhile
 * the former picture is shown, with its times where they are now. What changes behind that is painted at once.
 */
export class Picture {
  #painted: Painted | undefined;
  /** What is being painted. */
  #begun: { readonly scene: Scene; readonly frame: Frame } | undefined;
  /** Of the last call. */
  #last: { readonly context: CanvasRenderingContext2D; readonly scene: Scene } | undefined;

  draw(context: CanvasRenderingContext2D, scene: Scene): void {
    this.#last = { context, scene };
    const isBegun = this.#begun !== undefined && isSame(this.#begun.scene, this.#begun.frame, scene);
    if (!isBegun) {
      this.#begun = undefined;
      if (!this.#carryOn(scene)) void this.#paint(scene);
    }
    this.#show(context, scene);
  }

  /** Nobody looks at it any more. */
  stop(): void {
    this.#begun = undefined;
    this.#last = undefined;
  }

  async #paint(scene: Scene): Promise<void> {
    const frame = frameOf(scene.view);
    const begun = { scene, frame };
    this.#begun = begun;
    const isWanted = () => this.#begun === begun;
    const canvas = new Canvas(frame);
    const { columns, start, step } = frame;
    const options = { columns, rows: scene.view.rows, start, end: start + columns * step };
    const folding = fold(scene.tracks, options, (part, from, to) => canvas.paintRows(part, from, to));
    const grid = await inSlices(folding, { elapsed, turn, isWanted });
    if (grid === undefined || !isWanted()) return;
    this.#begun = undefined;
    this.#painted = { scene, grid, tracks: scene.tracks, canvas };
    // Time has gone on meanwhile, and hosts have moved.
    if (this.#last !== undefined) this.draw(this.#last.context, this.#last.scene);
  }

  /** @returns false when it has to be painted anew */
  #carryOn(scene: Scene): boolean {
    const former = this.#painted;
    if (former === undefined || !isSame(former.scene, former.grid, scene)) return false;
    const { tracks, canvas } = former;
    const changed = scene.tracks.flatMap((track, place) => (track === tracks[place] ? [] : [place]));
    if (changed.length > CHANGED_AT_MOST) return false;
    for (const row of refold(former.grid, scene.tracks, changed)) canvas.paintRows(former.grid, row, row + 1);
    const by = columnsBehind(former.grid, scene.view);
    const grid = advance(former.grid, scene.tracks, by);
    if (by > 0) canvas.advance(grid, by);
    this.#painted = { scene, grid, tracks: scene.tracks, canvas };
    return true;
  }

  #show(context: CanvasRenderingContext2D, scene: Scene): void {
    const { canvas } = context;
    const { columns, rows } = scene.view;
    if (canvas.width !== columns || canvas.height !== rows) {
      canvas.width = columns;
      canvas.height = rows;
    }
    const painted = this.#painted;
    const isShown = painted !== undefined && isSame(painted.scene, painted.grid, scene);
    if (!isShown || painted.grid.rows === 0) {
      context.fillStyle = emptyColour();
      context.fillRect(0, 0, columns, rows);
    }
    if (painted === undefined || painted.grid.rows === 0) return;
    const { left, width } = isShown ? { left: 0, width: columns } : placeIn(painted.grid, scene.view);
    context.imageSmoothingEnabled = false;
    context.drawImage(painted.canvas.element, left, 0, width, rows);
  }
}

/** Whether a picture of the former scene, with this frame, becomes the one of the other by painting what has changed. */
function isSame(former: Scene, frame: Frame, { view, reading, isDark }: Scene): boolean {
  return (
    reading === former.reading && isDark === former.isDark && view.hosts === former.view.hosts && carriesOn(frame, view)
  );
}

/** A grid's cells as pixels. */
class Canvas {
  readonly element = document.createElement('canvas');
  readonly #context = this.element.getContext('2d', { alpha: false });
  readonly #colours = pixels();

  constructor({ columns, rows }: Frame) {
    this.element.width = columns;
    this.element.height = rows;
  }

  paintRows(grid: Grid, from: number, to: number): void {
    this.#paint(grid, { left: 0, right: grid.columns, top: from, bottom: to });
  }

  /** The grid was advanced. @param by columns */
  advance(grid: Grid, by: number): void {
    this.#context?.drawImage(this.element, -by, 0);
    // The last column of before was not over.
    this.#paint(grid, { left: Math.max(0, grid.columns - by - 1), right: grid.columns, top: 0, bottom: grid.rows });
  }

  #paint({ columns, cells }: Grid, { left, right, top, bottom }: Box): void {
    const width = right - left;
    if (this.#context === null || width <= 0 || bottom <= top) return;
    const data = this.#context.createImageData(width, bottom - top);
    const words = new Uint32Array(data.data.buffer);
    let at = 0;
    for (let row = top; row < bottom; row++) {
      const base = row * columns;
      for (let cell = base + left; cell < base + right; cell++) words[at++] = this.#colours[cells[cell] ?? 0] ?? 0;
    }
    this.#context.putImageData(data, left, top);
  }
}

/** Of cells: from the first to before the last. */
interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}
