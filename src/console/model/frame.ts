import type { Grid } from './fold.js';

/** What is to be seen on the timeline. */
export interface View {
  /** Of pixels. */
  readonly columns: number;
  readonly rows: number;
  readonly hosts: number;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  /** The end is the present. */
  readonly isLive: boolean;
}

/** Which rows and columns a grid has, or is to have. */
export type Frame = Pick<Grid, 'columns' | 'rows' | 'start' | 'step'>;

/** Columns begin at multiples of their length, so that the past does not tremble when time goes on. */
export function frameOf({ columns, rows, hosts, start, end, isLive }: View): Frame {
  const step = Math.max(1, (end - start) / Math.max(1, columns));
  return { columns, rows: Math.min(rows, hosts), start: isLive ? Math.ceil(start / step) * step : start, step };
}

/** Of a grid that is carried on, at most so much is new. */
const NEW_AT_MOST = 0.25;

/** Whether a grid of this frame becomes the view's by folding the last columns alone. */
export function carriesOn(frame: Frame, view: View): boolean {
  const { columns, rows, step, start } = frameOf(view);
  if (frame.columns !== columns || frame.rows !== rows || Math.abs(frame.step - step) >= 1e-6) return false;
  if (!view.isLive) return frame.start === view.start;
  return start > frame.start - step / 2 && start < frame.start + NEW_AT_MOST * columns * step;
}

/** By how many columns a grid is to be advanced that is carried on to the view. */
export function columnsBehind({ start, step }: Frame, view: View): number {
  return Math.max(0, Math.round((frameOf(view).start - start) / step));
}

/** Where the grid's span of time is in a picture of the view. In pixels. */
export function placeIn(
  { columns, start, step }: Frame,
  view: View,
): { readonly left: number; readonly width: number } {
  const pixels = view.columns / Math.max(1, view.end - view.start);
  return { left: (start - view.start) * pixels, width: columns * step * pixels };
}
