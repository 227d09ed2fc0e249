import type { ApiObject } from '../../../api/envelope.js';
import { reasonOf } from '../../../lib/errors.js';
import { runInTurns } from '../../../lib/interruptible.js';
import { nearestKey } from '../../../lib/nearest-key.js';
import {
  canonicalValue,
  isParameterName,
  PARAMETERS,
  type ParameterName,
  readConfiguration,
} from '../../config/parameters.js';
import { ValueError } from '../../config/value-kinds.js';
import { giveSameLists, previewInSteps } from '../../lists/preview.js';
import { needsPlacing, writePlaces } from '../../lists/reassign.js';
import type { ClusterRow } from '../../store/store.js';
import type { Administration } from '../administration.js';
import { ApiError, invalidParameter } from '../api-error.js';
import type { Handler } from './handler.js';
import { hasKeyword, pageOf, paging } from './paging.js';
import { listedAgent, settingsOf } from './preview.js';

const CATEGORY = 'Advanced';
const NAMES = Object.keys(PARAMETERS) as readonly ParameterName[];

export function listConfigurations({ store }: Administration): Handler<'listConfigurations'> {
  return async params => {
    const page = paging('listConfigurations', params);
    const { values } = await store.configuration();
    const cluster = await clusterOf(store, params.clusterid);
    if (params.clusterid !== undefined && cluster === undefined) {
      throw invalidParameter('listConfigurations', 'clusterid', params.clusterid, 'there is no cluster with this id');
    }
    const matching = NAMES.filter(
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

export function updateConfiguration(administration: Administration): Handler<'updateConfiguration'> {
  const { store, events } = administration;
  return async ({ name, value, clusterid, forced = false }) => {
    if (!isParameterName(name)) {
      const near = nearestKey(name, NAMES);
      const hint = near ? `; did you mean ${near}?` : '';
      throw new ApiError(431, `Config parameter with name ${name} doesn't exist${hint}`, 4350);
    }
    const changed = clusterid === undefined ? await setGlobally(administration, name, value, forced) : undefined;
    const fields = changed ?? (await setForCluster(store, name, value, clusterid ?? ''));
    const text = fields.value === '' ? 'nothing' : String(fields.value);
    events.add({ type: 'CONFIGURATION.UPDATE', level: 'INFO', description: `${name} was set to ${text}` });
    await administration.configurationChanged();
    return { kind: 'object', fields };
  };
}

/** Judged by its type and range, then by what it would do; only then written. */
async function setGlobally(
  administration: Administration,
  name: ParameterName,
  value: string,
  forced: boolean,
): Promise<ApiObject> {
  const { store } = administration;
  const canonical = checkedValue(name, value);
  const stored = await store.configuration();
  const proposedValues = new Map([...stored.values, [name, canonical]]);
  const now = settingsOf(readConfiguration(stored).configuration.values, stored.version);
  const proposed = settingsOf(
    readConfiguration({ ...stored, values: proposedValues }).configuration.values,
    stored.version + 1,
  );
  if (name === 'host' && !forced) await checkReachable(store, proposed.servers);
  let agentsmoving = 0;
  if (!giveSameLists(now, proposed)) {
    const rows = await store.hosts();
    const agents = rows.map(row => listedAgent(row, now));
    const { moving, after } = await runInTurns(previewInSteps(agents, now, proposed), administration.clock);
    agentsmoving = moving;
    // As previewed: from another algorithm agents are taken over where they are, whatever an older row says.
    if (needsPlacing(now, proposed)) await writePlaces(store, rows, after);
  }
  await store.setConfiguration(name, canonical);
  return { ...configurationObject(name, canonical), agentsmoving };
}

/** A list of which no server is Up would strand every agent that takes it. @throws ApiError 431 */
async function checkReachable(store: Administration['store'], hosts: readonly string[]): Promise<void> {
  const up = (await store.servers()).filter(({ state }) => state === 'Up').map(({ serviceIp }) => serviceIp);
  if (hosts.some(host => up.includes(host))) return;
  const why = `none of these servers is Up (${up.join(', ')} are); forced=true sets it all the same`;
  throw invalidParameter('updateConfiguration', 'value', hosts.join(','), why);
}

async function clusterOf(store: Administration['store'], uuid: string | undefined): Promise<ClusterRow | undefined> {
  return uuid === undefined ? undefined : (await store.clusters()).find(cluster => cluster.uuid === uuid);
}

const CLUSTER_PARAMETER: ParameterName = 'indirect.agent.lb.check.interval';

/** @throws ApiError 431 */
async function setForCluster(
  store: Administration['store'],
  name: ParameterName,
  value: string,
  clusterid: string,
): Promise<ApiObject> {
  const command = 'updateConfiguration';
  if (name !== CLUSTER_PARAMETER) {
    throw invalidParameter(
      command,
      'clusterid',
      clusterid,
      `only ${CLUSTER_PARAMETER} can be set for a cluster, not ${name}`,
    );
  }
  const cluster = await clusterOf(store, clusterid);
  if (cluster === undefined)
    throw invalidParameter(command, 'clusterid', clusterid, 'there is no cluster with this id');
  const seconds = value === '' ? null : Number(checkedValue(name, value));
  await store.setClusterCheckInterval(cluster.id, seconds);
  return { ...configurationObject(name, value === '' ? undefined : String(seconds)), scope: 'Cluster' };
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
