// Storms of agents, simulated or real: how the ways of CloudStack and of Muster end.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readArguments, wholeNumber } from '../../scripts/programs/arguments.js';
import { newAuthority } from '../agents/authority.js';
import { possibleAgents } from '../agents/index.js';
import { measureRate, realOutcomes } from './real/situations.js';
import { outcomes } from './situations.js';
import { realRowOf, realTableOf, tableOf } from './table.js';

const USAGE = `Storms of agents, simulated or real. Prints tables for docs/storm.md.

Usage: npm run bench:storm [-- [--agents 1000,5000,10000] [--servers 5] [--rate 200] [--seed 1]]
       npm run bench:storm -- --real [--agents 1000,5000,10000] [--servers 5]

  --agents N,…  how many agents there are
  --servers N   how many servers there are where one of them dies
  --real        servers of this checkout, and connections to them, all on this machine
  --rate R      how many connections a server brings to Ready in a second
  --seed S      another seed is another storm
`;

const { agents, servers, rate, seed, real } = readArguments(USAGE, () => {
  const { values } = parseArgs({
    options: {
      agents: { type: 'string', default: '1000,5000,10000' },
      real: { type: 'boolean', default: false },
      servers: { type: 'string', default: '5' },
      rate: { type: 'string' },
      seed: { type: 'string' },
    },
  });
  const { real } = values;
  if (real && (values.rate ?? values.seed) !== undefined) {
    throw new RangeError('--rate and --seed are of the simulation: with --real they change nothing');
  }
  return {
    agents: values.agents.split(',').map(text => wholeNumber('--agents', text, 10, real ? 60_000 : 100_000)),
    servers: wholeNumber('--servers', values.servers, 2, real ? 250 : 1_000),
    rate: wholeNumber('--rate', values.rate ?? '200', 1, 100_000),
    seed: wholeNumber('--seed', values.seed ?? '1', 0, 2 ** 31),
    real,
  };
});

if (real) await runReal();
else for (const count of agents) console.log(tableOf(count, outcomes({ agents: count, servers, rate, seed })));

async function runReal(): Promise<void> {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const authority = await newAuthority();
  const measured = await measureRate(root, authority);
  console.log(`Plain node:tls brings ${measured.toFixed(0)} connections a second to their end.\n`);
  for (const count of possibleAgents(agents)) {
    const sizes = { agents: count, servers, rate: measured, root, authority };
    console.log(realTableOf(count, await realOutcomes(sizes, outcome => console.error(realRowOf(outcome)))));
  }
}
