import t from 'tap';
import { byLabel, silentMeters, single } from '../../src/metrics/meters.js';
import { counter, gauge, histogram } from '../../src/metrics/metric.js';
import { PROCESS_METRICS, ProcessMetrics } from '../../src/metrics/process-metrics.js';
import { PrometheusMetrics } from '../../src/metrics/prometheus.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { samplesIn } from '../helpers/samples.js';

const about = { help: 'What it is', unit: 'things', alert: { when: 'x > 0', means: 'It is there.' } };
const TABLE = {
  level: gauge({ ...about, name: 'level', labels: {} }),
  colours: gauge({ ...about, name: 'colours', labels: { colour: ['red', 'blue'] } }),
  knocks: counter({ ...about, name: 'knocks_total', labels: { door: ['front', 'back'] } }),
  names: counter({ ...about, name: 'names_total', labels: { name: 'few' } }),
  sizes: histogram({ ...about, name: 'sizes', labels: {}, buckets: [1, 10] }),
} as const;

const NOTHING = { level: [], colours: [] };

t.test('prometheus: counters, histograms and gauges are shown under their names', async t => {
  const metrics = new PrometheusMetrics(TABLE);
  metrics.meters.knocks.add({ door: 'back' });
  metrics.meters.knocks.add({ door: 'back' }, 2);
  metrics.meters.names.add({ name: 'x' });
  metrics.meters.sizes.observe({}, 5);
  const text = await metrics.text({ level: single(7), colours: byLabel('colour', ['red', 'blue'], () => 1) });
  t.match(Object.fromEntries(samplesIn(text)), {
    level: 7,
    'colours{colour="red"}': 1,
    'knocks_total{door="back"}': 3,
    'knocks_total{door="front"}': 0,
    'names_total{name="x"}': 1,
    'sizes_bucket{le="1"}': 0,
    'sizes_bucket{le="10"}': 1,
    sizes_sum: 5,
  });
  t.match(text, /^# HELP level What it is$/m);
  t.match(metrics.contentType, /^text\/plain/);
});

t.test('prometheus: a gauge without a value is left out, also when it had one', async t => {
  const metrics = new PrometheusMetrics(TABLE);
  await metrics.text({ level: single(7), colours: [{ labels: { colour: 'red' }, value: 1 }] });
  const shown = samplesIn(await metrics.text({ level: single(undefined), colours: [] }));
  t.notOk(shown.has('level'));
  t.notOk(shown.has('colours{colour="red"}'));
});

t.test('prometheus: several in one process do not see each other', async t => {
  const [one, other] = [new PrometheusMetrics(TABLE), new PrometheusMetrics(TABLE)];
  one.meters.knocks.add({ door: 'front' });
  t.equal(samplesIn(await other.text(NOTHING)).get('knocks_total{door="front"}'), 0);
});

t.test('meters: the silent ones take everything', async t => {
  const meters = silentMeters(TABLE);
  meters.knocks.add({ door: 'front' });
  meters.sizes.observe({}, 1);
  t.pass();
});

t.test(
  'process: memory, start and version are shown; the lag of the event loop counts from the last reading',
  async t => {
    const own = new ProcessMetrics(new FakeClock(1_000));
    t.teardown(() => own.stop());
    const shown = samplesIn(await new PrometheusMetrics(PROCESS_METRICS).text(own.read()));
    t.equal(shown.get('process_start_time_seconds'), 1);
    t.ok(Number(shown.get('muster_memory_bytes{kind="rss"}')) > 1e6);
    t.ok([...shown.keys()].some(series => series.startsWith('muster_build_info{version=')));
  },
);
