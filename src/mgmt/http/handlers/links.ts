import type { ApiObject } from '../../../api/envelope.js';
import { parseReportedList } from '../../../protocol/host-list.js';
import type { HostQuery, HostRow } from '../../store/store.js';
import type { Administration } from '../administration.js';
import { type AgedLinkFact, readFacts } from './facts.js';
import { dated, present } from './fields.js';
import type { Handler } from './handler.js';
import { findHosts, statesOf } from './hosts.js';
import { idOf, type Locations, readLocations } from './locations.js';
import { pageOf, paging } from './paging.js';

export function listAgentLinks(administration: Administration): Handler<'listAgentLinks'> {
  const { store } = administration;
  const command = 'listAgentLinks';
  return async params => {
    const page = paging(command, params);
    const places = await readLocations(store);
    const factOf = await readFacts(administration);
    const filter: Partial<HostQuery> = present({
      uuid: params.hostid,
      keyword: params.keyword,
      status: params.state === undefined ? undefined : statesOf(command, params.state),
      msid: idOf(command, 'managementserverid', places.servers, params.managementserverid, server => server.msid),
    });
    const objectOf = (row: HostRow) => linkObject(row, places, factOf(row));
    if (!params.astray && !params.laggards) {
      const { count, rows } = await findHosts(store, { ...filter, ...page });
      return { kind: 'list', count, items: rows.map(objectOf) };
    }
    // Who is astray, or lags behind, is not in the rows alone: all that match are looked at.
    const { rows } = await findHosts(store, { ...filter, ...paging(command, { pagesize: -1 }) });
    const found = rows
      .map(objectOf)
      .filter(
        link => (params.astray ? link.ispreferred !== true : true) && (params.laggards ? link.lag !== undefined : true),
      );
    return { kind: 'list', count: found.length, items: pageOf(found, page) };
  };
}

function linkObject(row: HostRow, { servers }: Locations, aged: AgedLinkFact | undefined): ApiObject {
  const { hosts: hostlist, algorithm } = parseReportedList(row.msHostList ?? undefined);
  const server = servers.get(row.msid);
  const isUp = row.status === 'Up';
  const fact = aged?.fact;
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
    // Until its server has written a fact, the row tells: it was written when the link became Ready.
    since: isUp ? dated(fact?.since ?? row.lastPing) : undefined,
    lastpinged: dated(fact?.lastPing ?? row.lastPing),
    roundtripms: fact?.roundTripMs,
    failovers: fact?.failovers,
    lastloss: isUp ? fact?.lastLoss : row.disconnectReason,
    disconnected: dated(row.disconnected),
    lag: isUp ? fact?.lag : undefined,
    configurationversion: row.configurationVersion,
    factsage: aged?.ageSeconds,
  };
}
