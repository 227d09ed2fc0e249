import type { Packet } from '../../src/protocol/index.js';
import { FakeAgent } from '../../src/testing/fake-agent.js';
import { memoryTransports } from '../../src/testing/memory-transport.js';
import type { Cluster } from './cluster-bench.js';

/** The class of the tests' commands. */
export const WORK = 'com.example.WorkCommand';

export type CommandedAgent = Awaited<ReturnType<typeof agentOn>>;

/** An agent of which each packet is the test's business. */
export async function agentOn(cluster: Cluster, address: string, guid: string, capabilities?: readonly string[]) {
  const ends = memoryTransports({ address: `198.51.100.${Number(guid.slice(-1)) + 1}`, port: 40_000 });
  cluster.node(address).server.serveTransport(ends.server);
  const agent = new FakeAgent(ends.agent);
  const muster = capabilities && { version: '0.1.0', instanceId: guid, capabilities: [...capabilities] };
  await cluster.passes(agent.join({ guid, name: guid, ...(muster && { muster }) }));
  await cluster.comes(() => !cluster.node(address).node.agents.ownership.isPending(Number(agent.hostId)));
  return Object.assign(agent, { ends, id: Number(agent.hostId) });
}

/** The commands that the agent has got. */
export function gotBy(agent: FakeAgent): readonly Packet[] {
  return agent.waiting.filter(({ messages }) => messages[0]?.type === WORK);
}
