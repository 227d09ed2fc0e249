import { dateText } from '../../../api/moment.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import type { CanaryProgress } from '../../canary/canary-progress.js';
import type { HandlerParts } from './handler.js';

export async function startCanary(
  { operations }: HandlerParts,
  { host, algorithm, weights, percent, forced }: Params<'startCanary'>,
): Promise<Response<'startCanary'>> {
  return canaryObject(await operations.startCanary({ host, algorithm, weights, percent, forced }));
}

export async function listCanaries({ operations }: HandlerParts): Promise<Response<'listCanaries'>> {
  const canaries = await operations.listCanaries();
  return { count: canaries.length, items: canaries.map(canaryObject) };
}

export async function verifyCanary(
  { operations }: HandlerParts,
  { id }: Params<'verifyCanary'>,
): Promise<Response<'verifyCanary'>> {
  return canaryObject(await operations.verifyCanary({ id }));
}

export async function commitCanary(
  { operations }: HandlerParts,
  { id, forced }: Params<'commitCanary'>,
): Promise<Response<'commitCanary'>> {
  const { agentsMoving } = await operations.commitCanary({ id, forced });
  const text = `It holds for all agents; ${agentsMoving} have another preferred host by it`;
  return { success: true, displaytext: text };
}

export async function deleteCanary(
  { operations }: HandlerParts,
  { id }: Params<'deleteCanary'>,
): Promise<Response<'deleteCanary'>> {
  await operations.deleteCanary({ id });
  return { success: true, displaytext: 'Its hosts are told again what all others are' };
}

function canaryObject({
  id,
  change,
  created,
  createdBy,
  dials,
  objection,
  ...counts
}: CanaryProgress): ResponseObject<'listCanaries'> {
  return {
    id,
    ...{ host: change.host, algorithm: change.algorithm, weights: change.weights },
    created: dateText(created),
    createdby: createdBy,
    ...counts,
    jobid: dials?.job,
    dialling: dials?.underWay,
    reached: dials?.reached,
    failed: dials?.failed,
    unable: dials?.unable,
    unasked: dials?.unasked,
    causes: (dials?.causes ?? []).map(({ state, reason, hosts, hostName }) => ({
      ...{ outcome: state, reason, hosts, hostname: hostName },
    })),
    objection,
  };
}
