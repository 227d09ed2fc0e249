import { reasonOf } from '../../../lib/errors.js';
import { nearestKey } from '../../../lib/nearest-key.js';
import type { Administration } from '../../administration.js';
import { canonicalValue, isParameterName, PARAMETERS, type ParameterName } from '../../configuration.js';
import { ValueError } from '../../values.js';
import { ApiError, invalidParameter } from '../api-error.js';
import type { ApiObject } from '../envelope.js';
import type { Handler } from './handler.js';
import { hasKeyword, pageOf, paging } from './paging.js';

const CATEGORY = 'Advanced';
const NAMES = Object.keys(PARAMETERS) as readonly ParameterName[];

export function listConfigurations({ store }: Administration): Handler<'listConfigurations'> {
  return async params => {
    const page = paging('listConfigurations', params);
    const { values } = await store.configuration();
    const matching = NAMES.filter(
      name =>
        hasKeyword(name, params.name) &&
        hasKeyword(name, params.keyword) &&
        (params.category === undefined || params.category.toLowerCase() === CATEGORY.toLowerCase()),
    );
    const items = pageOf(matching, page).map(name => configurationObject(name, values.get(name)));
    return { kind: 'list', count: matching.length, items };
  };
}

export function updateConfiguration(administration: Administration): Handler<'updateConfiguration'> {
  const { store, events } = administration;
  return async ({ name, value }) => {
    if (!isParameterName(name)) {
      const near = nearestKey(name, NAMES);
      const hint = near ? `; did you mean ${near}?` : '';
      throw new ApiError(431, `Config parameter with name ${name} doesn't exist${hint}`, 4350);
    }
    const canonical = checkedValue(name, value);
    await store.setConfiguration(name, canonical);
    events.add({
      type: 'CONFIGURATION.UPDATE',
      level: 'INFO',
      description: `${name} was set to ${canonical === '' ? 'nothing' : canonical}`,
    });
    await administration.configurationChanged();
    return { kind: 'object', fields: configurationObject(name, canonical) };
  };
}

/** @throws ApiError 431 */
function checkedValue(name: ParameterName, value: string): string {
  try {
    return canonicalValue(name, value.trim());
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw invalidParameter('updateConfiguration', 'value', value, `${name}: ${reasonOf(error)}`);
  }
}

function configurationObject(name: ParameterName, value: string | undefined): ApiObject {
  const { kind, description, dynamic, unit } = PARAMETERS[name];
  const format = kind.format as (value: unknown) => string;
  const defaultValue = format(PARAMETERS[name].default);
  return {
    category: CATEGORY,
    group: /agent|ping|host|zones/.test(name) ? 'Agent' : 'Management Server',
    name,
    value: value ?? defaultValue,
    defaultvalue: defaultValue,
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
