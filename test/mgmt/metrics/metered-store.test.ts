import t from 'tap';
import { PrometheusMetrics } from '../../../src/metrics/prometheus.js';
import { meteredStore } from '../../../src/mgmt/metrics/metered-store.js';
import { NODE_METRICS } from '../../../src/mgmt/metrics/server-metrics.js';
import type { Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { samplesIn } from '../../helpers/samples.js';

async function shown(metrics: PrometheusMetrics<typeof NODE_METRICS>): Promise<ReadonlyMap<string, number>> {
  const gauges = Object.entries(NODE_METRICS).filter(([, { kind }]) => kind === 'gauge');
  return samplesIn(await metrics.text(Object.fromEntries(gauges.map(([key]) => [key, []])) as never));
}

t.test('store: each call is measured under its name, and a failure under its code', async t => {
  const clock = new FakeClock();
  const metrics = new PrometheusMetrics(NODE_METRICS);
  class Slow {
    readonly #rows = ['row'];
    async servers(): Promise<readonly string[]> {
      await new Promise<void>(resolve => clock.after(300, resolve));
      return this.#rows;
    }
    async hosts(): Promise<never> {
      throw new StoreError('STORE_BUSY', 'hosts');
    }
    async jobs(): Promise<never> {
      throw new Error('a bug');
    }
  }
  const store = meteredStore(new Slow() as unknown as Store, { clock, meters: metrics.meters });
  const servers = store.servers();
  await clock.advance(300);
  t.same(await servers, ['row'], 'the store is itself');
  await t.rejects(store.hosts(), { code: 'STORE_BUSY' });
  await t.rejects(store.jobs({} as never), { message: 'a bug' });
  t.match(Object.fromEntries(await shown(metrics)), {
    'muster_store_call_seconds_sum{call="servers"}': 0.3,
    'muster_store_call_seconds_count{call="hosts"}': 1,
    'muster_store_failures_total{code="STORE_BUSY"}': 1,
    'muster_store_failures_total{code="other"}': 1,
  });
});
