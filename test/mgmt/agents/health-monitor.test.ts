import t from 'tap';
import { SetupMSListAnswer } from '../../../src/protocol/index.js';
import { contentOf } from '../../../src/testing/fake-agent.js';
import { obeys } from '../../helpers/obedient-agent.js';
import { testServer } from '../../helpers/test-server.js';

t.test(
  'regression: with a lower ping.interval, an agent that pings as it was told is not asked for its health',
  async t => {
    const { agent, store, clock } = await testServer({ configuration: { 'ping.interval': '60' } });
    const old = agent();
    await old.join({ guid: 'g1' });
    const { told } = obeys(old);
    await store.setConfiguration('ping.interval', '10');
    for (let i = 0; i < 10; i++) {
      old.ping();
      for (let j = 0; j < 6; j++) await clock.advance(10_000);
    }
    t.same(
      told.filter(([type]) => type === 'CheckHealthCommand'),
      [],
    );
    const fresh = agent();
    const { startupAnswer } = await fresh.join({ guid: 'g2' });
    t.match(contentOf(startupAnswer)[1], { pingInterval: 10 });
    for (let i = 0; i < 4; i++) await clock.advance(10_000);
    t.equal(contentOf(await fresh.receive())[0], 'CheckHealthCommand', 'one that was told so is judged by it');
  },
);

t.test('regression: what an agent says when it refuses its list is not kept at length', async t => {
  const { agent, store, clock, registry } = await testServer();
  const one = agent();
  await one.join({ guid: 'g1' });
  obeys(one, () => SetupMSListAnswer.encode({ result: false, details: `no\0${'x'.repeat(1_000_000)}` }));
  await store.setConfiguration('host', '192.0.2.2,192.0.2.1');
  await clock.advance(3_000);
  const [attache] = registry;
  t.match(attache?.lag, /^the agent refused its list: nox+$/);
  t.ok((attache?.lag?.length ?? 0) <= 255);
});
