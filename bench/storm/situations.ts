import { spreadMs } from '#dist/mgmt/agents/admission/spread.js';
import { algorithms } from '#dist/mgmt/lists/algorithms.js';
import { runStorm, type StormFigures, type StormInput, WAYS, type Way } from './storm.js';

/** What storms are measured over. */
export interface Sizes {
  readonly agents: number;
  /** Servers of the cluster that loses one. */
  readonly servers: number;
  readonly rate: number;
  readonly seed: number;
}

/** A storm in each way, and how long it takes at least. */
export interface Outcome {
  readonly situation: string;
  readonly way: Way;
  readonly agents: number;
  /** Agents that come / what the servers that they come to serve in a second. */
  readonly floorMs: number;
  readonly figures: StormFigures;
}

/** How long the only server is away. */
export const RESTART_MS = 3_000;

type Situation = Omit<StormInput, 'way' | 'seed'> & { readonly name: string; readonly floorMs: number };

export function* outcomes(sizes: Sizes): Generator<Outcome> {
  for (const { name, floorMs, ...situation } of situations(sizes)) {
    for (const way of WAYS) {
      const figures = runStorm({ ...situation, way, seed: sizes.seed });
      yield { situation: name, way, agents: situation.lists.length, floorMs, figures };
    }
  }
}

function situations(sizes: Sizes): readonly Situation[] {
  return [start(sizes), restart(sizes), death(sizes, 'static'), death(sizes, 'rendezvous')];
}

/** Power is back: all agents of one server start at once. */
function start({ agents, rate }: Sizes): Situation {
  return {
    name: 'all start at once',
    servers: ['server-1'],
    lists: Array.from({ length: agents }, () => ['server-1']),
    algorithm: 'static',
    loss: undefined,
    spreadMs: 0,
    rate,
    floorMs: (agents * 1_000) / rate,
  };
}

/** The only server restarts under its agents. */
function restart(sizes: Sizes): Situation {
  return {
    ...start(sizes),
    name: 'the only server restarts',
    loss: { server: 'server-1', backAfterMs: RESTART_MS },
    spreadMs: spreadMs({ agents: sizes.agents, others: 0, algorithm: 'static', rate: sizes.rate }),
  };
}

/** One of several servers dies, and the agents that prefer it come to the others. */
function death({ agents, servers: count, rate }: Sizes, algorithm: 'static' | 'rendezvous'): Situation {
  const servers = Array.from({ length: count }, (_, index) => `server-${index + 1}`);
  const [server = ''] = servers;
  const share = Math.round(agents / count);
  const lists = listsOf(algorithm, servers, share);
  const others = count - 1;
  const targets = algorithm === 'static' ? 1 : others;
  return {
    name: `one of ${count} servers dies, ${algorithm}`,
    servers,
    lists,
    algorithm,
    loss: { server },
    spreadMs: spreadMs({ agents: share, others, algorithm, rate }),
    rate,
    floorMs: (lists.length * 1_000) / (targets * rate),
  };
}

/** The lists of so many hosts that prefer the first server. */
function listsOf(algorithm: 'static' | 'rendezvous', servers: readonly string[], count: number) {
  const lists: (readonly string[])[] = [];
  for (let hostId = 1; lists.length < count; hostId++) {
    const list = algorithms[algorithm]({ servers, zoneHostIds: [], hostId, seed: '' });
    if (list[0] === servers[0]) lists.push(list);
  }
  return lists;
}
