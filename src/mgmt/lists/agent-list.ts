import { type HostList, isSameList } from '../../protocol/host-list.js';
import { type AlgorithmName, type Configuration, valuesFor } from '../config/parameters.js';
import type { HostIdentity } from '../hosts/known-hosts.js';
import { algorithms } from './algorithms.js';

/** What one agent is to be told about its management servers. */
export interface AgentList extends HostList {
  readonly algorithm: string;
  readonly checkIntervalSeconds: number;
  /** The avoid list: addresses not to dial. */
  readonly avoid: readonly string[];
  /** The generation of the configuration that it was made from. */
  readonly configurationVersion: number;
  /** The id of the canary whose values it was made from. */
  readonly canary?: number | undefined;
}

/** All that agents' lists depend on, at one moment. */
export interface ListSnapshot {
  readonly configuration: Configuration;
  /** Check intervals of the clusters that have one of their own, in seconds, by cluster id. */
  readonly clusterIntervals: ReadonlyMap<number, number>;
  /** The avoid list, spelled as in `host`. */
  readonly avoided: readonly string[];
  /** A zone's host ids, ascending. */
  zoneHostIds(zoneId: number): readonly number[];
  /** The server that `rendezvous` has assigned to a host; undefined when it has none. */
  assignedServer(hostId: number): string | undefined;
}

/**
 * Pure: the list of one agent. The same at Ready and for a push, so that no value flips between the two.
 * @param wanted in the place of the configured algorithm
 */
export function agentListOf(
  { id, zoneId, clusterId }: Pick<HostIdentity, 'id' | 'zoneId' | 'clusterId'>,
  { configuration, clusterIntervals, avoided, zoneHostIds, assignedServer }: ListSnapshot,
  wanted?: AlgorithmName,
): AgentList {
  const { version, canary } = configuration;
  const values = valuesFor(configuration, id);
  const own = canary?.hosts.has(id) ? canary : undefined;
  const algorithm = wanted ?? values['indirect.agent.lb.algorithm'];
  const clusterInterval = clusterId === null ? undefined : clusterIntervals.get(clusterId);
  // Assignments count only while rendezvous is configured: a drain by it goes by the scores alone.
  const isAssigned = values['indirect.agent.lb.algorithm'] === 'rendezvous';
  const assigned = own ? own.hosts.get(id) : assignedServer(id);
  return {
    hosts: algorithms[algorithm]({
      servers: values.host,
      zoneHostIds: zoneHostIds(zoneId),
      hostId: id,
      seed: String(version),
      preferred: isAssigned ? (assigned ?? undefined) : undefined,
      weights: values['indirect.agent.lb.weights'],
    }),
    algorithm,
    checkIntervalSeconds: clusterInterval ?? values['indirect.agent.lb.check.interval'],
    avoid: avoided,
    configurationVersion: version,
    ...(own && { canary: own.id }),
  };
}

/** Whether an agent that has the one need not be told the other. */
export function isSameAgentList(held: AgentList, list: AgentList): boolean {
  return (
    isSameList(held, list) &&
    held.checkIntervalSeconds === list.checkIntervalSeconds &&
    held.avoid.every(address => list.avoid.includes(address)) &&
    list.avoid.every(address => held.avoid.includes(address))
  );
}
