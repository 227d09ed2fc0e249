import { secureContext } from '#dist/protocol/index.js';
import { trusted } from '../../agents/authority.js';
import { serveParent } from '../../child.js';
import { agentOf, type Way } from '../storm.js';
import { CrowdAgent, type CrowdEvent } from './crowd-agent.js';
import { type CrowdFigures, Tally } from './tally.js';

/** Agents of one way, in a process of their own. */
const operations = {
  /** They all start at once. */
  async open({ way, algorithm, lists, port, authority }: CrowdRequest): Promise<void> {
    const context = secureContext(await trusted(authority));
    tally = new Tally(lists.keys());
    for (const [index, list] of lists.entries()) {
      const parts = { guid: `bench-${index + 1}`, address: addressOf(index), port, context };
      const note = (what: CrowdEvent) => tally.note(index, what);
      agents.push(new CrowdAgent(agentOf({ way, algorithm }, list, Math.random), { ...parts, note }));
    }
    for (const agent of agents) agent.start();
  },

  /** Counts anew, for the time when this server is lost. @returns how many agents it has */
  watch({ host }: { host: string }): number {
    tally = new Tally([...agents.keys()].filter(index => agents[index]?.host === host));
    return tally.agents;
  },

  /** Resolves when all that are counted are Ready, or the time is over. */
  end({ withinMs }: { withinMs: number }): Promise<CrowdFigures> {
    return tally.end(withinMs);
  },

  /** Each agent pings once. */
  async ping(): Promise<void> {
    for (const agent of agents) await agent.ping();
  },
};

interface CrowdRequest {
  readonly way: Way;
  readonly algorithm: string;
  /** Of each agent. */
  readonly lists: readonly (readonly string[])[];
  readonly port: number;
  readonly authority: string;
}

export type CrowdOperations = typeof operations;
const agents: CrowdAgent[] = [];
let tally = new Tally([]);

/** One of 127.1.0.0/16 for each agent: a server is fair to addresses. */
function addressOf(index: number): string {
  return `127.1.${(index + 1) >> 8}.${(index + 1) & 255}`;
}

serveParent(operations);
