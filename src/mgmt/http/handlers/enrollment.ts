import { dateText } from '../../../api/moment.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { readLargePage } from '../../store/pages.js';
import type { EnrollmentTokenRow } from '../../store/store.js';
import { paging } from '../answers/paging.js';
import type { HandlerParts } from './handler.js';

export async function createEnrollmentToken(
  { operations }: HandlerParts,
  params: Params<'createEnrollmentToken'>,
): Promise<Response<'createEnrollmentToken'>> {
  const { row, token } = await operations.createEnrollmentToken(params);
  return { ...tokenObject(row), token };
}

export async function listEnrollmentTokens(
  { store }: HandlerParts,
  params: Params<'listEnrollmentTokens'>,
): Promise<Response<'listEnrollmentTokens'>> {
  const page = paging('listEnrollmentTokens', params);
  const { count, rows } = await readLargePage(part => store.enrollmentTokens(part), page);
  return { count, items: rows.map(tokenObject) };
}

export async function deleteEnrollmentToken(
  { operations }: HandlerParts,
  params: Params<'deleteEnrollmentToken'>,
): Promise<Response<'deleteEnrollmentToken'>> {
  await operations.deleteEnrollmentToken(params);
  return { success: true, displaytext: 'the enrolment token is deleted; no agent can use it any more' };
}

/** Field by field: the hash must not come along. */
function tokenObject({
  uuid,
  zone,
  cluster,
  guid,
  uses,
  used,
  created,
  createdBy,
  expires,
  isExpired,
}: EnrollmentTokenRow): ResponseObject<'listEnrollmentTokens'> {
  return {
    id: uuid,
    ...{ zone, cluster, guid, uses, used },
    created: dateText(created),
    createdby: createdBy,
    expires: dateText(expires),
    isexpired: isExpired,
  };
}
