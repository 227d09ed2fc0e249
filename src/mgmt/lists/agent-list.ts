import { isSameSet } from '../../lib/same-set.js';
import { type HostList, isSameList } from '../../protocol/host-list.js';
import type { Configuration } from '../config/parameters.js';
import type { HostIdentity } from '../hosts/known-hosts.js';
import { algorithms } from './algorithms.js';

/** All that one agent is to be told about its servers. */
export interface Wanted extends HostList {
  readonly algorithm: string;
  readonly checkIntervalSeconds: number;
  /** Advice: addresses not to dial. */
  readonly avoid: readonly string[];
  /** The generation of the configuration that it was made from. */
  readonly configurationVersion: number;
}

export interface PlacementWorld {
  readonly configuration: Configuration;
  readonly avoid: readonly string[];
  /** The ring of the host's zone. */
  readonly ring: readonly number[];
  /** The sticky first server of the host, for `rendezvous`. */
  readonly preferred: string | undefined;
  /** The interval of the host's cluster; undefined: the global one holds. */
  readonly clusterIntervalSeconds: number | undefined;
}

/** The same at Ready and for a push, so that no value flips between the two. */
export function wantedOf(host: Pick<HostIdentity, 'id'>, world: PlacementWorld): Wanted {
  const { version, values } = world.configuration;
  const algorithm = values['indirect.agent.lb.algorithm'];
  const hosts = algorithms[algorithm]({
    servers: values.host,
    ring: world.ring,
    hostId: host.id,
    seed: String(version),
    preferred: world.preferred,
    weights: values['indirect.agent.lb.weights'],
  });
  return {
    hosts,
    algorithm,
    checkIntervalSeconds: world.clusterIntervalSeconds ?? values['indirect.agent.lb.check.interval'],
    avoid: world.avoid,
    configurationVersion: version,
  };
}

/** Whether an agent that has the one need not be told the other. */
export function isSameWanted(held: Wanted, wanted: Wanted): boolean {
  return (
    isSameList(held, wanted) &&
    held.checkIntervalSeconds === wanted.checkIntervalSeconds &&
    isSameSet(held.avoid, wanted.avoid)
  );
}
