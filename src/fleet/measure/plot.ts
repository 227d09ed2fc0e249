import { xmlText } from '../../lib/text/xml-text.js';
import type { Sample } from './samples.js';

export interface PlottedFault {
  readonly at: number;
  readonly ms: number;
  readonly kind: string;
  /** Such as `server-1`. */
  readonly target: string;
}

export interface PlotInput {
  readonly title: string;
  /** Where the picture begins and ends. */
  readonly startMs: number;
  readonly endMs: number;
  /** When the faults stop; undefined: there is no such moment. */
  readonly stopMs?: number;
  readonly servers: readonly string[];
  readonly agents: number;
  readonly samples: readonly Sample[];
  readonly faults: readonly PlottedFault[];
}

const WIDTH = 1_200;
const [LEFT, RIGHT, TOP] = [90, 20, 56];
const AREA = 260;
const LANE = 20;
/** Of the names of faults, at most. */
const LETTER = 7;
/** So many points of time at most are drawn. */
const COLUMNS = WIDTH - LEFT - RIGHT;
const SERVER_COLOURS = ['#4c78a8', '#72b7b2', '#b5cf6b', '#9c89b8', '#d6a35c'];
const WITHOUT_COLOUR = '#d62728';
const FAULT_COLOUR = '#555';

/**
 * A picture as SVG: time to the right, how many agents are Ready on which server stacked above each other, those without a
 * Ready link on top in red, and below them the faults, by target.
 */
export function plotOf({ title, startMs, endMs, stopMs, servers, agents, samples, faults }: PlotInput): string {
  const x = (ms: number) => LEFT + (COLUMNS * (Math.max(startMs, Math.min(ms, endMs)) - startMs)) / (endMs - startMs);
  const lanes = lanesOf(faults, x);
  const height = TOP + AREA + 44 + lanes.length * LANE + 16;
  const y = (count: number) => TOP + AREA * (1 - count / agents);
  const laneTop = (lane: number) => TOP + AREA + 40 + lane * LANE;
  const layers = [...servers.map(host => ({ name: host, host })), { name: 'without a Ready link', host: undefined }];
  const colourOf = (layer: number) =>
    layer === servers.length ? WITHOUT_COLOUR : (SERVER_COLOURS[layer % SERVER_COLOURS.length] ?? FAULT_COLOUR);
  const columns = thinned(samples, startMs, endMs);
  const stack = columns.map(sample => {
    let sum = 0;
    return layers.map(({ host }) => {
      const from = sum;
      sum += host === undefined ? sample.without : (sample.ready.get(host) ?? 0);
      return [from, sum] as const;
    });
  });
  const areas = layers.map((_, layer) => {
    const steps = columns.flatMap((sample, index) => {
      const [from, to] = stack[index]?.[layer] ?? [0, 0];
      const until = columns[index + 1]?.at ?? endMs;
      // A column of nothing would be a line of anti-aliasing.
      return from === to
        ? []
        : [
            `M${px(x(sample.at))} ${px(y(from))}H${px(Math.max(x(until), x(sample.at) + 0.7))}V${px(y(to))}H${px(x(sample.at))}Z`,
          ];
    });
    return `<path fill="${colourOf(layer)}" d="${steps.join('')}"/>`;
  });
  const legend = layers.map(({ name }, layer) => {
    const at = LEFT + layer * 120;
    return `<rect x="${at}" y="32" width="12" height="12" fill="${colourOf(layer)}"/>${text(at + 17, 42, name)}`;
  });
  const ticks = ticksOf(startMs, endMs).map(ms => {
    const at = px(x(ms));
    return `<path stroke="#ddd" d="M${at} ${TOP + AREA}V${height - 12}"/>${text(x(ms), TOP + AREA + 16, timeText(ms), 'middle')}`;
  });
  const counts = [0, agents / 2, agents].map(count => text(LEFT - 8, y(count) + 4, String(Math.round(count)), 'end'));
  const names = lanes.map(({ target, isFirst }, lane) =>
    isFirst ? text(LEFT - 8, laneTop(lane) + 13, target, 'end') : '',
  );
  const bars = lanes.flatMap((lane, index) =>
    lane.faults.map(({ at, ms, kind, target }) => {
      const top = laneTop(index);
      const width = Math.max(3, x(at + ms) - x(at));
      const bar = `<rect x="${px(x(at))}" y="${top + 2}" width="${px(width)}" height="${LANE - 4}" rx="2" fill="${FAULT_COLOUR}" fill-opacity="0.25" stroke="${FAULT_COLOUR}"/>`;
      return `<g><title>${xmlText(`${kind} ${target} at ${timeText(at)} for ${(ms / 1_000).toFixed(1)} s`)}</title>${bar}${text(x(at) + 5, top + 14, kind)}</g>`;
    }),
  );
  const stop =
    stopMs === undefined
      ? ''
      : `<path stroke="#000" stroke-dasharray="4 3" d="M${px(x(stopMs))} ${TOP - 4}V${height - 12}"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="${LEFT}" y="20" font-size="14">${xmlText(title)}</text>
${[...legend, ...ticks, ...areas, ...counts, ...names, stop, ...bars].join('\n')}
</svg>
`;
}

interface Lane {
  readonly target: string;
  /** The other lanes of the target follow. */
  readonly isFirst: boolean;
  readonly faults: PlottedFault[];
}

/** As many for each target as it takes for no bar and no name to be hidden. */
function lanesOf(faults: readonly PlottedFault[], x: (ms: number) => number): readonly Lane[] {
  const targets = [...new Set(faults.map(({ target }) => target))].sort();
  return targets.flatMap(target => {
    const lanes: { end: number; readonly lane: Lane }[] = [];
    for (const fault of faults.filter(other => other.target === target)) {
      const from = x(fault.at);
      let free = lanes.find(({ end }) => end <= from);
      if (free === undefined) {
        free = { end: 0, lane: { target, isFirst: lanes.length === 0, faults: [] } };
        lanes.push(free);
      }
      free.end = Math.max(x(fault.at + fault.ms), from + 8 + fault.kind.length * LETTER);
      free.lane.faults.push(fault);
    }
    return lanes.map(({ lane }) => lane);
  });
}

/** For each column of the picture what was worst in it, and what held at its end. */
function thinned(samples: readonly Sample[], startMs: number, endMs: number): readonly Sample[] {
  const columnMs = (endMs - startMs) / COLUMNS;
  const worst = new Map<number, Sample>();
  const last = new Map<number, Sample>();
  for (const sample of samples) {
    const column = Math.max(-1, Math.floor((sample.at - startMs) / columnMs));
    const known = worst.get(column);
    if (known === undefined || sample.without >= known.without) worst.set(column, sample);
    last.set(column, sample);
  }
  return [...worst].flatMap(([column, sample]) => {
    const next = last.get(column) ?? sample;
    if (column < 0) return [{ ...next, at: startMs }];
    return worst.has(column + 1) ? [sample] : [sample, { ...next, at: startMs + (column + 1) * columnMs }];
  });
}

function ticksOf(startMs: number, endMs: number): readonly number[] {
  const steps = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600].map(seconds => seconds * 1_000);
  const step = steps.find(ms => (endMs - startMs) / ms <= 15) ?? 7_200_000;
  const first = Math.ceil(startMs / step);
  return Array.from({ length: Math.floor(endMs / step) - first + 1 }, (_, index) => (first + index) * step);
}

function timeText(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function text(x: number, y: number, words: string, anchor = 'start'): string {
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${xmlText(words)}</text>`;
}
