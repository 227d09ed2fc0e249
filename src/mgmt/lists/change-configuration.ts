import { reasonOf } from '../../lib/errors.js';
import { runInTurns } from '../../lib/interruptible.js';
import { invalidArgument, OperationError } from '../../lib/operation-error.js';
import { nearestKey } from '../../lib/text/nearest-key.js';
import type { EventSink } from '../cluster/events.js';
import type { ServerReader } from '../cluster/membership.js';
import { canTakeAgents, type ObservedServer } from '../cluster/observed-servers.js';
import {
  type Configuration,
  canonicalValue,
  defaultValue,
  isParameterName,
  PARAMETER_NAMES,
  type ParameterName,
  readConfiguration,
} from '../config/parameters.js';
import { ValueError } from '../config/value-kinds.js';
import type { ApiKeys } from '../security/api-keys.js';
import type { AssignmentEntry, Store, Configuration as StoredConfiguration } from '../store/store.js';
import { listSettingsOf } from './list-settings.js';
import { readListedHosts } from './listed-hosts.js';
import { giveSameLists, previewInSteps } from './preview.js';
import { changedAssignments, commitChange, judgedAnew, needsReassignment, type ReassignParts } from './reassign.js';

export interface ChangeConfigurationParts extends ReassignParts, ServerReader {
  readonly store: ReassignParts['store'] & Pick<Store, 'clusters' | 'setClusterCheckInterval'>;
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
  const { clock, store } = parts;
  const value = checkedValue(name, text);
  if (name === 'alert.webhook.key' && value !== '') await checkKeyName(parts, value);
  return judgedAnew(store, async stored => {
    const { configuration } = readConfiguration(stored);
    const now = listSettingsOf(configuration);
    const proposed = listSettingsOf(proposedConfiguration(stored, name, value));
    const servers = name === 'host' ? await parts.readServers() : [];
    if (name === 'host' && !forced) checkReachable(servers, proposed.servers);
    const withoutServer =
      name === 'host' ? proposed.servers.filter(host => servers.every(({ serviceIp }) => serviceIp !== host)) : [];
    let agentsMoving = 0;
    let assignments: readonly AssignmentEntry[] = [];
    if (!giveSameLists(now, proposed)) {
      const { rows, agents } = await readListedHosts(store, configuration);
      const { moving, after } = await runInTurns(previewInSteps(agents, now, proposed), clock);
      agentsMoving = moving;
      // The assignments are those of the preview. After another algorithm, agents keep the preferred host that they
      // have, whatever an older row says.
      if (needsReassignment(now, proposed)) {
        assignments = await runInTurns(changedAssignments(rows, after, configuration), clock);
      }
    }
    const isDone = await commitChange(parts, configuration, new Map([[name, value]]), assignments);
    return isDone ? { name, value, scope: 'global' as const, agentsMoving, withoutServer } : undefined;
  });
}

/** What the store would have. @throws OperationError ARGUMENT_INVALID: it cannot be right together with other values */
function proposedConfiguration(stored: StoredConfiguration, name: ParameterName, value: string): Configuration {
  const values = new Map([...stored.values, [name, value]]);
  const { configuration, invalid } = readConfiguration({ ...stored, version: stored.version + 1, values });
  const conflict = invalid.find(parameter => parameter.name === name);
  if (conflict !== undefined) throw invalidArgument('value', value, conflict.reason);
  return configuration;
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

/** Refuses a list of which no server is Up: its agents would reach no server. @throws OperationError ARGUMENT_INVALID */
function checkReachable(servers: readonly ObservedServer[], hosts: readonly string[]): void {
  const up = servers.filter(canTakeAgents).map(({ serviceIp }) => serviceIp);
  if (hosts.some(host => up.includes(host))) return;
  const why = `none of these servers can take agents (${up.join(', ') || 'none'} can); forced=true sets it all the same`;
  throw invalidArgument('value', hosts.join(','), why);
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
