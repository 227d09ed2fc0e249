import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { runInTurns } from '../../lib/interruptible.js';
import { nearestKey } from '../../lib/nearest-key.js';
import { invalidArgument, OperationError } from '../../lib/operation-error.js';
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
import type { Store } from '../store/store.js';
import { listedAgent, listSettingsOf } from './list-settings.js';
import { giveSameLists, previewInSteps } from './preview.js';
import { needsPlacing, writePlaces } from './reassign.js';

export interface ChangeConfigurationParts {
  readonly clock: Pick<Clock, 'turn'>;
  readonly store: Pick<
    Store,
    'configuration' | 'setConfiguration' | 'clusters' | 'setClusterCheckInterval' | 'hosts' | 'setPreferred' | 'servers'
  >;
  readonly events: EventSink;
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
  /** In the spelling in which it is kept. The default when the cluster's own value was taken away. */
  readonly value: string;
  readonly scope: 'global' | 'cluster';
  /** How many agents have another preferred host by the change. Undefined for a value of a cluster. */
  readonly agentsMoving: number | undefined;
}

/** The only parameter that a cluster can have its own value of. */
export const CLUSTER_PARAMETER: ParameterName = 'indirect.agent.lb.check.interval';

/**
 * Changes a value of the global configuration, or a cluster's own value. The value is checked before anything is
 * written. With `rendezvous`, assignments are written before the value that they belong to.
 * @throws OperationError CONFIGURATION_NAME_UNKNOWN, ARGUMENT_INVALID (`value`, `clusterId`); StoreError
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
  const text = changed.value === '' ? 'nothing' : changed.value;
  parts.events.add({ type: 'CONFIGURATION.UPDATE', level: 'INFO', description: `${name} was set to ${text}` });
  await parts.configurationChanged();
  return changed;
}

async function changeGlobally(
  { clock, store }: ChangeConfigurationParts,
  name: ParameterName,
  text: string,
  forced: boolean,
): Promise<ChangedConfiguration> {
  const value = checkedValue(name, text);
  const stored = await store.configuration();
  const proposedValues = new Map([...stored.values, [name, value]]);
  const now = listSettingsOf(readConfiguration(stored).configuration.values, stored.version);
  const proposed = listSettingsOf(
    readConfiguration({ ...stored, values: proposedValues }).configuration.values,
    stored.version + 1,
  );
  if (name === 'host' && !forced) await checkReachable(store, proposed.servers);
  let agentsMoving = 0;
  if (!giveSameLists(now, proposed)) {
    const rows = await store.hosts();
    const agents = rows.map(row => listedAgent(row, now));
    const { moving, after } = await runInTurns(previewInSteps(agents, now, proposed), clock);
    agentsMoving = moving;
    // The assignments are those of the preview. After another algorithm, agents keep the preferred host that they have,
    // whatever an older row says.
    if (needsPlacing(now, proposed)) await writePlaces(store, rows, after);
  }
  await store.setConfiguration(name, value);
  return { name, value, scope: 'global', agentsMoving };
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
  const cluster = (await store.clusters()).find(({ uuid }) => uuid === clusterId);
  if (cluster === undefined) throw invalidArgument('clusterId', clusterId, 'there is no cluster with this id');
  const value = text === '' ? undefined : checkedValue(name, text);
  await store.setClusterCheckInterval(cluster.id, value === undefined ? null : Number(value));
  return { name, value: value ?? defaultValue(name), scope: 'cluster', agentsMoving: undefined };
}

/** An agent that takes a list of which no server is Up reaches nobody. @throws OperationError ARGUMENT_INVALID */
async function checkReachable(store: Pick<Store, 'servers'>, hosts: readonly string[]): Promise<void> {
  const up = (await store.servers()).filter(({ state }) => state === 'Up').map(({ serviceIp }) => serviceIp);
  if (hosts.some(host => up.includes(host))) return;
  const why = `none of these servers is Up (${up.join(', ')} are); forced=true sets it all the same`;
  throw invalidArgument('value', hosts.join(','), why);
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

function unknownName(name: string): OperationError {
  const near = nearestKey(name, PARAMETER_NAMES);
  const hint = near ? `; did you mean ${near}?` : '';
  // CloudStack's text.
  const text = `Config parameter with name ${name} doesn't exist${hint}`;
  return new OperationError('CONFIGURATION_NAME_UNKNOWN', text, { argument: 'name', value: name });
}
