import type { EventSink } from '../cluster/events.js';
import type { ServerReader } from '../cluster/membership.js';
import { canTakeAgents, type ObservedServer } from '../cluster/observed-servers.js';
import { type ReassignParts, reassignHosts } from '../lists/reassign.js';
import type { JobRow, Store } from '../store/store.js';
import type { JobRequest, StartJob } from './job-request.js';
import { serverByUuid } from './server-status.js';

export interface RebalanceParts extends ReassignParts, ServerReader {
  readonly store: ReassignParts['store'] & Pick<Store, 'servers'>;
  readonly startJob: StartJob;
  readonly events: EventSink;
}

export interface RebalanceArguments {
  /** UUID of a server: only agents that prefer it. @default all agents */
  readonly serverId?: string | undefined;
}

export interface StartedRebalance {
  /** How many hosts have another preferred host now. Undefined with other algorithms than `rendezvous`. */
  readonly reassigned: number | undefined;
  /** One for each server that can take agents. */
  readonly jobs: readonly JobRow[];
}

/**
 * Has agents that are not on their preferred host go there. With `rendezvous`, all assignments are computed anew first.
 * @throws OperationError ARGUMENT_INVALID (`serverId`), OPERATION_REFUSED; StoreError
 */
export async function rebalanceAgents(
  parts: RebalanceParts,
  { serverId }: RebalanceArguments,
): Promise<StartedRebalance> {
  const { store, startJob, readServers, events } = parts;
  const target = serverId === undefined ? undefined : await serverByUuid(store, serverId);
  const reassigned = await reassignHosts(parts);
  const jobs: JobRow[] = [];
  for (const job of rebalanceJobs(await readServers(), target?.serviceIp)) jobs.push(await startJob(job));
  const whose = target === undefined ? 'the agents' : `the agents that prefer ${target.serviceIp}`;
  const description = `It is asked for that ${whose} go to their preferred hosts`;
  events.add({ type: 'AGENT.REBALANCE', level: 'INFO', description });
  return { reassigned, jobs };
}

/**
 * A job for each server that can take agents, but for the one that they are to go to: it tells its agents to go to their preferred host.
 * @param address only agents that prefer the server with this address
 */
export function rebalanceJobs(servers: readonly ObservedServer[], address?: string): readonly JobRequest[] {
  const params = address === undefined ? {} : { address };
  return servers
    .filter(server => canTakeAgents(server) && server.serviceIp !== address)
    .map(({ msid }) => ({ cmd: 'rebalance', params, targetMsid: msid, hostId: null }));
}
