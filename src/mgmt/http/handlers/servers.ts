import { dateText } from '../../../api/moment.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { readAll } from '../../store/pages.js';
import type { HostUuid, ServerRow } from '../../store/store.js';
import { dated } from './fields.js';
import type { HandlerParts } from './handler.js';
import { hasKeyword, pageOf, paging } from './paging.js';

export async function listManagementServers(
  { store }: HandlerParts,
  params: Params<'listManagementServers'>,
): Promise<Response<'listManagementServers'>> {
  const page = paging('listManagementServers', params);
  const [servers, jobs] = await Promise.all([store.servers(), store.countPendingJobs()]);
  const matching = servers.filter(
    ({ uuid, name }) =>
      (params.id === undefined || uuid === params.id) &&
      (params.name === undefined || name === params.name) &&
      hasKeyword(name, params.keyword),
  );
  const items = pageOf(matching, page).map(async server =>
    serverObject(server, {
      agents: await readAll(after => store.agentsOfServer(server.msid, after)),
      lastAgents: await readAll(after => store.lastAgentsOfServer(server.msid, after)),
      pendingJobs: jobs.get(server.msid) ?? 0,
      peers: params.peers ? servers.filter(other => other !== server) : undefined,
    }),
  );
  return { count: matching.length, items: await Promise.all(items) };
}

export async function removeManagementServer(
  { operations }: HandlerParts,
  { id }: Params<'removeManagementServer'>,
): Promise<Response<'removeManagementServer'>> {
  const { serviceIp } = await operations.removeServer({ serverId: id });
  return { success: true, displaytext: `management server ${serviceIp} is removed` };
}

type ServerObject = ResponseObject<'listManagementServers'>;

interface MoreOfServer {
  readonly agents: readonly HostUuid[];
  readonly lastAgents: readonly HostUuid[];
  readonly pendingJobs: number;
  readonly peers: readonly ServerRow[] | undefined;
}

function serverObject(server: ServerRow, { agents, lastAgents, pendingJobs, peers }: MoreOfServer): ServerObject {
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
    agents: agents.map(({ uuid }) => uuid),
    lastagents: lastAgents.map(({ uuid }) => uuid),
    agentscount: agents.length,
    pendingjobscount: pendingJobs,
    peers: peers?.map(peerObject),
  };
}

type PeerObject = NonNullable<ServerObject['peers']>[number];

function peerObject({ uuid, name, state, serviceIp, lastUpdate }: ServerRow): PeerObject {
  return { id: uuid, name, state, ipaddress: serviceIp, lastupdated: dateText(lastUpdate) };
}
