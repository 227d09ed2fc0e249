import type { Clock } from '../../lib/clock.js';
import { invalidArgument, refusedOperation } from '../../lib/operation-error.js';
import type { EventSink } from '../cluster/events.js';
import type { HostRow, JobRow, Store } from '../store/store.js';
import { errorTextOf, jobOutcome, resultOf, STARTED_WITHIN_MS } from './job-outcome.js';
import type { StartJob } from './job-request.js';

export interface HostOperationParts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'findHosts' | 'job' | 'cancelJob' | 'removeHost'>;
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

/** Has the server that has the host remove it, and tell its agent. `notTold`: why its agent was not told. */
async function removeByOwner(
  { store, startJob, clock }: HostOperationParts,
  host: HostRow,
): Promise<{ readonly isRemoved: boolean; readonly notTold: string | undefined }> {
  if (host.msid === null) return { isRemoved: false, notTold: undefined };
  const params = { id: host.uuid };
  const expiresInMs = STARTED_WITHIN_MS;
  const job = await startJob({ cmd: 'deleteHost', params, targetMsid: host.msid, hostId: host.id, expiresInMs });
  const outcome = await jobOutcome(store, clock, job);
  if (outcome.status !== 'succeeded') return { isRemoved: false, notTold: errorTextOf(outcome) };
  const notTold = resultOf(outcome)?.nottold;
  return { isRemoved: true, notTold: typeof notTold === 'string' ? notTold : undefined };
}

/** @throws OperationError ARGUMENT_INVALID (`hostId`); StoreError */
export async function hostByUuid(store: Pick<Store, 'findHosts'>, uuid: string): Promise<HostRow> {
  const { rows } = await store.findHosts({ uuid, page: 1, pagesize: 1 });
  const [host] = rows;
  if (host === undefined) throw invalidArgument('hostId', uuid, 'there is no host with this id');
  return host;
}
