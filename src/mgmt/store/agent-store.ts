import type { AgentRow, Store } from './store.js';

/** What the server needs of the store to serve agents. */
export interface AgentStore
  extends Pick<
    Store,
    | 'configuration'
    | 'configurationState'
    | 'zoneId'
    | 'zoneHostIds'
    | 'clusters'
    | 'hosts'
    | 'hostsById'
    | 'hostVersions'
    | 'hostsReady'
    | 'hostsDisconnected'
    | 'hostsMsHostList'
    | 'releaseHosts'
    | 'assignHosts'
    | 'deleteMoves'
  > {
  registerHosts(
    ...args: Parameters<Store['registerHosts']>
  ): Promise<readonly { readonly host: Omit<AgentRow, 'changed'>; readonly removedId: number | undefined }[]>;
}
