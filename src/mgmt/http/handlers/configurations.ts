import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { defaultValue, PARAMETER_NAMES, PARAMETERS, type ParameterName } from '../../config/parameters.js';
import { type ChangedConfiguration, CLUSTER_PARAMETER } from '../../lists/change-configuration.js';
import { hasKeyword, pageOf, paging } from '../answers/paging.js';
import { invalidParameter } from '../api-error.js';
import type { HandlerParts } from './handler.js';

const CATEGORY = 'Advanced';
/** CloudStack's word for a value of a cluster. */
const CLUSTER_SCOPE = 'Cluster';

export async function listConfigurations(
  { store }: HandlerParts,
  params: Params<'listConfigurations'>,
): Promise<Response<'listConfigurations'>> {
  const page = paging('listConfigurations', params);
  const { values } = await store.configuration();
  const own = params.clusterid === undefined ? null : await ownCheckInterval(store, params.clusterid);
  const matching = PARAMETER_NAMES.filter(
    name =>
      hasKeyword(name, params.name) &&
      hasKeyword(name, params.keyword) &&
      (params.category === undefined || params.category.toLowerCase() === CATEGORY.toLowerCase()),
  );
  const items = pageOf(matching, page).map(name =>
    name === CLUSTER_PARAMETER && own !== null
      ? configurationObject(name, String(own), CLUSTER_SCOPE)
      : configurationObject(name, values.get(name) ?? defaultValue(name)),
  );
  return { count: matching.length, items };
}

export async function updateConfiguration(
  { operations }: HandlerParts,
  { name, value, clusterid: clusterId, forced }: Params<'updateConfiguration'>,
): Promise<Response<'updateConfiguration'>> {
  return changedObject(await operations.changeConfiguration({ name, value, clusterId, forced }));
}

export async function resetConfiguration(
  { operations }: HandlerParts,
  { name, clusterid: clusterId }: Params<'resetConfiguration'>,
): Promise<Response<'resetConfiguration'>> {
  return changedObject(await operations.resetConfiguration({ name, clusterId }));
}

function changedObject(changed: ChangedConfiguration): ResponseObject<'updateConfiguration'> {
  const scope = changed.scope === 'cluster' ? CLUSTER_SCOPE : undefined;
  const [first] = changed.withoutServer;
  return {
    ...configurationObject(changed.name, changed.value, scope),
    agentsmoving: changed.agentsMoving,
    warning:
      first === undefined ? undefined : `no management server has the address ${changed.withoutServer.join(', ')}`,
  };
}

/** @returns seconds; null: the cluster has no interval of its own @throws ApiError 431 */
async function ownCheckInterval(store: HandlerParts['store'], clusterid: string): Promise<number | null> {
  const cluster = (await store.clusters()).find(({ uuid }) => uuid === clusterid);
  if (cluster === undefined) {
    throw invalidParameter('listConfigurations', 'clusterid', clusterid, 'there is no cluster with this id');
  }
  return cluster.checkIntervalSeconds;
}

function configurationObject(name: ParameterName, value: string, scope?: string): ResponseObject<'listConfigurations'> {
  const { kind, description, dynamic, unit } = PARAMETERS[name];
  return {
    category: CATEGORY,
    group: /agent|ping|host|zones/.test(name) ? 'Agent' : 'Management Server',
    name,
    value,
    defaultvalue: defaultValue(name),
    description: unit ? `${description} (${unit})` : description,
    component: 'management-server',
    displaytext: titleOf(name),
    type: kind.options ? 'Select' : kind.type,
    options: kind.options?.join(','),
    isdynamic: dynamic,
    scope,
  };
}

/** `ping.interval`: Ping interval. */
function titleOf(name: string): string {
  const words = name.replaceAll('.', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
