import type { ServerRow } from '../../src/mgmt/store/store.js';

/** The row of a server that serves. */
export function serverRow(msid: number, serviceIp: string, more: Partial<ServerRow> = {}): ServerRow {
  return {
    ...{ id: msid, msid, uuid: `u-${msid}`, name: serviceIp, serviceIp },
    ...{ version: '1', osDistribution: null, kernelVersion: null, lastBootTime: 0 },
    ...{ state: 'Up', stateSince: 0, stateBy: null, runId: 'r', joined: true, servicePort: 8250, beat: 1 },
    ...{ created: 0, started: 0, stopped: null, lastUpdate: 0 },
    ...more,
  };
}
