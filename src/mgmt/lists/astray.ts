import { canTakeAgents, type ObservedServer } from '../cluster/observed-servers.js';
import type { AstrayReason } from '../metrics/server-metrics.js';
import type { AgentList } from './agent-list.js';

/**
 * Pure: why an agent is not on its preferred server.
 * @param list what the agent has
 * @param address of the server that it is on
 * @returns undefined: it is there, or it has no list
 */
export function astrayReason(
  { hosts: [preferred], avoid, checkIntervalSeconds }: Pick<AgentList, 'hosts' | 'avoid' | 'checkIntervalSeconds'>,
  address: string,
  servers: readonly ObservedServer[],
): AstrayReason | undefined {
  if (preferred === undefined || preferred === address) return undefined;
  if (avoid.includes(preferred)) return 'avoided';
  const ofAddress = servers.filter(({ serviceIp }) => serviceIp === preferred);
  if (ofAddress.length === 0) return 'unknown-server';
  if (!ofAddress.some(canTakeAgents)) return 'down';
  return checkIntervalSeconds === 0 ? 'no-check' : 'returning';
}
