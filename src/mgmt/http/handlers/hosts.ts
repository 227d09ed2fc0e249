import type { HostQuery, HostRow, HostStatus, Page } from '../../store/store.js';
import type { Administration, AdministrationStore } from '../administration.js';
import { invalidParameter, refused } from '../api-error.js';
import { readFacts } from './facts.js';
import { present } from './fields.js';
import type { Handler } from './handler.js';
import { hostObject } from './host-object.js';
import { errorTextOf, finished } from './jobs.js';
import { idOf, readLocations } from './locations.js';
import { paging } from './paging.js';

const STATES: readonly HostStatus[] = ['Connecting', 'Up', 'Disconnected', 'Removed'];
/** CloudStack has more: a client may ask for them, and there are none. */
const OTHER_STATES = ['Creating', 'Down', 'Alert', 'Error', 'Rebalancing', 'Unknown'];

export function listHosts(administration: Administration): Handler<'listHosts'> {
  const { store } = administration;
  const command = 'listHosts';
  return async params => {
    const places = await readLocations(store);
    const query: HostQuery = {
      ...paging(command, params),
      ...present({
        uuid: params.id,
        name: params.name,
        keyword: params.keyword,
        status: params.state === undefined ? undefined : statesOf(command, params.state),
        type: params.type,
        hypervisor: params.hypervisor,
        arch: params.arch,
        resourceState: params.resourcestate,
        zoneId: idOf(command, 'zoneid', places.zones, params.zoneid, zone => zone.id),
        podId: idOf(command, 'podid', places.pods, params.podid, pod => pod.id),
        clusterId: idOf(command, 'clusterid', places.clusters, params.clusterid, cluster => cluster.id),
        msid: idOf(command, 'managementserverid', places.servers, params.managementserverid, server => server.msid),
      }),
    };
    const [{ count, rows }, factOf] = await Promise.all([findHosts(store, query), readFacts(administration)]);
    return { kind: 'list', count, items: rows.map(row => hostObject(row, places, factOf(row)?.fact)) };
  };
}

export function reconnectHost({ store, startJob }: Administration): Handler<'reconnectHost'> {
  return async ({ id }) => {
    const host = await hostByUuid(store, 'reconnectHost', id);
    if (host.status !== 'Up' || host.msid === null)
      throw refused(`host ${host.name} is not Up: there is no link to end`);
    const params = { id, epoch: host.epoch };
    const job = await startJob({ cmd: 'reconnectHost', params, targetMsid: host.msid, hostId: host.id });
    return { kind: 'job', jobid: job.uuid, id };
  };
}

export function deleteHost(administration: Administration): Handler<'deleteHost'> {
  const { store, clock, events } = administration;
  return async ({ id, forced = false }) => {
    const host = await hostByUuid(store, 'deleteHost', id);
    const untold = await tellAgent(administration, host);
    if (untold !== undefined && !forced) {
      throw refused(
        `the agent of ${host.name} could not be told: ${untold}; forced=true removes the host all the same`,
      );
    }
    await store.removeHost(host.id, clock.wallTime());
    const how = untold === undefined ? '' : `, though its agent could not be told: ${untold}`;
    const displaytext = `host ${host.name} is removed${how}`;
    events.add({
      type: 'HOST.DELETE',
      level: 'INFO',
      description: `Host ${host.name} was removed${how}`,
      hostUuid: id,
    });
    return { kind: 'plain', fields: { success: true, displaytext } };
  };
}

/** Has the server that has the host tell its agent. @returns why that could not be done; undefined: it was, or nobody has the host */
async function tellAgent({ store, startJob, clock }: Administration, host: HostRow): Promise<string | undefined> {
  if (host.msid === null) return undefined;
  const params = { id: host.uuid };
  const job = await startJob({ cmd: 'deleteHost', params, targetMsid: host.msid, hostId: host.id });
  const outcome = await finished(store, clock, job);
  if (outcome === undefined) return `job ${job.uuid} has not ended yet`;
  return outcome.status === 'succeeded' ? undefined : errorTextOf(outcome);
}

/** A statement names each row that it reads, and a store has a limit for that; many rows at once also hold up all else. */
const ROWS_A_READ = 2_000;

/** As the store's own, for pages of any size. */
export async function findHosts(
  store: Pick<AdministrationStore, 'findHosts'>,
  query: HostQuery,
): Promise<Page<HostRow>> {
  if (query.pagesize <= ROWS_A_READ) return store.findHosts(query);
  const from = (query.page - 1) * query.pagesize;
  // By id: a host that is removed meanwhile moves the others up, and one may come twice or not at all, as with any pages.
  const found = new Map<number, HostRow>();
  for (let page = 1; ; page++) {
    const { count, rows } = await store.findHosts({ ...query, page, pagesize: ROWS_A_READ });
    for (const row of rows) found.set(row.id, row);
    if (rows.length < ROWS_A_READ || found.size >= from + query.pagesize) {
      return { count, rows: [...found.values()].slice(from, from + query.pagesize) };
    }
  }
}

/** @throws ApiError 431 */
export async function hostByUuid(
  store: Pick<AdministrationStore, 'findHosts'>,
  command: string,
  uuid: string,
): Promise<HostRow> {
  const { rows } = await store.findHosts({ uuid, page: 1, pagesize: 1 });
  const [host] = rows;
  if (host === undefined) throw invalidParameter(command, 'id', uuid, 'there is no host with this id');
  return host;
}

/** @throws ApiError 431 */
export function statesOf(command: string, text: string): readonly HostStatus[] {
  const isText = (one: string) => one.toLowerCase() === text.toLowerCase();
  const states = STATES.filter(isText);
  if (states.length === 0 && !OTHER_STATES.some(isText)) {
    throw invalidParameter(command, 'state', text, `the states are ${STATES.join(', ')}`);
  }
  return states;
}
