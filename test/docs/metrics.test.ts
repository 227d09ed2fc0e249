import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { METRIC_TABLES, withMetrics } from '../../scripts/metrics-docs.js';
import type { MetricTable } from '../../src/metrics/metric.js';
import { PrometheusMetrics } from '../../src/metrics/prometheus.js';
import { ROOT } from '../helpers/root.js';
import { testFolder } from '../helpers/scratch.js';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

const METRICS = METRIC_TABLES.flatMap(([, table]) => Object.values(table));
const RULES = 'conf/prometheus/rules.yml';
const RULES_TEST = 'conf/prometheus/rules.test.yml';
const DASHBOARDS = readdirSync(join(ROOT, 'conf/grafana')).map(name => `conf/grafana/${name}`);

/** The series that Prometheus has: those of the tables, and those that the rules record. */
const SERIES = new Set([
  ...METRICS.flatMap(({ kind, name }) =>
    kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
  ...[...read(RULES).matchAll(/record: (\S+)/g)].map(([, name = '']) => name),
]);

/** What looks like a metric of Muster in PromQL, and is none. */
function unknownSeries(text: string): readonly string[] {
  const named = [...text.matchAll(/(?<![\w:"./-])(?:muster[_:][\w:]+|process_\w+)/g)].map(([name]) => name);
  return [...new Set(named)].filter(name => !SERIES.has(name));
}

t.test('docs: docs/metrics.md has every metric as the tables have it', async t => {
  const text = read('docs/metrics.md');
  t.ok(withMetrics(text, METRIC_TABLES) === text, 'npm run docs writes it');
});

t.test('docs: no two metrics of one process have one name, and names say what Prometheus expects of them', async t => {
  const [servers, agents, any] = METRIC_TABLES.map(([, table]) => Object.values(table).map(({ name }) => name));
  const ofServer = [...(servers ?? []), ...(any ?? [])];
  const ofAgent = [...(agents ?? []), ...(any ?? [])];
  t.equal(new Set(ofServer).size, ofServer.length);
  t.equal(new Set(ofAgent).size, ofAgent.length);
  const wrong = METRICS.filter(({ kind, name, help, unit, alert }) => {
    const isTotal = name.endsWith('_total');
    const hasUnit = !unit.startsWith('seconds') || /_seconds(_total)?$/.test(name);
    return isTotal !== (kind === 'counter') || !hasUnit || /\.$/.test(help) || alert.means === '';
  });
  t.same(
    wrong.map(({ name }) => name),
    [],
  );
});

t.test('docs: no label can be the name of a host', async t => {
  const labels = new Set(METRICS.flatMap(({ labels }) => Object.keys(labels)));
  t.same(
    [...labels].filter(label => /host|guid|uuid|agent|name/.test(label)),
    [],
  );
  const open = METRICS.flatMap(({ labels }) => Object.values(labels)).filter(values => typeof values === 'string');
  t.same(
    open.filter(bound => !/one\b|few|a hundred|STORE_|else `other`/.test(bound)),
    [],
    'a label without a closed set of values says what bounds them',
  );
});

t.test('docs: every metric that rules, dashboards and alerts name exists', async t => {
  for (const file of [RULES, RULES_TEST, ...DASHBOARDS]) t.same(unknownSeries(read(file)), [], file);
  for (const { name, alert } of METRICS) t.same(unknownSeries(alert.when), [], name);
  t.same(unknownSeries('rate(muster_nothing_total[5m])'), ['muster_nothing_total'], 'an unknown one is found');
});

t.test('docs: the dashboards are JSON whose panels have titles and expressions', async t => {
  t.ok(DASHBOARDS.length >= 2);
  for (const file of DASHBOARDS) {
    const { panels, uid, title } = JSON.parse(read(file));
    t.match({ uid, title }, { uid: /^muster-/, title: /^Muster: / });
    const ids = panels.map(({ id }: { id: number }) => id);
    t.equal(new Set(ids).size, ids.length, 'ids are unique');
    for (const panel of panels) {
      if (panel.type === 'row') continue;
      t.ok(panel.title !== '' && panel.targets.every(({ expr }: { expr: string }) => expr !== ''), panel.title);
    }
  }
});

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const skip =
  !hasPromtool &&
  process.env.CI !== 'true' &&
  'promtool is not here: Debian’s package prometheus has it (apt-get install prometheus)';

t.test(
  'docs: promtool accepts the rules, their tests pass, and every alert of docs/metrics.md is PromQL',
  { skip },
  async t => {
    for (const [, table] of METRIC_TABLES) {
      const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input: await shownText(table),
        encoding: 'utf8',
      });
      t.equal(status, 0, `promtool check metrics: ${stderr}`);
    }
    promtool(t, 'check', 'rules', join(ROOT, RULES));
    promtool(t, 'test', 'rules', join(ROOT, RULES_TEST));
    const rules = METRICS.map(
      ({ alert }, index) => `      - alert: A${index}\n        expr: ${JSON.stringify(alert.when)}\n`,
    );
    const file = join(testFolder(t), 'alerts.yml');
    writeFileSync(file, `groups:\n  - name: alerts\n    rules:\n${rules.join('')}`);
    promtool(t, 'check', 'rules', file);
    const panels = DASHBOARDS.flatMap(name => JSON.parse(read(name)).panels).flatMap(({ targets = [] }) => targets);
    const shown = panels.map(({ expr }: { expr: string }) => expr.replaceAll('$__rate_interval', '5m'));
    const panelRules = shown.map((expr, index) => `      - record: r${index}\n        expr: ${JSON.stringify(expr)}\n`);
    writeFileSync(file, `groups:\n  - name: panels\n    rules:\n${panelRules.join('')}`);
    promtool(t, 'check', 'rules', file);
  },
);

/** What a table looks like with a value for each metric. */
function shownText(table: MetricTable): Promise<string> {
  const exampleOf = (values: readonly string[] | string) => (typeof values === 'string' ? 'x' : values[0]);
  const samples = Object.entries(table).map(([key, { labels }]) => [
    key,
    [
      {
        labels: Object.fromEntries(Object.entries(labels).map(([name, values]) => [name, exampleOf(values)])),
        value: 1,
      },
    ],
  ]);
  return new PrometheusMetrics(table).text(Object.fromEntries(samples));
}

function promtool(t: Test, ...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  t.equal(status, 0, `promtool ${args.slice(0, 2).join(' ')}: ${stdout}${stderr}`);
}
