import t from 'tap';
import { startCluster } from '../helpers/cluster-bench.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test(
  'moves: a failover and the way back are two moves and one loss, with the gap that the agent has measured',
  async t => {
    const cluster = await startCluster(t, [A, B], { 'indirect.agent.lb.check.interval': '5' });
    await cluster.addAgents(1, `${A},${B}`);
    await cluster.goesOn(3_000);
    const moves = async () => {
      const { rows } = await cluster.store.moves({ page: 1, pagesize: 100 });
      const nameOf = (msid: number | null) => [A, B].find(address => cluster.node(address).msid === msid);
      return rows.map(({ from, to, ...row }) => ({ ...row, from: nameOf(from), to: nameOf(to) })).reverse();
    };
    t.match(await moves(), [{ kind: 'connect', cause: 'started', from: undefined, to: A, gapMs: null }]);
    await cluster.node(A).kill();
    await cluster.goesOn(5_000);
    const [, failover] = await moves();
    t.match(failover, { kind: 'failover', to: B });
    t.ok(failover?.gapMs !== null && Number(failover?.gapMs) < 5_000, `${failover?.gapMs} ms`);
    await cluster.start(A);
    await cluster.goesOn(40_000);
    const all = await moves();
    t.match(all.at(-1), { kind: 'failback', cause: 'preferred', from: B, to: A, gapMs: 0 });
    t.equal(all.filter(({ kind }) => kind === 'failback').length, 1);
    t.same(
      all.filter(({ kind, from }) => kind === 'lost' && from === B),
      [],
      'the server that it has left for its preferred one has not lost it',
    );
  },
);
