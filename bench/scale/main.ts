// The lists of large clusters: how even rendezvous is, who moves when servers come and go, and what that costs.
import { parseArgs } from 'node:util';
import { readArguments, wholeNumber } from '../../scripts/programs/arguments.js';
import { changesOf, failoverOf, serversOf } from './cluster.js';

const USAGE = `Assigns the agents of large clusters by rendezvous, and prints a table for docs/scale.md.

Usage: npm run bench:scale [-- [--agents 100000,1000000] [--servers 50]]

  --agents N,…  how many agents there are
  --servers N   how many servers; a rack has a tenth of them
`;

const { agents, servers } = readArguments(USAGE, () => {
  const { values } = parseArgs({
    options: { agents: { type: 'string', default: '100000,1000000' }, servers: { type: 'string', default: '50' } },
  });
  return {
    agents: values.agents.split(',').map(text => wholeNumber('--agents', text, 100, 2_000_000)),
    servers: serversOf(wholeNumber('--servers', values.servers, 10, 500)),
  };
});

const rack = servers.slice(0, Math.floor(servers.length / 10));
const others = servers.slice(rack.length);
const changes = [
  { name: 'a server is added', servers: serversOf(servers.length + 1) },
  { name: 'a server is removed', servers: servers.slice(1) },
  { name: `a rack of ${rack.length} is removed`, servers: others },
];

console.log(
  '| agents | servers | change | agents that move | for even shares | smallest server | largest server | CPU ms |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const count of agents) {
  const row = (name: string, moved: number, even: number, evenness: readonly number[], cpuMs: number) =>
    console.log(
      `| ${[count, servers.length, name, moved, even, ...evenness.map(part => part.toFixed(3)), cpuMs.toFixed(0)].join(' | ')} |`,
    );
  for (const { name, moved, even, evenness, cpuMs } of changesOf(count, servers, changes))
    row(name, moved, even, evenness, cpuMs);
  const { moved, evenness, cpuMs } = failoverOf(count, servers, rack);
  row(`a rack of ${rack.length} dies`, moved, moved, evenness, cpuMs);
}
