import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { parseReportedList } from '../../../protocol/host-list.js';
import type { AgedLinkStatus } from '../../hosts/present-links.js';
import { readLargePage } from '../../store/pages.js';
import type { HostQuery, HostRow } from '../../store/store.js';
import { dated, present } from './fields.js';
import type { HandlerParts } from './handler.js';
import { statesOf } from './hosts.js';
import { idOf, type Locations, readLocations } from './locations.js';
import { pageOf, paging } from './paging.js';

export async function listAgentLinks(
  parts: HandlerParts,
  params: Params<'listAgentLinks'>,
): Promise<Response<'listAgentLinks'>> {
  const { store } = parts;
  const command = 'listAgentLinks';
  const page = paging(command, params);
  const locations = await readLocations(store);
  const linkOf = await parts.presentLinks();
  const filter: Partial<HostQuery> = present({
    uuid: params.hostid,
    keyword: params.keyword,
    status: params.state === undefined ? undefined : statesOf(command, params.state),
    msid: idOf(command, 'managementserverid', locations.servers, params.managementserverid, server => server.msid),
  });
  const objectOf = (row: HostRow) => linkObject(row, locations, linkOf(row));
  if (!params.astray && !params.laggards) {
    const { count, rows } = await readLargePage(part => store.findHosts(part), { ...filter, ...page });
    return { count, items: rows.map(objectOf) };
  }
  // These two filters need the status of links, which is not in the rows: all hosts that match the other filters are read.
  const { rows } = await readLargePage(part => store.findHosts(part), {
    ...filter,
    ...paging(command, { pagesize: -1 }),
  });
  const found = rows
    .map(objectOf)
    .filter(link => (!params.astray || !link.ispreferred) && (!params.laggards || link.lag !== undefined));
  return { count: found.length, items: pageOf(found, page) };
}

function linkObject(
  row: HostRow,
  { servers }: Locations,
  aged: AgedLinkStatus | undefined,
): ResponseObject<'listAgentLinks'> {
  const { hosts: hostlist, algorithm } = parseReportedList(row.msHostList ?? undefined);
  const server = servers.get(row.msid);
  const isUp = row.status === 'Up';
  const link = aged?.link;
  const [preferred] = hostlist;
  return {
    hostid: row.uuid,
    hostname: row.name,
    state: row.status,
    connectedhost: isUp ? server?.serviceIp : undefined,
    managementserverid: isUp ? server?.uuid : undefined,
    preferredhost: preferred,
    ispreferred: isUp && server !== undefined && server.serviceIp === preferred,
    hostlist,
    algorithm,
    // Without a status of the link, the row has the moment: `lastPing` is written when the link becomes Ready.
    since: isUp ? dated(link?.since ?? row.lastPing) : undefined,
    lastpinged: dated(link?.lastPing ?? row.lastPing),
    roundtripms: link?.roundTripMs,
    failovers: link?.failovers,
    lastloss: isUp ? link?.lastLoss : row.disconnectReason,
    disconnected: dated(row.disconnected),
    lag: isUp ? link?.lag : undefined,
    configurationversion: row.configurationVersion,
    factsage: aged?.ageSeconds,
  };
}
