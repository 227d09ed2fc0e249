import { dateText } from '../../../api/moment.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { type Interruptible, runInTurns, workCounter } from '../../../lib/interruptible.js';
import type { ObservedServer } from '../../cluster/observed-servers.js';
import type { KnownRow } from '../../hosts/own-view.js';
import type { Survivor } from '../../lists/survivability.js';
import { readUuids } from '../../store/pages.js';
import { dated } from '../answers/fields.js';
import { ownProcess } from '../answers/own-process.js';
import { hasKeyword, pageOf, paging } from '../answers/paging.js';
import type { HandlerParts, OwnKnowledge } from './handler.js';
import { listed, whileAway } from './while-away.js';

export function listManagementServers(
  parts: HandlerParts,
  params: Params<'listManagementServers'>,
): Promise<Response<'listManagementServers'>> {
  return whileAway(
    parts,
    () => serversOfStore(parts, params),
    own => serversOfMemory(parts.clock, own, params),
  );
}

async function serversOfStore(
  { store, observe, own }: HandlerParts,
  params: Params<'listManagementServers'>,
): Promise<Response<'listManagementServers'>> {
  const page = paging('listManagementServers', params);
  const [rows, jobs, survivors] = await Promise.all([store.servers(), store.countPendingJobs(), own.survivors()]);
  const servers = observe(rows);
  const matching = servers.filter(server => isAskedFor(server, params));
  const items = pageOf(matching, page).map(async server =>
    serverObject(server, {
      ...(await hostsOf(store, server.msid, params)),
      pendingJobs: jobs.get(server.msid) ?? 0,
      survivor: survivors.get(server.serviceIp),
      peers: params.peers ? servers.filter(other => other !== server) : undefined,
    }),
  );
  return { count: matching.length, items: await Promise.all(items) };
}

/** Of thousands of hosts the number is told faster than the ids. */
async function hostsOf(store: HandlerParts['store'], msid: number, params: Params<'listManagementServers'>) {
  if (params.agents === false) return { agents: [], lastAgents: [], agentsCount: await store.countAgents(msid) };
  const agents = await readUuids(after => store.agentsOfServer(msid, after));
  const lastAgents = await readUuids(after => store.lastAgentsOfServer(msid, after));
  return { agents, lastAgents, agentsCount: agents.length };
}

async function serversOfMemory(
  clock: HandlerParts['clock'],
  own: OwnKnowledge,
  params: Params<'listManagementServers'>,
): Promise<Response<'listManagementServers'>> {
  const servers = own.servers();
  const agents = await runInTurns(agentsByServer(await own.hosts()), clock);
  const survivors = await own.survivors();
  const matching = servers.filter(server => isAskedFor(server, params));
  return listed(clock, matching, paging('listManagementServers', params), server =>
    serverObject(server, {
      agents: params.agents === false ? [] : (agents.get(server.msid) ?? []),
      lastAgents: [],
      agentsCount: agents.get(server.msid)?.length ?? 0,
      pendingJobs: undefined,
      survivor: survivors.get(server.serviceIp),
      peers: params.peers ? servers.filter(other => other !== server) : undefined,
    }),
  );
}

export async function listManagementServersMetrics(
  parts: HandlerParts,
  params: Params<'listManagementServersMetrics'>,
): Promise<Response<'listManagementServersMetrics'>> {
  const list = await listManagementServers(parts, params);
  const { own, clock } = parts;
  const known = new Map(own.servers().map(server => [server.uuid, server]));
  const items = list.items.map(server => {
    const row = known.get(server.id);
    const measured = row?.msid === own.msid ? ownProcess(clock.wallTime()) : NOT_MEASURED;
    return { ...server, agentcount: server.agentscount, lastheartbeat: dated(row?.lastUpdate), ...measured };
  });
  return { ...list, items };
}

/** What only the process itself knows. */
const NOT_MEASURED = {
  collectiontime: undefined,
  availableprocessors: undefined,
  heapmemoryused: undefined,
  heapmemorytotal: undefined,
  systemmemorytotal: undefined,
  systemmemoryfree: undefined,
} as const;

/** The UUIDs of each server's hosts. */
function* agentsByServer(hosts: readonly KnownRow[]): Interruptible<ReadonlyMap<number, readonly string[]>> {
  const isStepFull = workCounter(HOSTS_PER_STEP);
  const agents = new Map<number, string[]>();
  for (const { msid, uuid } of hosts) {
    if (msid === null) continue;
    const uuids = agents.get(msid);
    if (uuids === undefined) agents.set(msid, [uuid]);
    else uuids.push(uuid);
    if (isStepFull(1)) yield;
  }
  return agents;
}

const HOSTS_PER_STEP = 5_000;

function isAskedFor({ uuid, name }: ObservedServer, params: Params<'listManagementServers'>): boolean {
  return (
    (params.id === undefined || uuid === params.id) &&
    (params.name === undefined || name === params.name) &&
    hasKeyword(name, params.keyword)
  );
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
  /** UUIDs. */
  readonly agents: readonly string[];
  readonly lastAgents: readonly string[];
  readonly agentsCount: number;
  readonly pendingJobs: number | undefined;
  /** Undefined: it takes no agents. */
  readonly survivor: Survivor | undefined;
  readonly peers: readonly ObservedServer[] | undefined;
}

function serverObject(
  server: ObservedServer,
  { agents, lastAgents, agentsCount, pendingJobs, survivor, peers }: MoreOfServer,
): ServerObject {
  return {
    id: server.uuid,
    name: server.name,
    state: server.state,
    statesince: dateText(server.stateSince),
    stateby: server.stateBy ?? undefined,
    version: server.version,
    osdistribution: server.osDistribution,
    kernelversion: server.kernelVersion,
    lastserverstart: dated(server.started),
    lastserverstop: dated(server.stopped),
    lastboottime: dated(server.lastBootTime),
    heartbeatage: server.runId === null ? undefined : Math.round(server.silentMs / 1000),
    processstate: processState(server),
    serviceip: server.serviceIp,
    ipaddress: server.serviceIp,
    agents,
    lastagents: lastAgents,
    agentscount: agentsCount,
    pendingjobscount: pendingJobs,
    survivorload: survivor !== undefined && Number.isFinite(survivor.load) ? survivor.load : undefined,
    strandedcount: survivor?.stranded,
    peers: peers?.map(peerObject),
  };
}

/** A server in Maintenance keeps that state when it is stopped. */
function processState({ runId, isSilent, isDead }: ObservedServer): 'Running' | 'Silent' | 'Stopped' {
  if (runId === null) return 'Stopped';
  return isSilent || isDead ? 'Silent' : 'Running';
}

type PeerObject = NonNullable<ServerObject['peers']>[number];

function peerObject({ uuid, name, state, serviceIp, lastUpdate }: ObservedServer): PeerObject {
  return { id: uuid, name, state, ipaddress: serviceIp, lastupdated: dateText(lastUpdate) };
}
