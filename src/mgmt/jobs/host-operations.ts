import { readHostList } from '../../lib/address.js';
import { invalidArgument, refusedOperation } from '../../lib/operation-error.js';
import { peerText } from '../../lib/text/peer-text.js';
import { operatorTags } from '../agents/host-tags.js';
import type { EventSink } from '../cluster/events.js';
import type { ServerReader } from '../cluster/membership.js';
import { canTakeAgents } from '../cluster/observed-servers.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Configuration } from '../config/parameters.js';
import type { HostRow, JobRow, Store } from '../store/store.js';
import { errorTextOf, type JobOutcomeParts, jobOutcome, resultOf, STARTED_WITHIN_MS } from './job-outcome.js';
import type { StartJob } from './job-request.js';
import { serverByUuid } from './server-status.js';

export interface HostOperationParts extends JobOutcomeParts, ServerReader {
  readonly store: Pick<Store, 'findHosts' | 'job' | 'cancelJob' | 'removeHost' | 'updateHost' | 'servers'>;
  /** As it is now. */
  configuration(): Configuration;
  readonly events: EventSink;
  readonly startJob: StartJob;
}

export interface RemoveHostArguments {
  /** UUID. */
  readonly hostId: string;
  /** Also when the agent cannot be told. @default false */
  readonly forced?: boolean | undefined;
}

export interface RemovedHost {
  /** As it was before. */
  readonly host: HostRow;
  /** Why its agent could not be told. Undefined: it was told, or no server had the host. */
  readonly notTold: string | undefined;
}

/**
 * Removes a host. The server that has it asks whether its agent is there, removes the host, and tells the agent not to
 * come back; that takes up to a minute. When this is refused, the agent is not told later either. The id is never used
 * again.
 * @throws OperationError ARGUMENT_INVALID (`hostId`), OPERATION_REFUSED; StoreError
 */
export async function removeHost(
  parts: HostOperationParts,
  { hostId, forced = false }: RemoveHostArguments,
): Promise<RemovedHost> {
  const { store, clock, events } = parts;
  const host = await hostByUuid(store, hostId);
  const { isRemoved, notTold } = await removeByOwner(parts, host);
  if (!isRemoved && notTold !== undefined && !forced) {
    throw refusedOperation(
      `the agent of ${host.name} could not be told: ${notTold}; forced=true removes the host all the same`,
    );
  }
  if (!isRemoved) await store.removeHost(host.id, clock.wallTime());
  const how = notTold === undefined ? '' : `, though its agent could not be told: ${notTold}`;
  events.add({
    type: 'HOST.DELETE',
    level: 'INFO',
    description: `Host ${host.name} was removed${how}`,
    hostUuid: host.uuid,
  });
  return { host, notTold };
}

export interface UpdateHostArguments {
  /** UUID. */
  readonly hostId: string;
  /** With commas between them; empty: none. When left out, they stay as they are. */
  readonly tags?: string | undefined;
  /** Empty: none. When left out, it stays as it is. */
  readonly annotation?: string | undefined;
}

/**
 * Gives a host tags, in place of those that operators have given it before, or an annotation. The tags of its agent stay.
 * @returns its row as it is then
 * @throws OperationError ARGUMENT_INVALID (`hostId`, `tags`, `annotation`); StoreError
 */
export async function updateHost(
  { store, events }: HostOperationParts,
  { hostId, tags, annotation }: UpdateHostArguments,
): Promise<HostRow> {
  const explicitTags = tags === undefined ? undefined : operatorTags(tags);
  const text = annotation === undefined ? undefined : annotationText(annotation);
  const host = await hostByUuid(store, hostId);
  if (explicitTags === undefined && text === undefined) return host;
  const changes = {
    ...(explicitTags !== undefined && { explicitTags }),
    ...(text !== undefined && { annotation: text === '' ? null : text }),
  };
  const row = await store.updateHost(host.id, changes);
  if (row === undefined) throw noSuchHost(hostId);
  const what = [
    ...(explicitTags === undefined ? [] : [`its tags were set to ${explicitTags.join(',') || 'none'}`]),
    ...(text === undefined ? [] : [text === '' ? 'its annotation was removed' : `it was annotated: ${text}`]),
  ];
  const description = `Host ${host.name}: ${what.join('; ')}`;
  events.add({ type: 'HOST.UPDATE', level: 'INFO', description, hostUuid: host.uuid });
  return row;
}

/** @throws OperationError ARGUMENT_INVALID */
function annotationText(text: string): string {
  const { annotationLength } = MGMT_LIMITS;
  if (text.length > annotationLength) {
    throw invalidArgument('annotation', text, `${text.length} characters; at most ${annotationLength} are allowed`);
  }
  return peerText(text, annotationLength).trim();
}

/**
 * Has the server that has the host end its link. The job succeeds when the host is Ready again, at any server.
 * @throws OperationError ARGUMENT_INVALID (`hostId`), OPERATION_REFUSED; StoreError
 */
export async function reconnectHost(
  { store, startJob, events }: HostOperationParts,
  { hostId }: { readonly hostId: string },
): Promise<JobRow> {
  const host = await hostByUuid(store, hostId);
  if (host.status !== 'Up' || host.msid === null) {
    throw refusedOperation(`host ${host.name} is not Up: there is no link to end`);
  }
  const params = { id: host.uuid };
  const expiresInMs = STARTED_WITHIN_MS;
  const job = await startJob({ cmd: 'reconnectHost', params, targetMsid: host.msid, hostId: host.id, expiresInMs });
  const description = `The reconnect of host ${host.name} is asked for`;
  events.add({ type: 'HOST.RECONNECT', level: 'INFO', description, hostUuid: host.uuid });
  return job;
}

export interface MigrateHostArguments {
  /** UUID. */
  readonly hostId: string;
  /** UUID of the server that it goes to. */
  readonly serverId: string;
}

/**
 * Has the agent of a host go to another server of `host`. The job succeeds when the host is Ready there. The list of the
 * agent stays as it is: it goes back when it next checks its preferred host.
 * @throws OperationError ARGUMENT_INVALID (`hostId`, `serverId`), OPERATION_REFUSED; StoreError
 */
export async function migrateHost(
  { store, startJob, events, configuration, readServers }: HostOperationParts,
  { hostId, serverId }: MigrateHostArguments,
): Promise<JobRow> {
  const host = await hostByUuid(store, hostId);
  const { msid, serviceIp } = await serverByUuid(store, serverId);
  if (host.status !== 'Up' || host.msid === null) {
    throw refusedOperation(`host ${host.name} is not Up: its agent cannot be told to go`);
  }
  if (host.msid === msid) throw refusedOperation(`host ${host.name} is on ${serviceIp} already`);
  if (!configuration().values.host.includes(serviceIp)) {
    throw refusedOperation(`${serviceIp} is not in host: no agent goes there`);
  }
  const target = (await readServers()).find(server => server.msid === msid);
  if (target === undefined || !canTakeAgents(target)) {
    throw refusedOperation(`management server ${serviceIp} takes no agents now`);
  }
  const job = await startJob({
    cmd: 'migrateHost',
    params: { id: host.uuid, address: serviceIp, msid },
    targetMsid: host.msid,
    hostId: host.id,
    expiresInMs: STARTED_WITHIN_MS,
  });
  const description = `Host ${host.name} is asked to go to ${serviceIp}`;
  events.add({ type: 'HOST.MIGRATE', level: 'INFO', description, hostUuid: host.uuid });
  return job;
}

export interface DiagnoseHostArguments {
  /** UUID. */
  readonly hostId: string;
  /** With commas between them: it dials these servers alone. @default it looks at its files, and dials all of its list */
  readonly hosts?: string | undefined;
}

/**
 * Has the agent of a host look at itself, or dial servers, by a job of this server. Its result has what was found.
 * @throws OperationError ARGUMENT_INVALID (`hostId`, `hosts`), OPERATION_REFUSED; StoreError
 */
export async function diagnoseHost(
  { store, startJob, events }: HostOperationParts,
  { hostId, hosts }: DiagnoseHostArguments,
): Promise<JobRow> {
  const given = hosts === undefined ? undefined : readHostList(hosts);
  const [fault] = given?.faults ?? [];
  if (fault !== undefined) throw invalidArgument('hosts', peerText(hosts ?? ''), fault);
  const host = await hostByUuid(store, hostId);
  if (host.status !== 'Up') {
    throw refusedOperation(`host ${host.name} is not Up: its agent cannot be asked; doctor on its machine tells`);
  }
  const params = { id: host.uuid, ...(given && { hosts: given.hosts.join(',') }) };
  const expiresInMs = STARTED_WITHIN_MS;
  const job = await startJob({ cmd: 'diagnoseHost', params, targetMsid: null, hostId: host.id, expiresInMs });
  const what = given === undefined ? 'look at itself' : `dial ${peerText(given.hosts.join(', '))}`;
  const description = `The agent of host ${host.name} is asked to ${what}`;
  events.add({ type: 'HOST.DIAGNOSE', level: 'INFO', description, hostUuid: host.uuid });
  return job;
}

/** Has the server that has the host remove it, and tell its agent. `notTold`: why its agent was not told. */
async function removeByOwner(
  parts: HostOperationParts,
  host: HostRow,
): Promise<{ readonly isRemoved: boolean; readonly notTold: string | undefined }> {
  if (host.msid === null) return { isRemoved: false, notTold: undefined };
  const params = { id: host.uuid };
  const expiresInMs = STARTED_WITHIN_MS;
  const job = await parts.startJob({ cmd: 'deleteHost', params, targetMsid: host.msid, hostId: host.id, expiresInMs });
  const outcome = await jobOutcome(parts, job);
  if (outcome.status !== 'succeeded') return { isRemoved: false, notTold: errorTextOf(outcome) };
  const notTold = resultOf(outcome)?.nottold;
  return { isRemoved: true, notTold: typeof notTold === 'string' ? notTold : undefined };
}

/** @throws OperationError ARGUMENT_INVALID (`hostId`); StoreError */
export async function hostByUuid(store: Pick<Store, 'findHosts'>, uuid: string): Promise<HostRow> {
  const { rows } = await store.findHosts({ uuid, page: 1, pagesize: 1 });
  const [host] = rows;
  if (host === undefined) throw noSuchHost(uuid);
  return host;
}

const noSuchHost = (uuid: string) => invalidArgument('hostId', uuid, 'there is no host with this id');
