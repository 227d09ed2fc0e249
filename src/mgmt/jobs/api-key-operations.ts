import { refusedOperation } from '../../lib/operation-error.js';
import type { EventSink } from '../cluster/events.js';
import type { Configuration } from '../config/parameters.js';
import type { ApiKey, ApiKeys, CreateApiKeyArguments } from '../security/api-keys.js';

export interface ApiKeyOperationParts {
  readonly apiKeys: Pick<ApiKeys, 'create' | 'delete' | 'all' | 'refresh'>;
  readonly events: EventSink;
  /** As it is now. */
  configuration(): Configuration;
}

/**
 * Makes an API key. Its secret is told once, by what this returns.
 * @param createdBy the name of the key that asks for it
 * @throws OperationError ARGUMENT_INVALID (`name`, `role`), OPERATION_REFUSED; StoreError
 */
export async function createApiKey(
  { apiKeys, events }: ApiKeyOperationParts,
  args: CreateApiKeyArguments,
  createdBy: string,
): Promise<ApiKey> {
  const key = await apiKeys.create(args, createdBy);
  const description = `API key ${key.name} (${key.role}) was made`;
  events.add({ type: 'API.KEY.CREATE', level: 'INFO', description });
  return key;
}

/** The keys without their secrets, oldest first. @throws StoreError */
export async function listApiKeys({ apiKeys }: ApiKeyOperationParts): Promise<readonly Omit<ApiKey, 'secretKey'>[]> {
  await apiKeys.refresh();
  return apiKeys.all.map(({ secretKey: _secret, ...key }) => key);
}

/**
 * Deletes an API key: it is refused from then on.
 * @throws OperationError ARGUMENT_INVALID (`id`), OPERATION_REFUSED: it is the last one of an operator, or alerts are signed
 *   with it; StoreError
 */
export async function deleteApiKey(
  { apiKeys, events, configuration }: ApiKeyOperationParts,
  { id }: { readonly id: string },
): Promise<void> {
  await apiKeys.refresh();
  const named = apiKeys.all.find(key => key.id === id)?.name;
  if (named !== undefined && named === configuration().values['alert.webhook.key']) {
    throw refusedOperation(
      `alert.webhook.key names the key ${named}: without it no alert would be posted. Have that name another key, or none, first`,
    );
  }
  const key = await apiKeys.delete(id);
  const description = `API key ${key === undefined ? id : `${key.name} (${key.role})`} was deleted`;
  events.add({ type: 'API.KEY.DELETE', level: 'WARN', description });
}
