import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { filterInSteps, mapInSteps, runInTurns } from '../../../lib/interruptible.js';
import { parseReportedList } from '../../../protocol/host-list.js';
import type { AgedLinkStatus } from '../../hosts/present-links.js';
import type { HostCertificate, HostCertificateState } from '../../security/host-certificates.js';
import { readHosts } from '../../store/pages.js';
import type { HostQuery, HostRow } from '../../store/store.js';
import { dated, present } from '../answers/fields.js';
import { pageOf, paging } from '../answers/paging.js';
import { certificateFields } from './certificates.js';
import type { HandlerParts, OwnKnowledge } from './handler.js';
import { type ShownHost, tagFields } from './host-object.js';
import { knownQuery, statesOf } from './hosts.js';
import { idOf, type Locations, locationsInMemory, readLocations } from './locations.js';
import { matchingHosts, refuseFilters, whileAway } from './while-away.js';

export function listAgentLinks(
  parts: HandlerParts,
  params: Params<'listAgentLinks'>,
): Promise<Response<'listAgentLinks'>> {
  return whileAway(
    parts,
    () => linksOfStore(parts, params),
    own => linksOfMemory(parts.clock, own, params),
  );
}

const COMMAND = 'listAgentLinks';

async function linksOfStore(
  parts: HandlerParts,
  params: Params<'listAgentLinks'>,
): Promise<Response<'listAgentLinks'>> {
  const { clock, store } = parts;
  const page = paging(COMMAND, params);
  const locations = await readLocations(store);
  const linkOf = await parts.presentLinks();
  const filter: Partial<HostQuery> = present({
    uuid: params.hostid,
    keyword: params.keyword,
    tag: params.tag,
    status: params.state === undefined ? undefined : statesOf(COMMAND, params.state),
    msid: idOf(COMMAND, 'managementserverid', locations.servers, params.managementserverid, server => server.msid),
  });
  const objectsOf = async (rows: readonly HostRow[]) => {
    const certificateOf = await parts.hostCertificates(rows.map(({ id }) => id));
    const objects = mapInSteps(rows, row => linkObject(row, locations, linkOf(row), certificateOf(row.id)));
    return runInTurns(objects, clock);
  };
  if (!params.astray && !params.laggards && !params.expiring) {
    const { count, rows } = await readHosts(part => store.findHosts(part), { ...filter, ...page });
    return { count, items: await objectsOf(rows) };
  }
  // These filters need the status of links, or certificates, which are not in the rows: all hosts that match the others are read.
  const all = { ...filter, ...paging(COMMAND, { pagesize: -1 }) };
  const { rows } = await readHosts(part => store.findHosts(part), all);
  return wanted(clock, await objectsOf(rows), params, page);
}

async function linksOfMemory(
  clock: HandlerParts['clock'],
  own: OwnKnowledge,
  params: Params<'listAgentLinks'>,
): Promise<Response<'listAgentLinks'>> {
  refuseFilters(COMMAND, { tag: params.tag });
  const locations = locationsInMemory(own);
  const linkOf = own.links();
  const query = knownQuery(COMMAND, locations, { ...params, id: params.hostid });
  const rows = await matchingHosts(clock, await own.hosts(), query);
  const links = mapInSteps(rows, row => linkObject(row, locations, linkOf(row)));
  return wanted(clock, await runInTurns(links, clock), params, paging(COMMAND, params));
}

/** The page of the links that match the filters of links. */
async function wanted(
  clock: HandlerParts['clock'],
  links: readonly LinkObject[],
  params: Params<'listAgentLinks'>,
  page: { readonly page: number; readonly pagesize: number },
): Promise<Response<'listAgentLinks'>> {
  const found = await runInTurns(
    filterInSteps(links, link => isWanted(link, params)),
    clock,
  );
  return { count: found.length, items: pageOf(found, page) };
}

type LinkObject = ResponseObject<'listAgentLinks'>;

function isWanted(link: LinkObject, { astray, laggards, expiring }: Params<'listAgentLinks'>): boolean {
  const isExpiring = ENDING.has(link.certificatestate);
  return (!astray || !link.ispreferred) && (!laggards || link.lag !== undefined) && (!expiring || isExpiring);
}

const ENDING: ReadonlySet<string | null | undefined> = new Set<HostCertificateState>(['due', 'expired', 'revoked']);

function linkObject(
  row: ShownHost,
  { servers }: Locations,
  aged: AgedLinkStatus | undefined,
  certificate?: HostCertificate,
): LinkObject {
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
    ...tagFields(row),
    ...certificateFields(certificate),
    certificatefailure: isUp ? link?.renewalFailure : undefined,
    factsage: aged?.ageSeconds,
  };
}
