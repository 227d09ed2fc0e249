import { reasonOf } from '../../lib/errors.js';
import { invalidArgument, OperationError } from '../../lib/operation-error.js';
import { nearestKey } from '../../lib/text/nearest-key.js';
import type { EventSink } from '../cluster/events.js';
import {
  canonicalValue,
  defaultValue,
  isParameterName,
  PARAMETER_NAMES,
  type ParameterName,
  readConfiguration,
} from '../config/parameters.js';
import { ValueError } from '../config/value-kinds.js';
import type { ApiKeys } from '../security/api-keys.js';
import type { Store } from '../store/store.js';
import { type JudgeParts, makeChange } from './judge-change.js';
import { isListParameter, refuseBesideCanary } from './list-change.js';
import { judgedAnew } from './reassign.js';

export interface ChangeConfigurationParts extends JudgeParts {
  readonly store: JudgeParts['store'] & Pick<Store, 'clusters' | 'setClusterCheckInterval'>;
  readonly events: EventSink;
  readonly apiKeys: Pick<ApiKeys, 'all' | 'refresh'>;
  /** Has this server read the configuration now. The others notice the change by their poll. */
  configurationChanged(): Promise<void>;
}

export interface ConfigurationChange {
  readonly name: string;
  /** Any spelling that the name allows. With `clusterId`, empty means that the global value holds again. */
  readonly value: string;
  /** UUID of a cluster that gets a value of its own. Only `indirect.agent.lb.check.interval` can have one. */
  readonly clusterId?: string | undefined;
  /** Also a host list of which no server is Up. @default false */
  readonly forced?: boolean | undefined;
}

export interface ChangedConfiguration {
  readonly name: ParameterName;
  /** In the spelling in which it is kept. The global value when the cluster's own one was taken away. */
  readonly value: string;
  readonly scope: 'global' | 'cluster';
  /** How many agents have another preferred host by the change. Undefined for a value of a cluster. */
  readonly agentsMoving: number | undefined;
  /** Addresses of the new `host` that no server has. */
  readonly withoutServer: readonly string[];
}

/** The only parameter that a cluster can have its own value of. */
export const CLUSTER_PARAMETER: ParameterName = 'indirect.agent.lb.check.interval';

/**
 * Changes a value of the global configuration, or a cluster's own value. It is checked and written as one
 * compare-and-set: when another change comes in between, it is checked anew. With `rendezvous`, the assignments that
 * belong to the value count from the same moment as the value.
 * @throws OperationError CONFIGURATION_NAME_UNKNOWN, ARGUMENT_INVALID (`value`, `clusterId`), OPERATION_REFUSED;
 * StoreError
 */
export async function changeConfiguration(
  parts: ChangeConfigurationParts,
  { name, value, clusterId, forced = false }: ConfigurationChange,
): Promise<ChangedConfiguration> {
  if (!isParameterName(name)) throw unknownName(name);
  const changed =
    clusterId === undefined
      ? await changeGlobally(parts, name, value, forced)
      : await changeForCluster(parts, name, value, clusterId);
  return told(parts, changed, `${name} was set to`);
}

export interface ConfigurationReset {
  readonly name: string;
  /** UUID of a cluster whose own value is taken away. */
  readonly clusterId?: string | undefined;
}

/**
 * Sets a value back to its default, or has the global value hold again for a cluster; checked and written as
 * `changeConfiguration` does. The default is written as a value: without one, the next server that starts with an initial
 * value of its own would write that.
 * @throws OperationError CONFIGURATION_NAME_UNKNOWN; ARGUMENT_INVALID (`name`: it has no default, as `host`; `value`,
 * `clusterId`), OPERATION_REFUSED; StoreError
 */
export async function resetConfiguration(
  parts: ChangeConfigurationParts,
  { name, clusterId }: ConfigurationReset,
): Promise<ChangedConfiguration> {
  if (!isParameterName(name)) throw unknownName(name);
  if (clusterId !== undefined) {
    return told(parts, await changeForCluster(parts, name, '', clusterId), `${name} was reset for a cluster to`);
  }
  const changed = await changeGlobally(parts, name, checkedDefault(name), false);
  return told(parts, changed, `${name} was reset to its default,`);
}

async function told(
  { events, configurationChanged }: ChangeConfigurationParts,
  changed: ChangedConfiguration,
  what: string,
): Promise<ChangedConfiguration> {
  const text = changed.value === '' ? 'nothing' : changed.value;
  events.add({ type: 'CONFIGURATION.VALUE.EDIT', level: 'INFO', description: `${what} ${text}` });
  await configurationChanged();
  return changed;
}

async function changeGlobally(
  parts: ChangeConfigurationParts,
  name: ParameterName,
  text: string,
  forced: boolean,
): Promise<ChangedConfiguration> {
  const { store } = parts;
  const value = checkedValue(name, text);
  if (name === 'alert.webhook.key' && value !== '') await checkKeyName(parts, value);
  return judgedAnew(store, async stored => {
    if (isListParameter(name)) refuseBesideCanary(readConfiguration(stored).configuration);
    const made = await makeChange(parts, stored, new Map([[name, value]]), { forced, argument: 'value' });
    return made && { name, value, scope: 'global' as const, ...made };
  });
}

async function changeForCluster(
  { store }: ChangeConfigurationParts,
  name: ParameterName,
  text: string,
  clusterId: string,
): Promise<ChangedConfiguration> {
  if (name !== CLUSTER_PARAMETER) {
    throw invalidArgument('clusterId', clusterId, `only ${CLUSTER_PARAMETER} can be set for a cluster, not ${name}`);
  }
  const value = text === '' ? undefined : checkedValue(name, text);
  return judgedAnew(store, async ({ version, values }) => {
    const cluster = (await store.clusters()).find(({ uuid }) => uuid === clusterId);
    if (cluster === undefined) throw invalidArgument('clusterId', clusterId, 'there is no cluster with this id');
    const seconds = value === undefined ? null : Number(value);
    if (!(await store.setClusterCheckInterval(cluster.id, seconds, version)).done) return undefined;
    const kept = value ?? values.get(name) ?? defaultValue(name);
    return { name, value: kept, scope: 'cluster' as const, agentsMoving: undefined, withoutServer: [] };
  });
}

/** Refuses the name of no API key: alerts would not be posted. @throws OperationError ARGUMENT_INVALID; StoreError */
async function checkKeyName({ apiKeys }: ChangeConfigurationParts, keyName: string): Promise<void> {
  await apiKeys.refresh();
  if (apiKeys.all.some(({ name }) => name === keyName)) return;
  throw invalidArgument('value', keyName, 'there is no API key of this name; createApiKey makes one');
}

/** @throws OperationError ARGUMENT_INVALID */
function checkedValue(name: ParameterName, value: string): string {
  try {
    return canonicalValue(name, value);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw invalidArgument('value', value, `${name}: ${reasonOf(error)}`);
  }
}

/** @throws OperationError ARGUMENT_INVALID: `host` has none, since no server would be in it */
function checkedDefault(name: ParameterName): string {
  try {
    return canonicalValue(name, defaultValue(name));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw invalidArgument('name', name, 'it has no default; updateConfiguration sets it');
  }
}

function unknownName(name: string): OperationError {
  const near = nearestKey(name, PARAMETER_NAMES);
  const hint = near ? `; did you mean ${near}?` : '';
  // CloudStack's text.
  const text = `Config parameter with name ${name} doesn't exist${hint}`;
  return new OperationError('CONFIGURATION_NAME_UNKNOWN', text, { argument: 'name', value: name });
}
