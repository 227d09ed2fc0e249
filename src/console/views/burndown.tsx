import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { fleet } from '../fleet.js';
import { now } from '../live.js';
import { agentsByServer } from '../model/burndown.js';
import { firstSpan } from '../model/look.js';
import { timeOfDay } from '../model/text.js';
import { colourOf, isDark } from '../palette.js';

const HOUR_MS = 3_600_000;
/** Of a shorter time, the axis tells seconds. */
const MINUTES_MS = 600_000;
/** Pixels between two of its labels at least: 14:03:27 is wider than 14:03. */
const SECONDS_SPACE = 90;
const MINUTES_SPACE = 60;
const POINTS = 360;
const HEIGHT = 180;

/** How many agents each server had: what a drain leaves, and where it goes. */
export function Burndown() {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const shape = useRef('');
  useSignalEffect(() => {
    const element = box.current;
    if (element === null) return;
    const { servers, tracks } = fleet.value;
    const span = firstSpan(tracks, now.value, HOUR_MS);
    const { times, counts } = agentsByServer(tracks, servers.length, now.value - span, now.value, POINTS);
    const data: uPlot.AlignedData = [times.map(time => time / 1_000), ...counts.map(of => [...of])];
    const wanted = `${servers.map(({ id }) => id).join()} ${isDark.value} ${span < MINUTES_MS}`;
    if (plot.current !== undefined && shape.current === wanted) {
      plot.current.setData(data);
      return;
    }
    plot.current?.destroy();
    shape.current = wanted;
    const style = getComputedStyle(document.documentElement);
    const axis = {
      stroke: style.getPropertyValue('--muted'),
      grid: { stroke: style.getPropertyValue('--line'), width: 1 },
      ticks: { stroke: style.getPropertyValue('--line'), width: 1 },
      font: '12px system-ui, sans-serif',
    };
    plot.current = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.05)] } },
        axes: [
          {
            ...axis,
            space: span < MINUTES_MS ? SECONDS_SPACE : MINUTES_SPACE,
            values: (_plot, times) => times.map(time => timeOfDay(time * 1_000, span < MINUTES_MS)),
          },
          { ...axis, size: 64, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000] },
        ],
        series: [
          {},
          ...servers.map(({ address }, index) => ({
            label: address,
            stroke: colourOf(index + 1),
            width: 2,
            points: { show: false },
          })),
        ],
      },
      data,
      element,
    );
  });
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, []);
  return (
    <div
      ref={box}
      role="img"
      aria-label="How many agents each server had, for an hour at most. The panels above say how many it has now."
    />
  );
}
