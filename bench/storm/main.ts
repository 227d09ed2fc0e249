// Storms of agents, simulated: how the ways of CloudStack and of Muster end.
import { parseArgs } from 'node:util';
import { readArguments, wholeNumber } from '../../scripts/programs/arguments.js';
import { outcomes } from './situations.js';
import { headOf, rowOf } from './table.js';

const USAGE = `Simulates storms of agents, and prints a table for docs/storm.md.

Usage: npm run bench:storm [-- [--agents 1000,5000,10000] [--servers 5] [--rate 200] [--seed 1]]

  --agents N,…  how many agents there are
  --servers N   how many servers there are where one of them dies
  --rate R      how many connections a server brings to Ready in a second
  --seed S      another seed is another storm
`;

const { agents, servers, rate, seed } = readArguments(USAGE, () => {
  const { values } = parseArgs({
    options: {
      agents: { type: 'string', default: '1000,5000,10000' },
      servers: { type: 'string', default: '5' },
      rate: { type: 'string', default: '200' },
      seed: { type: 'string', default: '1' },
    },
  });
  return {
    agents: values.agents.split(',').map(text => wholeNumber('--agents', text, 10, 100_000)),
    servers: wholeNumber('--servers', values.servers, 2, 1_000),
    rate: wholeNumber('--rate', values.rate, 1, 100_000),
    seed: wholeNumber('--seed', values.seed, 0, 2 ** 31),
  };
});

for (const count of agents) {
  console.log(headOf(count));
  for (const outcome of outcomes({ agents: count, servers, rate, seed })) console.log(rowOf(outcome));
  console.log();
}
