import { algorithms } from './algorithms.js';
import type { Configuration } from './configuration.js';
import type { HostList } from './host-list.js';

/** The list that the configuration wants one agent to have. */
export function wantedList(
  { version, values }: Configuration,
  hostId: number,
  ring: readonly number[],
): HostList & { readonly algorithm: string } {
  const algorithm = values['indirect.agent.lb.algorithm'];
  const servers = algorithms[algorithm]({ servers: values.host, ring, hostId, seed: String(version) });
  return { servers, algorithm };
}
