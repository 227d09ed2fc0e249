// Writes the tables in docs/metrics.md, from the tables that servers and agents show: npm run docs. With --check it changes
// nothing, and exits with 1 when the file is out of date.
import { fileURLToPath } from 'node:url';
import { AGENT_OWN_METRICS } from '#dist/agent/metrics/agent-metrics.js';
import type { MetricTable } from '#dist/metrics/metric.js';
import { PROCESS_METRICS } from '#dist/metrics/process-metrics.js';
import { NODE_METRICS } from '#dist/mgmt/metrics/server-metrics.js';
import { remakePage } from './made-page.js';

const FILE = 'docs/metrics.md';
const MARK = '<!-- metrics: made by scripts/metrics-docs.ts, npm run docs -->\n';

/** All metrics, by where they are shown. */
export const METRIC_TABLES: readonly (readonly [title: string, table: MetricTable])[] = [
  ['Of a management server', NODE_METRICS],
  ['Of an agent', AGENT_OWN_METRICS],
  ['Of any process: servers and agents alike', PROCESS_METRICS],
];

/** @returns `text`, the content of docs/metrics.md, with the metrics of `tables` after the mark. Before it, it is hand-written. */
export function withMetrics(text: string, tables: typeof METRIC_TABLES): string {
  const at = text.indexOf(MARK);
  if (at < 0) throw new Error(`${FILE} has no line ${MARK}`);
  const sections = tables.map(([title, table]) => sectionText(title, table));
  return `${text.slice(0, at)}${MARK}\n${sections.join('\n')}`;
}

function sectionText(title: string, table: MetricTable): string {
  const lines = [`## ${title}`, ''];
  for (const { kind, name, help, unit, labels, buckets, alert } of Object.values(table)) {
    const parts = Object.entries(labels).map(
      ([label, values]) =>
        `- \`${label}\`: ${typeof values === 'string' ? values : values.map(value => `\`${value}\``).join(', ')}`,
    );
    if (buckets !== undefined) parts.push(`- buckets: ${buckets.join(', ')}`);
    lines.push(`### ${name}`, '', `${kind}, ${unit}. ${help}.`, '');
    if (parts.length > 0) lines.push(...parts, '');
    lines.push('Alert:', '', '```promql', alert.when, '```', '', alert.means, '');
  }
  return lines.join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) remakePage(FILE, text => withMetrics(text, METRIC_TABLES));
