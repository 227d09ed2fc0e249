import { systemClock } from '#dist/lib/clock.js';
import { runAtOnce } from '#dist/lib/interruptible.js';
import { type LinkStatus, packLinkStatus } from '#dist/mgmt/hosts/link-status.js';
import { HOSTS_A_BATCH, type Store } from '#dist/mgmt/store/store.js';
import { retryWhileAway } from '#dist/mgmt/store/store-health.js';

/** On a busy machine a call may pass its limit. */
export function patiently<T>(work: () => Promise<T>): Promise<T> {
  return retryWhileAway({ clock: systemClock, stopping: new AbortController().signal }, work);
}

/** Of the management servers. */
export const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
/** Of the server that is measured: the first. */
export const OWN_MSID = msidOf(0);

function msidOf(server: number): number {
  return server + 1;
}

/** Registers the servers and `count` Ready agents. @returns the links of each server, by msid */
export async function fillStore(store: Store, count: number): Promise<ReadonlyMap<number, readonly LinkStatus[]>> {
  for (const [index, serviceIp] of ADDRESSES.entries()) {
    const msid = msidOf(index);
    await store.claimServer(
      {
        msid,
        name: `ms${msid}`,
        version: '0.1.0',
        serviceIp,
        osDistribution: 'Linux',
        kernelVersion: '6',
        lastBootTime: 0,
      },
      { runId: `${msid}`, dataDirToken: `${msid}` },
    );
  }
  const zoneId = await store.zoneId('default');
  const links = new Map(ADDRESSES.map((_, index): [number, LinkStatus[]] => [msidOf(index), []]));
  for (let from = 0; from < count; from += HOSTS_A_BATCH) {
    const descriptions = Array.from({ length: Math.min(HOSTS_A_BATCH, count - from) }, (_, i) => ({
      guid: `guid-${from + i}`,
      name: `kvm-${from + i}`,
      type: 'Routing',
      zoneId,
      pod: 'pod',
      cluster: 'cluster',
      privateIpAddress: '198.51.100.7',
      version: '4.23.0.0',
      hypervisorType: 'KVM',
      arch: 'x86_64',
      cpus: 16,
      speed: 2400,
      ram: 2 ** 40,
      implicitTags: ['kvm', `rack-${Math.trunc((from + i) / 40)}`],
    }));
    const hosts = (await patiently(() => store.registerHosts(descriptions))).map(({ host }) => host);
    const at = Date.now();
    const entries = hosts.map(({ id }) => {
      const start = id % ADDRESSES.length;
      // One in 50 is not on its preferred host.
      const connected = id % 50 === 0 ? (start + 1) % ADDRESSES.length : start;
      const list = [...ADDRESSES.slice(start), ...ADDRESSES.slice(0, start)];
      return { id, msid: msidOf(connected), msHostList: `${list.join(',')}@roundrobin`, at };
    });
    await patiently(() => store.hostsReady(entries));
    for (const { id, msid } of entries) {
      const link = { hostId: id, since: at, lastPing: at, roundTripMs: 0.7, failovers: 2, lastLoss: 'closed' };
      links.get(msid)?.push({ ...link, lag: undefined, renewalFailure: undefined });
    }
  }
  for (const [msid, own] of links) await store.putLinkStatus(msid, Date.now(), runAtOnce(packLinkStatus(own)));
  return links;
}
