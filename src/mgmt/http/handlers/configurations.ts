import type { ApiObject } from '../../../api/envelope.js';
import { defaultValue, PARAMETER_NAMES, PARAMETERS, type ParameterName } from '../../config/parameters.js';
import { CLUSTER_PARAMETER } from '../../lists/change-configuration.js';
import { invalidParameter } from '../api-error.js';
import type { Handler, HandlerParts } from './handler.js';
import { hasKeyword, pageOf, paging } from './paging.js';

const CATEGORY = 'Advanced';

export function listConfigurations({ store }: HandlerParts): Handler<'listConfigurations'> {
  return async params => {
    const page = paging('listConfigurations', params);
    const { values } = await store.configuration();
    const cluster =
      params.clusterid === undefined
        ? undefined
        : (await store.clusters()).find(({ uuid }) => uuid === params.clusterid);
    if (params.clusterid !== undefined && cluster === undefined) {
      throw invalidParameter('listConfigurations', 'clusterid', params.clusterid, 'there is no cluster with this id');
    }
    const matching = PARAMETER_NAMES.filter(
      name =>
        hasKeyword(name, params.name) &&
        hasKeyword(name, params.keyword) &&
        (params.category === undefined || params.category.toLowerCase() === CATEGORY.toLowerCase()),
    );
    const items = pageOf(matching, page).map(name => {
      const own = name === CLUSTER_PARAMETER ? cluster?.checkIntervalSeconds : undefined;
      if (own === undefined || own === null) return configurationObject(name, values.get(name));
      return { ...configurationObject(name, String(own)), scope: 'Cluster' };
    });
    return { kind: 'list', count: matching.length, items };
  };
}

export function updateConfiguration({ operations }: HandlerParts): Handler<'updateConfiguration'> {
  return async ({ clusterid, ...change }) => {
    const changed = await operations.changeConfiguration({ ...change, clusterId: clusterid });
    const fields = configurationObject(changed.name, changed.value);
    return changed.scope === 'cluster'
      ? { kind: 'object', fields: { ...fields, scope: 'Cluster' } }
      : { kind: 'object', fields: { ...fields, agentsmoving: changed.agentsMoving } };
  };
}

function configurationObject(name: ParameterName, value: string | undefined): ApiObject {
  const { kind, description, dynamic, unit } = PARAMETERS[name];
  return {
    category: CATEGORY,
    group: /agent|ping|host|zones/.test(name) ? 'Agent' : 'Management Server',
    name,
    value: value ?? defaultValue(name),
    defaultvalue: defaultValue(name),
    description: unit ? `${description} (${unit})` : description,
    component: 'management-server',
    displaytext: titleOf(name),
    type: kind.options ? 'Select' : kind.type,
    options: kind.options?.join(','),
    isdynamic: dynamic,
  };
}

/** `ping.interval`: Ping interval. */
function titleOf(name: string): string {
  const words = name.replaceAll('.', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
