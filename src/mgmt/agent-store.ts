import type { HostRow, Store } from './store/store.js';

/** What the server needs of the store to serve agents: a narrow part of it, so that much of the rest may change. */
export interface AgentStore
  extends Pick<Store, 'configuration' | 'zoneId' | 'ring' | 'hostReady' | 'hostDisconnected' | 'releaseHosts'> {
  registerHost(...facts: Parameters<Store['registerHost']>): Promise<{ readonly host: AgentRow }>;
  hosts(after?: number): Promise<readonly AgentRow[]>;
}

/** Who an agent is, and where the store has its host. */
export type AgentRow = Pick<HostRow, 'id' | 'uuid' | 'guid' | 'name' | 'zoneId' | 'status' | 'epoch'>;
