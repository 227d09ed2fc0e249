import type { ApiObject } from '../../../api/envelope.js';
import type { ServerRow } from '../../store/store.js';
import { dated } from './fields.js';
import type { Handler, HandlerParts } from './handler.js';
import { hasKeyword, pageOf, paging } from './paging.js';

export function listManagementServers({ store }: HandlerParts): Handler<'listManagementServers'> {
  return async params => {
    const page = paging('listManagementServers', params);
    const [servers, jobs] = await Promise.all([store.servers(), store.countPendingJobs()]);
    const matching = servers.filter(
      ({ uuid, name }) =>
        (params.id === undefined || uuid === params.id) &&
        (params.name === undefined || name === params.name) &&
        hasKeyword(name, params.keyword),
    );
    const items = await Promise.all(
      pageOf(matching, page).map(async server => ({
        ...serverObject(server),
        ...(await agentsOf(store, server.msid)),
        pendingjobscount: jobs.get(server.msid) ?? 0,
        peers: params.peers ? servers.filter(other => other !== server).map(peerObject) : undefined,
      })),
    );
    return { kind: 'list', count: matching.length, items };
  };
}

function serverObject(server: ServerRow): ApiObject {
  return {
    id: server.uuid,
    name: server.name,
    state: server.state,
    version: server.version,
    osdistribution: server.osDistribution,
    kernelversion: server.kernelVersion,
    lastserverstart: dated(server.started),
    lastserverstop: dated(server.stopped),
    lastboottime: dated(server.lastBootTime),
    heartbeatage: server.runId === null ? undefined : Math.round(server.ageMs / 1000),
    serviceip: server.serviceIp,
    ipaddress: server.serviceIp,
  };
}

async function agentsOf(store: HandlerParts['store'], msid: number): Promise<ApiObject> {
  const { agents, lastAgents } = await store.agentsOfServer(msid);
  return { agents, lastagents: lastAgents, agentscount: agents.length };
}

function peerObject({ uuid, name, state, serviceIp, lastUpdate }: ServerRow): ApiObject {
  return { id: uuid, name, state, ipaddress: serviceIp, lastupdated: dated(lastUpdate) };
}
