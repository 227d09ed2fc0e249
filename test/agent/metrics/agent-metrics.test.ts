import t from 'tap';
import { freePort } from '../../../scripts/programs/free-port.js';
import { AGENT_OWN_METRICS } from '../../../src/agent/metrics/agent-metrics.js';
import { agentReadings } from '../../../src/agent/metrics/agent-readings.js';
import { startAgent } from '../../../src/agent/start-agent.js';
import { silentLog } from '../../../src/lib/logger.js';
import { openMetricsPort } from '../../../src/metrics/metrics-port.js';
import { PrometheusMetrics } from '../../../src/metrics/prometheus.js';
import { bench, passes } from '../../helpers/agent-bench.js';
import { samplesIn } from '../../helpers/samples.js';

t.test('metrics: what an agent shows before and after a failover', async t => {
  const metrics = new PrometheusMetrics(AGENT_OWN_METRICS);
  const { agent, clock, a, b, upOn } = await bench(t, { meters: metrics.meters });
  const shown = async () => samplesIn(await metrics.text(agentReadings(agent.state, undefined)));
  t.match(Object.fromEntries(await shown()), {
    muster_agent_link_ready: 0,
    muster_agent_link_preferred: 0,
    muster_agent_list_hosts: 3,
    muster_agent_list_changes_total: 0,
    'muster_agent_phase{phase="waiting"}': 1,
  });
  agent.start();
  await upOn(a);
  t.match(Object.fromEntries(await shown()), {
    muster_agent_link_ready: 1,
    muster_agent_link_preferred: 1,
    'muster_agent_phase{phase="up"}': 1,
    'muster_agent_dials_total{result="ready"}': 1,
    'muster_agent_moves_total{kind="connect",cause="started"}': 1,
  });
  a.die();
  await upOn(b, 10_000);
  await passes(clock, () => agent.state.phase.kind === 'up', 10_000);
  const after = await shown();
  t.match(Object.fromEntries(after), { muster_agent_link_ready: 1, muster_agent_link_preferred: 0 });
  const sum = (name: string) => [...after].reduce((all, [series, n]) => (series.startsWith(name) ? all + n : all), 0);
  t.equal(sum('muster_agent_links_lost_total'), 1);
  t.equal(sum('muster_agent_moves_total{kind="failover"'), 1);
  t.equal(sum('muster_agent_own_gap_seconds_count'), 1);
  t.equal(after.get('muster_agent_certificate_expiry_timestamp_seconds'), undefined, 'it has no certificate');
});

t.test('metrics: an agent shows them on its port, and nothing else there', async t => {
  const folder = t.testdir({ 'agent.properties': 'guid=g\nzone=\nhost=a\n' });
  const port = await freePort();
  const running = await startAgent({
    file: `${folder}/agent.properties`,
    overrides: { 'metrics.port': String(port) },
    log: silentLog,
  });
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  const shown = samplesIn(await answer.text());
  t.equal(shown.get('muster_agent_phase{phase="idle"}'), 1);
  t.ok(shown.has('process_start_time_seconds'));
  t.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404);
  t.equal((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status, 404);
  await running.stop();
  await t.rejects(fetch(`http://127.0.0.1:${port}/metrics`), 'the port is closed');
});

t.test(
  'metrics: a port that is taken, and an address that is not here, are fatal; the file can be used again',
  async t => {
    const folder = t.testdir({ 'agent.properties': 'guid=g\nzone=\nhost=a\n' });
    const port = await freePort();
    const close = await openMetricsPort({ address: '127.0.0.1', port }, { contentType: '', text: async () => '' });
    t.teardown(close);
    const start = (settings: Readonly<Record<string, string>>) =>
      startAgent({ file: `${folder}/agent.properties`, overrides: settings, log: silentLog });
    await t.rejects(start({ 'metrics.port': String(port) }), { name: 'FatalError', code: 'PORT_IN_USE' });
    await t.rejects(start({ 'metrics.port': String(port), 'metrics.address': '203.0.113.77' }), {
      name: 'FatalError',
      code: 'ADDRESS_NOT_AVAILABLE',
    });
    const running = await start({});
    await running.stop();
  },
);
