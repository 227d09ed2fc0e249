import t from 'tap';
import { startCluster } from '../helpers/cluster-bench.js';

const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;

t.test('metrics: what servers show before and after one of them is killed, and when it is back', async t => {
  const cluster = await startCluster(t, [A, B, C], {
    'indirect.agent.lb.check.interval': '5',
    'agents.capacity': '8',
    'ping.interval': '2',
  });
  await cluster.addAgents(4, [A, B, C].join(','));
  await cluster.goesOn(10_000);
  const a = await cluster.node(A).shown();
  t.match(Object.fromEntries(a), {
    muster_server_ready: 1,
    muster_agents_connected: 4,
    'muster_cluster_agents{state="Up"}': 4,
    'muster_cluster_agents{state="Disconnected"}': 0,
    [`muster_cluster_agents_of_server{server="${A}"}`]: 4,
    [`muster_cluster_agents_of_server{server="${B}"}`]: 0,
    [`muster_cluster_server_takes_agents{server="${B}"}`]: 1,
    'muster_agents_astray{reason="down"}': 0,
    'muster_handshakes_total{result="secured"}': 4,
    'muster_moves_total{kind="connect",cause="started"}': 4,
    'muster_ready_seconds_count{stage="ready"}': 4,
    muster_survivor_load_ratio: 0.5,
    'muster_drain_agents_left{reason="refused"}': 0,
    muster_store_away: 0,
  });
  t.ok(Number(a.get('muster_ping_round_trip_seconds_count')) >= 4, 'agents report the round trips of their pings');
  t.ok(Number(a.get('muster_store_call_seconds_count{call="heartbeat"}')) > 3, 'calls to the store are measured');
  t.ok(Number(a.get('muster_certificate_expiry_timestamp_seconds{of="ca"}')) > cluster.clock.wallTime() / 1000);
  t.notOk(a.has('muster_certificate_expiry_timestamp_seconds{of="agents"}'), 'no agent has a certificate');

  await cluster.node(A).kill();
  await cluster.comes(() => cluster.agents.every(({ host }) => host === B));
  // The others find A silent.
  await cluster.goesOn(30_000);
  const b = await cluster.node(B).shown();
  t.match(Object.fromEntries(b), {
    muster_agents_connected: 4,
    [`muster_cluster_agents_of_server{server="${B}"}`]: 4,
    [`muster_cluster_server_takes_agents{server="${A}"}`]: 0,
    'muster_agents_astray{reason="down"}': 4,
    'muster_agents_astray{reason="returning"}': 0,
  });
  const gaps = [...b].filter(([series]) => series.startsWith('muster_agent_gap_seconds_count'));
  t.equal(
    gaps.reduce((sum, [, count]) => sum + count, 0),
    4,
    'each agent has measured its gap',
  );
  t.ok([...b].some(([series, count]) => /^muster_moves_total\{kind="failover"/.test(series) && count === 4));

  await cluster.start(A);
  await cluster.comes(() => cluster.agents.every(({ host }) => host === A));
  const back = await cluster.node(B).shown();
  t.equal(back.get('muster_agents_connected'), 0);
  t.equal(back.get('muster_agents_astray{reason="down"}'), 0);
  t.equal((await cluster.node(A).shown()).get('muster_moves_total{kind="failback",cause="preferred"}'), 4);
});

t.test('metrics: a drain shows who is left, and why; commands are counted by outcome and class', async t => {
  const cluster = await startCluster(t, [A, B]);
  const [agent] = await cluster.addAgents(2, `${A},${B}`);
  await cluster.goesOn(3_000);
  const { node } = cluster.node(A);
  const [host] = node.hosts();
  await cluster.passes(node.send(host?.id ?? 0, [{ type: 'com.cloud.agent.api.CheckHealthCommand', fields: {} }]));
  await cluster.passes(node.send(host?.id ?? 0, [{ type: 'org.example.NobodyKnowsThisCommand', fields: {} }]));
  const shown = await cluster.node(A).shown();
  t.equal(shown.get('muster_commands_total{outcome="answered",class="CheckHealthCommand"}'), 1);
  t.equal(shown.get('muster_commands_total{outcome="unsupported",class="other"}'), 1, 'no label of a caller’s making');
  t.notOk([...shown.keys()].some(series => series.includes('NobodyKnows')));

  t.ok(agent);
  const row = await cluster.row(A);
  await cluster.node(A).call('prepareForMaintenance', { managementserverid: row.uuid });
  await cluster.comes(() => cluster.agents.every(({ host }) => host === B));
  await cluster.goesOn(5_000);
  const drained = await cluster.node(A).shown();
  t.equal(drained.get('muster_move_requests_total{result="goes"}'), 2);
  t.equal(drained.get('muster_server_ready'), 0);
  const left = [...drained].filter(([series]) => series.startsWith('muster_drain_agents_left'));
  t.same(
    left.filter(([, count]) => count !== 0),
    [],
    'nobody is left once it is over',
  );
  t.equal((await cluster.node(B).shown()).get('muster_agents_astray{reason="avoided"}'), 2);
  t.notOk(drained.has('muster_survivor_load_ratio'), 'nobody has said what a server can carry');
});
