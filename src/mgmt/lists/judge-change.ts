import { runInTurns } from '../../lib/interruptible.js';
import { invalidArgument } from '../../lib/operation-error.js';
import type { ServerReader } from '../cluster/membership.js';
import { canTakeAgents, type ObservedServer } from '../cluster/observed-servers.js';
import { type Configuration, type ParameterName, readConfiguration } from '../config/parameters.js';
import type { AgentRow, AssignmentEntry, Configuration as StoredConfiguration } from '../store/store.js';
import { listSettingsOf } from './list-settings.js';
import { readListedHosts } from './listed-hosts.js';
import { giveSameLists, type ListSettings, type Preview, previewInSteps } from './preview.js';
import { changedAssignments, commitChange, needsReassignment, type ReassignParts } from './reassign.js';

export interface JudgeParts extends ReassignParts, ServerReader {}

export interface JudgeOptions {
  /** Also a host list of which no server is Up. */
  readonly forced: boolean;
  /** The argument that is named when the host list is refused. @default `host` */
  readonly argument?: string;
}

/** What the store would have. @throws OperationError ARGUMENT_INVALID: it cannot be right together with other values */
export function proposedConfiguration(
  stored: StoredConfiguration,
  changes: ReadonlyMap<ParameterName, string>,
): Configuration {
  const { canary: _, ...others } = stored;
  const values = new Map([...stored.values, ...changes]);
  const { configuration, invalid } = readConfiguration({ ...others, version: stored.version + 1, values });
  const conflict = invalid.find(({ name }) => changes.has(name));
  if (conflict !== undefined) throw invalidArgument('value', changes.get(conflict.name) ?? '', conflict.reason);
  return configuration;
}

/**
 * Judges a host list by the servers that there are.
 * @returns its addresses that no server has
 * @throws OperationError ARGUMENT_INVALID: agents would reach no server; StoreError
 */
export async function checkServers(
  { readServers }: ServerReader,
  hosts: readonly string[],
  { forced, argument = 'host' }: JudgeOptions,
): Promise<readonly string[]> {
  const servers = await readServers();
  if (!forced) checkReachable(servers, hosts, argument);
  return hosts.filter(host => servers.every(({ serviceIp }) => serviceIp !== host));
}

function checkReachable(servers: readonly ObservedServer[], hosts: readonly string[], argument: string): void {
  const up = servers.filter(canTakeAgents).map(({ serviceIp }) => serviceIp);
  if (hosts.some(host => up.includes(host))) return;
  const why = `none of these servers can take agents (${up.join(', ') || 'none'} can); forced=true sets it all the same`;
  throw invalidArgument(argument, hosts.join(','), why);
}

export interface HostsAfter extends Pick<Preview, 'moving' | 'after'> {
  readonly rows: readonly AgentRow[];
}

/** Reads all hosts, and computes which host each would prefer. @throws StoreError */
export async function hostsAfter(
  { clock, store }: Pick<ReassignParts, 'clock' | 'store'>,
  configuration: Configuration,
  proposed: ListSettings,
): Promise<HostsAfter> {
  const { rows, agents } = await readListedHosts(store, configuration);
  const { moving, after } = await runInTurns(previewInSteps(agents, listSettingsOf(configuration), proposed), clock);
  return { rows, moving, after };
}

export interface ChangeMade {
  /** How many agents have another preferred host. */
  readonly agentsMoving: number;
  /** Addresses of a new `host` that no server has. */
  readonly withoutServer: readonly string[];
}

/**
 * Judges values by what is stored, and writes them with the assignments that belong to them.
 * @param options.endsCanary the canary that stands ends with it: it was of these values
 * @returns undefined: another change has come in between
 * @throws OperationError ARGUMENT_INVALID; StoreError
 */
export async function makeChange(
  parts: JudgeParts,
  stored: StoredConfiguration,
  changes: ReadonlyMap<ParameterName, string>,
  options: JudgeOptions & { readonly endsCanary?: boolean },
): Promise<ChangeMade | undefined> {
  const { clock } = parts;
  const { configuration } = readConfiguration(stored);
  const now = listSettingsOf(configuration);
  const proposed = listSettingsOf(proposedConfiguration(stored, changes));
  const withoutServer = changes.has('host') ? await checkServers(parts, proposed.servers, options) : [];
  let agentsMoving = 0;
  let assignments: readonly AssignmentEntry[] = [];
  if (!giveSameLists(now, proposed)) {
    const { rows, moving, after } = await hostsAfter(parts, configuration, proposed);
    agentsMoving = moving;
    // The assignments are those of the preview. After another algorithm, agents keep the preferred host that they
    // have, whatever an older row says.
    if (needsReassignment(now, proposed)) {
      assignments = await runInTurns(changedAssignments(rows, after, configuration), clock);
    }
  }
  const canary = options.endsCanary ? ('ended' as const) : undefined;
  const isDone = await commitChange(parts, configuration, { values: changes, assignments, canary });
  return isDone ? { agentsMoving, withoutServer } : undefined;
}
