import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { fleet, fleetReading } from '../fleet.js';
import { now } from '../live.js';
import { account } from '../model/account.js';
import { hostsOfRow } from '../model/fold.js';
import { firstSpan, stateAtText, ticks, worstAt } from '../model/look.js';
import { seconds, timeOfDay } from '../model/text.js';
import { type Fleet, NOWHERE, type Track } from '../model/tracks.js';
import { colourOf, isDark } from '../palette.js';
import { Picture } from '../picture.js';
import { go, hrefOf } from '../router.js';
import { At, ServerAt, Swatch, Table } from './parts.js';

const MINUTE_MS = 60_000;
const SPANS = [
  { label: '5 min', ms: 5 * MINUTE_MS },
  { label: '30 min', ms: 30 * MINUTE_MS },
  { label: '2 h', ms: 120 * MINUTE_MS },
  { label: '6 h', ms: 360 * MINUTE_MS },
  { label: '24 h', ms: 1_440 * MINUTE_MS },
] as const;
const SHORTEST_MS = 10_000;
const LONGEST_MS = 1_440 * MINUTE_MS;
/** A drag of fewer pixels is a click. */
const DRAG = 4;
const LINES = 50;

/** What of the past is shown. Without `end` it follows the present. */
interface Window {
  readonly span: number;
  readonly end?: number;
}

/**
 * Where the agents were, drawn from their moves.
 * @param proposed the preferred server that each would have, by the agent's id: drawn behind the present, paler
 */
export function Timeline({ proposed }: { readonly proposed?: ReadonlyMap<string, string> }) {
  const shown = useSignal<Window>({ span: firstSpan(fleet.value.tracks, now.value, SPANS[1].ms) });
  const size = useSignal({ width: 0, height: 0 });
  const brush = useSignal<{ readonly from: number; readonly to: number } | undefined>(undefined);
  const pointer = useSignal<{ readonly x: number; readonly y: number } | undefined>(undefined);
  const picture = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawing = useRef(new Picture());
  const window_ = useComputed(() => {
    const { span, end = now.value } = shown.value;
    return { start: end - span, end, span };
  });

  useEffect(() => {
    const element = picture.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      size.value = { width: element.clientWidth, height: element.clientHeight };
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [size]);

  useEffect(() => () => drawing.current.stop(), []);

  useSignalEffect(() => {
    const { width, height } = size.value;
    const context = canvas.current?.getContext('2d', { alpha: false });
    if (!context || width === 0) return;
    const scale = devicePixelRatio;
    const [columns, rows] = [Math.round(width * scale), Math.round(height * scale)];
    const { tracks } = fleet.value;
    const { start, end } = window_.value;
    drawing.current.draw(context, {
      view: { columns, rows, hosts: tracks.length, start, end, isLive: shown.value.end === undefined },
      ...{ tracks, reading: fleetReading.value, isDark: isDark.value },
    });
  });

  const momentAt = (x: number) => window_.value.start + (x / Math.max(1, size.value.width)) * window_.value.span;
  const rowAt = (y: number) => {
    const { tracks } = fleet.value;
    const rows = Math.min(tracks.length, Math.round(size.value.height * devicePixelRatio));
    const row = Math.max(0, Math.min(rows - 1, Math.floor((y / Math.max(1, size.value.height)) * rows)));
    const [from, to] = hostsOfRow({ rows, hosts: tracks.length }, row);
    return tracks.slice(from, to);
  };
  const place = (event: PointerEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return { x: Math.max(0, Math.min(box.width, event.clientX - box.left)), y: event.clientY - box.top };
  };
  const zoom = (start: number, end: number) => {
    const span = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, end - start));
    const isPresent = end >= now.value - span / 50;
    shown.value = isPresent ? { span } : { span, end: Math.max(end, now.value - LONGEST_MS + span) };
  };
  const zoomBy = (factor: number) => {
    const { start, end, span } = window_.value;
    const half = (span * factor) / 2;
    if (shown.value.end === undefined) zoom(end - 2 * half, end);
    else zoom((start + end) / 2 - half, Math.min(now.value, (start + end) / 2 + half));
  };
  const shift = (part: number) => {
    const { span, end } = window_.value;
    zoom(Math.min(end + span * part, now.value) - span, Math.min(end + span * part, now.value));
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    const { x } = place(event);
    brush.value = { from: x, to: x };
  };
  const move = (event: PointerEvent) => {
    const at = place(event);
    pointer.value = at;
    if (brush.value !== undefined) brush.value = { from: brush.value.from, to: at.x };
  };
  const up = (event: PointerEvent) => {
    const { x, y } = place(event);
    const from = brush.value?.from;
    brush.value = undefined;
    if (from === undefined) return;
    if (Math.abs(x - from) >= DRAG) zoom(momentAt(Math.min(x, from)), momentAt(Math.max(x, from)));
    else {
      const track = worstAt(rowAt(y), momentAt(x));
      if (track !== undefined) go(hrefOf('agent', { path: track.id }));
    }
  };
  const isLive = shown.value.end === undefined;
  return (
    <section class="panel" aria-labelledby="timeline">
      <header>
        <h2 id="timeline">Where the agents were</h2>
        <span class="choice">
          {SPANS.map(({ label, ms }) => (
            <button
              key={label}
              type="button"
              aria-pressed={isLive && shown.value.span === ms}
              onClick={() => {
                shown.value = { span: ms };
              }}
            >
              {label}
            </button>
          ))}
        </span>
        <span class="choice">
          <button type="button" aria-label="Earlier" title="Earlier" onClick={() => shift(-0.5)}>
            ‹
          </button>
          <button type="button" aria-label="Zoom in" title="Zoom in" onClick={() => zoomBy(0.5)}>
            +
          </button>
          <button type="button" aria-label="Zoom out" title="Zoom out" onClick={() => zoomBy(2)}>
            −
          </button>
          <button type="button" aria-label="Later" title="Later" disabled={isLive} onClick={() => shift(0.5)}>
            ›
          </button>
        </span>
        <button
          type="button"
          disabled={isLive}
          onClick={() => {
            shown.value = { span: shown.value.span };
          }}
        >
          {isLive ? 'Live' : 'Back to live'}
        </button>
        <span class="grow key">
          {fleet.value.servers.map(({ id, address }, index) => (
            <span class="server beside" key={id}>
              <Swatch number={index + 1} />
              {address}
            </span>
          ))}
          <span class="server">
            <Swatch number={NOWHERE} />
            no Ready link
          </span>
        </span>
      </header>
      <figure>
        <div class={proposed === undefined ? 'timeline' : 'timeline proposing'}>
          <Names fleet={fleet.value} />
          <div
            class="picture"
            ref={picture}
            onPointerDown={down}
            onPointerMove={move}
            onPointerUp={up}
            onPointerCancel={() => {
              brush.value = undefined;
            }}
            onPointerLeave={() => {
              pointer.value = undefined;
            }}
          >
            <canvas
              ref={canvas}
              role="img"
              aria-label="The placement timeline. Below it, As text has the same in words."
            />
            {brush.value !== undefined && (
              <div
                class="brush"
                style={{
                  left: `${Math.min(brush.value.from, brush.value.to)}px`,
                  width: `${Math.abs(brush.value.to - brush.value.from)}px`,
                }}
              />
            )}
          </div>
          {proposed !== undefined && <Proposed proposed={proposed} height={size.value.height} />}
          <div class="axis" aria-hidden="true">
            {ticks(window_.value.start, window_.value.end, size.value.width).map(({ at, label }) => (
              <span key={at} style={{ left: `${(100 * (at - window_.value.start)) / window_.value.span}%` }}>
                {label}
              </span>
            ))}
          </div>
        </div>
        <figcaption class="small muted">
          {pointer.value === undefined
            ? `Rows: agents by preferred server. A row of many agents shows the worst of them. Drag to zoom, click for the agent. ${timeOfDay(window_.value.start, true)} to ${timeOfDay(window_.value.end, true)}.`
            : stateAtText(rowAt(pointer.value.y), momentAt(pointer.value.x), fleet.value)}
        </figcaption>
      </figure>
      <AsText start={window_.value.start} end={window_.value.end} />
    </section>
  );
}

const STRIP = 90;

/** Where the agents would prefer to be. A row of many agents shows one that would move, if there is one. */
function Proposed({ proposed, height }: { readonly proposed: ReadonlyMap<string, string>; readonly height: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = fleet.value;
  // Parameters are no signals: an effect of signals would not see that they change.
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context) drawProposed(context, { fleet: shown, proposed, height });
  }, [shown, proposed, height, isDark.value]);
  return (
    <div class="strip">
      <canvas
        ref={canvas}
        role="img"
        aria-label="Where the agents would prefer to be. The tables above say how many."
      />
    </div>
  );
}

interface Proposal {
  readonly fleet: Fleet;
  readonly proposed: ReadonlyMap<string, string>;
  readonly height: number;
}

function drawProposed(context: CanvasRenderingContext2D, { fleet: { tracks, servers }, proposed, height }: Proposal) {
  const rows = Math.min(tracks.length, Math.round(height * devicePixelRatio));
  if (rows === 0) return;
  const { canvas: area } = context;
  // It is empty after that.
  area.width = STRIP;
  area.height = rows;
  const numbers = new Map(servers.map(({ address }, index) => [address, index + 1]));
  const wanted = (track: Track) => numbers.get(proposed.get(track.id) ?? '') ?? NOWHERE;
  for (let row = 0; row < rows; row++) {
    const [from, to] = hostsOfRow({ rows, hosts: tracks.length }, row);
    const own = tracks.slice(from, to);
    const shown = own.find(track => wanted(track) !== track.preferred) ?? own[0];
    if (shown === undefined) continue;
    context.globalAlpha = wanted(shown) === shown.preferred ? 0.25 : 0.6;
    context.fillStyle = colourOf(wanted(shown));
    context.fillRect(0, row, STRIP, 1);
  }
}

/** The preferred servers beside their rows. */
function Names({ fleet: { tracks, servers } }: { readonly fleet: Fleet }) {
  const bands = new Map<number, { from: number; to: number }>();
  for (const [place, { preferred }] of tracks.entries()) {
    const band = bands.get(preferred);
    if (band === undefined) bands.set(preferred, { from: place, to: place + 1 });
    else band.to = place + 1;
  }
  return (
    <div class="names" aria-hidden="true">
      {[...bands].map(([number, { from, to }]) => (
        <span key={number} style={{ top: `${(50 * (from + to)) / tracks.length}%` }}>
          <span class="server">
            {servers[number - 1]?.address ?? 'no list'}
            <Swatch number={number || -1} />
          </span>
        </span>
      ))}
    </div>
  );
}

function AsText({ start, end }: { readonly start: number; readonly end: number }) {
  const isOpen = useSignal(false);
  const lines = isOpen.value ? account(fleet.value, start, end, LINES) : [];
  return (
    <details
      onToggle={event => {
        isOpen.value = event.currentTarget.open;
      }}
    >
      <summary>As text</summary>
      {isOpen.value && (
        <Table
          label="Moves, as text"
          items={lines}
          keyOf={({ at, kind, cause, from, to }) => [at, kind, cause, from, to].join()}
          empty="No agent has moved in this time."
          columns={[
            { name: 'when', isShort: true, cell: ({ at }) => <At at={at} /> },
            { name: 'agents', isNumber: true, cell: ({ count }) => count.toLocaleString('en-US') },
            { name: 'kind', isShort: true, cell: ({ kind }) => kind },
            { name: 'cause', isShort: true, cell: ({ cause }) => cause },
            { name: 'from', isShort: true, cell: ({ from }) => <ServerAt address={from} /> },
            { name: 'to', isShort: true, cell: ({ to }) => <ServerAt address={to} /> },
            { name: 'longest gap', isNumber: true, cell: ({ gap }) => (gap === undefined ? '' : seconds(gap)) },
          ]}
        />
      )}
    </details>
  );
}
