import t from 'tap';
import { changesOf, failoverOf, serversOf } from '../../bench/scale/cluster.js';

const AGENTS = 10_000;
const servers = serversOf(10);

t.test('scale: the agents of a removed server move, and no others; all servers stay within the bounds', async t => {
  const [first, removed] = changesOf(AGENTS, servers, [{ name: 'removed', servers: servers.slice(1) }]);
  t.match(first, { moved: AGENTS, even: AGENTS });
  t.equal(removed?.moved, removed?.even);
  for (const { evenness } of [first, removed].filter(figures => figures !== undefined)) {
    const [smallest, largest] = evenness;
    t.ok(smallest >= 0.949 && largest <= 1.051, `${smallest} to ${largest}`);
  }
});

t.test('scale: the agents of servers that die come to all others', async t => {
  const { moved, evenness } = failoverOf(AGENTS, servers, servers.slice(0, 2));
  t.ok(Math.abs(moved - AGENTS / 5) <= AGENTS / 100, `${moved} agents`);
  t.ok(evenness[0] > 0.7 && evenness[1] < 1.3, evenness.join(' to '));
});
