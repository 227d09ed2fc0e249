import type { Administration } from '../../administration.js';
import { parseReportedList } from '../../host-list.js';
import { type LinkFact, unpackLinkFacts } from '../../link-facts.js';
import type { HostQuery, HostRow } from '../../store/store.js';
import type { ApiObject } from '../envelope.js';
import type { Handler } from './handler.js';
import { dated, present, stateOf } from './hosts.js';
import { pageOf, paging } from './paging.js';
import { idOf, type Places, readPlaces } from './places.js';

/** A fact, and how old it is. */
interface AgedFact {
  readonly fact: LinkFact;
  readonly ageSeconds: number;
}

export function listAgentLinks(administration: Administration): Handler<'listAgentLinks'> {
  const { store } = administration;
  const command = 'listAgentLinks';
  return async params => {
    const page = paging(command, params);
    const places = await readPlaces(store);
    const facts = await readFacts(administration);
    const filter: Partial<HostQuery> = present({
      uuid: params.hostid,
      keyword: params.keyword,
      status: params.state === undefined ? undefined : [stateOf(command, params.state)],
      msid: idOf(command, 'managementserverid', places.servers, params.managementserverid, server => server.msid),
    });
    const objectOf = (row: HostRow) => linkObject(row, places, facts.get(row.id));
    if (!params.astray) {
      const { count, rows } = await store.findHosts({ ...filter, ...page });
      return { kind: 'list', count, items: rows.map(objectOf) };
    }
    // Who is astray is not in the rows alone: all that match are looked at.
    const { rows } = await store.findHosts({ ...filter, ...paging(command, { pagesize: -1 }) });
    const astray = rows.map(objectOf).filter(link => link.ispreferred !== true);
    return { kind: 'list', count: astray.length, items: pageOf(astray, page) };
  };
}

/** Our own as they are now, the others' as they wrote them last. */
async function readFacts({ store, msid, ownLinks }: Administration): Promise<ReadonlyMap<number, AgedFact>> {
  const facts = new Map<number, AgedFact>();
  for (const row of await store.linkFacts()) {
    if (row.msid === msid) continue;
    const ageSeconds = Math.round(row.ageMs / 1000);
    for (const fact of unpackLinkFacts(row.facts)) {
      const other = facts.get(fact.hostId);
      // A host that has moved is in two rows for a while.
      if (other === undefined || other.fact.since < fact.since) facts.set(fact.hostId, { fact, ageSeconds });
    }
  }
  for (const fact of ownLinks()) facts.set(fact.hostId, { fact, ageSeconds: 0 });
  return facts;
}

function linkObject(row: HostRow, { servers }: Places, aged: AgedFact | undefined): ApiObject {
  const { servers: hostlist, algorithm } = parseReportedList(row.msHostList ?? undefined);
  const server = servers.get(row.msid);
  const isUp = row.status === 'Up';
  const fact = isUp ? aged?.fact : undefined;
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
    since: dated(fact?.since),
    lastpinged: dated(fact?.lastPing ?? row.lastPing),
    roundtripms: fact?.roundTripMs,
    failovers: fact?.failovers,
    lastloss: isUp ? fact?.lastLoss : row.disconnectReason,
    disconnected: dated(row.disconnected),
    factsage: fact === undefined ? undefined : aged?.ageSeconds,
  };
}
