import t from 'tap';
import { ClusterAgent, startCluster } from '../helpers/cluster-bench.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
const WEBHOOK = 'https://alerts.example.org/muster';

t.test('alerts: a server dies and comes back, and agents find none: one server tells of each, once', async t => {
  const cluster = await startCluster(t, [A, B, C]);
  const [one, two] = await cluster.addAgents(2, `${A},${B},${C}`);
  await cluster.goesOn(120_000);
  t.same(cluster.posts, [], 'all is well, and there is no webhook');
  const set = (name: string, value: string) => cluster.node(B).call('updateConfiguration', { name, value });
  t.match(await set('alert.webhook.url', WEBHOOK), { status: 200 });
  t.match(await set('alert.webhook.url', 'file:///etc/passwd'), { status: 431 });
  await cluster.goesOn(60_000);
  t.same(cluster.posts, [], 'all is well');

  // It was the one that judges for the cluster.
  await cluster.node(A).kill();
  await cluster.comes(() => cluster.posts.length > 0, 60_000);
  await cluster.goesOn(60_000);
  const down = {
    type: 14,
    name: 'ALERT.MANAGEMENT',
    description: `Management server ${A} does not give signs of life`,
  };
  t.match(cluster.posts, [{ url: WEBHOOK, body: { ...down, state: 'raised' } }]);
  t.equal(cluster.posts.length, 1, 'once');
  t.not(cluster.posts[0]?.from, A);
  t.match(await cluster.node(C).call('listAlerts', { open: 'true' }), { body: { count: 1, alert: [down] } });

  await cluster.start(A);
  await cluster.comes(() => cluster.posts.length > 1, 60_000);
  t.match(cluster.posts[1]?.body, { ...down, state: 'cleared', id: cluster.posts[0]?.body.id });

  await one?.agent.stop();
  await two?.agent.stop();
  await cluster.comes(() => cluster.posts.length > 2, 400_000);
  await cluster.goesOn(400_000);
  t.equal(cluster.posts.length, 3, 'one alert for both');
  t.match(cluster.posts[2]?.body, { type: 7, name: 'ALERT.COMPUTE.HOST', state: 'raised', description: /, / });
  t.match(await cluster.node(C).call('listAlerts', { open: 'true', type: 7 }), { body: { count: 1 } });
  t.match(await cluster.node(C).call('listAlerts'), { body: { count: 2 } });
});

t.test(
  'alerts: two agents have one guid: told by the server that refuses, which is not the one that judges',
  async t => {
    const cluster = await startCluster(t, [A, B, C], { 'alert.webhook.url': WEBHOOK });
    const [first] = await cluster.addAgents(1, `${B},${C},${A}`);
    await cluster.goesOn(10_000);
    const clone = await ClusterAgent.make(cluster, cluster.agents.length, C, { guid: first?.guid ?? '' });
    cluster.agents.push(clone);
    clone.agent.start();
    await cluster.comes(() => cluster.posts.length > 0, 120_000);
    const fight = { type: 7, name: 'ALERT.COMPUTE.HOST', description: /^Two agents have the guid agent-0-R: / };
    t.match(cluster.posts, [{ body: { ...fight, state: 'raised' } }]);
    const subject = new RegExp(`^guid-fight:${cluster.node(C).msid}:`);
    t.match(await cluster.node(A).call('listAlerts', { open: 'true' }), { body: { alert: [{ ...fight, subject }] } });
    await cluster.goesOn(60_000);
    t.equal(cluster.posts.length, 1, 'one alert while it goes on');
    t.equal(first?.host, B, 'the established agent has noticed nothing');
  },
);
