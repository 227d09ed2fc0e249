import { delay } from '../../lib/clock.js';
import { filterInSteps, runInTurns } from '../../lib/interruptible.js';
import type { Attache } from '../agents/attache.js';
import { canTakeAgents } from '../cluster/observed-servers.js';
import { type MoveReport, moveAgents } from './move-agents.js';
import { refreshServers, type ServerJobParts } from './server-job-parts.js';

/** A server that was just put back to Up knows it with its next heartbeat. */
const NOTICE_MS = 10_000;
const LOOK_MS = 500;
/** How often an agent is told to go to its preferred host. */
const TRIES = 3;
const TIMEOUT_MS = 3_600_000;

/**
 * Has the agents of this server that prefer another one go there.
 * @param target only those that prefer this address
 */
export async function rebalance(
  parts: ServerJobParts,
  target: string | undefined,
  onProgress: (text: string) => unknown,
): Promise<MoveReport> {
  const { clock, log, meters, agents, membership, address, stopping } = parts;
  const { registry, lists, poller, propagation } = agents;
  await refreshServers(parts);
  // The assignments may have been computed anew just before, by rebalanceAgents.
  await poller.poll();
  if (target !== undefined) await noticed(parts, target);
  const isUp = (other: string) => membership.canTakeAgents(other);
  const otherHost = ({ host, held }: Attache) => {
    const [preferred] = lists.listFor(host, { held }).hosts;
    const isElsewhere = preferred !== undefined && preferred !== address && isUp(preferred);
    return isElsewhere && (target === undefined || preferred === target) ? preferred : undefined;
  };
  const isGoing = (attache: Attache) => otherHost(attache) !== undefined;
  const going = await runInTurns(filterInSteps([...registry], isGoing), clock);
  return moveAgents(
    {
      clock,
      log,
      meters,
      onProgress: text => void onProgress(text),
      staying: () => going.filter(({ link }) => link.closed === undefined),
      target(attache) {
        const address = otherHost(attache);
        return address === undefined
          ? { none: 'it prefers this server by now, or one that takes no agents' }
          : { address };
      },
      isUp,
      async ask(attache) {
        await propagation.trigger(attache);
        return undefined;
      },
      // All servers send agents to the same targets: each takes its share of the rate.
      rate() {
        const up = membership.servers.filter(canTakeAgents).length;
        return lists.configuration.values['agent.migrate.rate'] / Math.max(1, up - 1);
      },
    },
    { timeoutMs: TIMEOUT_MS, tries: TRIES, signal: stopping },
  );
}

/** Waits until the server knows that it is Up; until then it closes every connection. */
async function noticed(parts: ServerJobParts, address: string): Promise<void> {
  const { clock, membership, stopping } = parts;
  const deadline = clock.now() + NOTICE_MS;
  while (!membership.canTakeAgents(address) && clock.now() < deadline && !stopping.aborted) {
    await delay(clock, LOOK_MS, stopping);
    await membership.refresh();
  }
}
