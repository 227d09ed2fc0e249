import { dateText } from '../../../api/moment.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import type { ApiKey } from '../../security/api-keys.js';
import { hasKeyword, pageOf, paging } from '../answers/paging.js';
import type { HandlerParts } from './handler.js';

export async function createApiKey(
  { operations }: HandlerParts,
  params: Params<'createApiKey'>,
): Promise<Response<'createApiKey'>> {
  const key = await operations.createApiKey(params);
  return { ...keyObject(key), secretkey: key.secretKey };
}

export async function listApiKeys(
  { operations }: HandlerParts,
  params: Params<'listApiKeys'>,
): Promise<Response<'listApiKeys'>> {
  const page = paging('listApiKeys', params);
  const matching = (await operations.listApiKeys()).filter(
    ({ id, name }) =>
      (params.id === undefined || id === params.id) &&
      (params.name === undefined || name === params.name) &&
      hasKeyword(name, params.keyword),
  );
  return { count: matching.length, items: pageOf(matching, page).map(keyObject) };
}

export async function deleteApiKey(
  { operations }: HandlerParts,
  params: Params<'deleteApiKey'>,
): Promise<Response<'deleteApiKey'>> {
  await operations.deleteApiKey(params);
  return {
    success: true,
    displaytext: 'the API key is deleted; every management server refuses it within two seconds',
  };
}

/** Field by field: a secret must not come along. */
function keyObject({
  id,
  name,
  role,
  apiKey,
  created,
  createdBy,
}: Omit<ApiKey, 'secretKey'>): ResponseObject<'listApiKeys'> {
  return { id, name, role, apikey: apiKey, created: dateText(created), createdby: createdBy };
}
