import { runInTurns } from '../../lib/interruptible.js';
import { checkRange, invalidArgument, refusedOperation } from '../../lib/operation-error.js';
import { amount } from '../../lib/text/amount.js';
import { DoctorCommand } from '../../protocol/index.js';
import type { EventType } from '../cluster/events.js';
import { type CommandOperationParts, sendCommand } from '../commands/command-operations.js';
import { type Configuration, type ParameterName, readConfiguration } from '../config/parameters.js';
import type { HostIdentity } from '../hosts/known-hosts.js';
import type { AgentList } from '../lists/agent-list.js';
import { checkServers, hostsAfter, type JudgeParts, makeChange, proposedConfiguration } from '../lists/judge-change.js';
import { changeOfValues, type ListChange, refuseBesideCanary, valuesOfChange } from '../lists/list-change.js';
import { listSettingsOf } from '../lists/list-settings.js';
import { giveSameLists } from '../lists/preview.js';
import { judgedAnew } from '../lists/reassign.js';
import {
  type AgentRow,
  CANARY_HOSTS,
  type NewCanary,
  ROWS_A_PAGE,
  type Store,
  type StoredCanary,
  type Configuration as StoredConfiguration,
} from '../store/store.js';
import { type CanaryProgress, canaryCounts, canaryDials, canaryHost, objectionTo } from './canary-progress.js';
import { chooseCanary } from './choose-canary.js';

export interface CanaryParts extends JudgeParts, CommandOperationParts {
  readonly store: JudgeParts['store'] &
    CommandOperationParts['store'] &
    Pick<Store, 'hostsById' | 'setCanaryJob' | 'commandSummary' | 'commandReasons'>;
  /** What the agent of a host is to be told, as far as this server knows. */
  listFor(host: HostIdentity): AgentList;
  /** Has this server read the configuration now. The others notice the change by their poll. */
  configurationChanged(): Promise<void>;
}

export interface StartCanaryArguments extends ListChange {
  /** How many of the hosts, 1 to 50; at least one is taken. @default 1 */
  readonly percent?: number | undefined;
  /** Also a host list of which no server is Up. @default false */
  readonly forced?: boolean | undefined;
}

/** How long a host may take, and how long it is waited for one that is not connected. */
const DIAL_SECONDS = 30;
const DIALS_AT_ONCE = 200;
const MOST_PERCENT = 50;

/**
 * Has a change of what host lists follow from hold for a few hosts alone, which are asked to dial the servers that they would
 * be told. It is checked as `changeConfiguration` does.
 * @throws OperationError ARGUMENT_INVALID, OPERATION_REFUSED; StoreError
 */
export async function startCanary(
  parts: CanaryParts,
  { percent = 1, forced = false, ...change }: StartCanaryArguments,
): Promise<CanaryProgress> {
  const { store, asker: createdBy } = parts;
  const changes = valuesOfChange(change);
  if (changes.size === 0) throw invalidArgument('host', '', 'one of host, algorithm and weights is needed');
  checkRange('percent', percent, 1, MOST_PERCENT);
  const { id, count } = await judgedAnew(store, async stored => {
    const { configuration } = readConfiguration(stored);
    refuseBesideCanary(configuration);
    const proposed = proposedConfiguration(stored, changes);
    if (giveSameLists(listSettingsOf(configuration), listSettingsOf(proposed))) {
      throw refusedOperation('no agent would get another list by it');
    }
    if (changes.has('host')) await checkServers(parts, proposed.values.host, { forced });
    const hosts = await chosenHosts(parts, configuration, proposed, percent);
    const canary: NewCanary = { changes, hosts, createdBy };
    const { done, version } = await store.updateConfiguration(new Map(), stored.version, { canary });
    return done ? { id: version, count: hosts.size } : undefined;
  });
  tell(parts, 'CANARY.START', `Canary ${id}: ${textOf(changes)} for ${amount(count, 'host')} first`);
  await parts.configurationChanged();
  return verifyCanary(parts, { id });
}

/** @returns with `rendezvous` the preferred host of each, as if the change held for all @throws OperationError */
async function chosenHosts(
  parts: CanaryParts,
  configuration: Configuration,
  proposed: Configuration,
  percent: number,
): Promise<NewCanary['hosts']> {
  const { rows, after } = await hostsAfter(parts, configuration, listSettingsOf(proposed));
  const indices = await runInTurns(chooseCanary(rows, proposed.version, percent), parts.clock);
  if (indices.length === 0) throw refusedOperation('there are no hosts: updateConfiguration changes it');
  if (indices.length > CANARY_HOSTS) {
    throw invalidArgument('percent', String(percent), `${indices.length} hosts; at most ${CANARY_HOSTS} are allowed`);
  }
  const isAssigned = proposed.values['indirect.agent.lb.algorithm'] === 'rendezvous';
  return new Map(
    indices.flatMap(index => {
      const row = rows[index];
      return row === undefined ? [] : [[row.id, (isAssigned && after[index]) || null] as const];
    }),
  );
}

/** The canary that stands, and how far it is. @throws StoreError */
export async function listCanaries(parts: CanaryParts): Promise<readonly CanaryProgress[]> {
  const { canary } = await parts.store.configuration();
  return canary === undefined ? [] : [await progressOf(parts, canary)];
}

/**
 * Asks the hosts of a canary to dial the servers that they would be told. What they said before is forgotten.
 * @throws OperationError ARGUMENT_INVALID (`id`), OPERATION_REFUSED; StoreError
 */
export async function verifyCanary(parts: CanaryParts, { id }: { readonly id: number }): Promise<CanaryProgress> {
  const { store } = parts;
  const stored = await store.configuration();
  const canary = standing(stored, id);
  const hosts = await rowsOf(parts, canary);
  if (hosts.length === 0) throw refusedOperation(`all hosts of canary ${id} were removed: deleteCanary takes it back`);
  const { host } = proposedConfiguration(stored, changesOf(canary)).values;
  const job = await sendCommand(parts, {
    ids: hosts.map(({ uuid }) => uuid),
    commands: [{ class: DoctorCommand.type, fields: DoctorCommand.encode({ hosts: host }).fields }],
    wait: DIAL_SECONDS,
    maxConcurrency: DIALS_AT_ONCE,
    maxErrors: -1,
  });
  if (!(await store.setCanaryJob(id, job.uuid))) {
    await endDials(parts, { job: job.uuid });
    throw invalidArgument('id', String(id), 'it has just ended');
  }
  await endDials(parts, canary);
  return progressOf(parts, { ...canary, job: job.uuid });
}

export interface CommitCanaryArguments {
  readonly id: number;
  /** Also when dials have failed or not ended, and a host list of which no server is Up. @default false */
  readonly forced?: boolean | undefined;
}

/**
 * Has the change of a canary hold for all agents. Its hosts keep the preferred hosts that they have, as far as the shares
 * allow.
 * @returns how many agents have another preferred host by it
 * @throws OperationError ARGUMENT_INVALID (`id`, `host`), OPERATION_REFUSED; StoreError
 */
export async function commitCanary(
  parts: CanaryParts,
  { id, forced = false }: CommitCanaryArguments,
): Promise<{ readonly agentsMoving: number }> {
  const { canary, made } = await judgedAnew(parts.store, async stored => {
    const canary = standing(stored, id);
    const { objection } = await progressOf(parts, canary);
    if (objection !== undefined && !forced) throw refusedOperation(`${objection}; forced=true does it all the same`);
    const made = await makeChange(parts, stored, changesOf(canary), { forced, endsCanary: true });
    return made && { canary, made };
  });
  tell(parts, 'CANARY.COMMIT', `Canary ${id} holds for all agents: ${textOf(canary.changes)}`);
  await parts.configurationChanged();
  await endDials(parts, canary);
  return made;
}

/** Takes a canary back: its hosts are told what all others are. @throws OperationError ARGUMENT_INVALID (`id`); StoreError */
export async function deleteCanary(parts: CanaryParts, { id }: { readonly id: number }): Promise<void> {
  const canary = await judgedAnew(parts.store, async stored => {
    const canary = standing(stored, id);
    const { done } = await parts.store.updateConfiguration(new Map(), stored.version, { canary: 'ended' });
    return done ? canary : undefined;
  });
  tell(parts, 'CANARY.DELETE', `Canary ${id} was taken back: ${textOf(canary.changes)}`);
  await parts.configurationChanged();
  await endDials(parts, canary);
}

async function progressOf(parts: CanaryParts, canary: StoredCanary): Promise<CanaryProgress> {
  const { store, listFor, readServers } = parts;
  const { id, created, createdBy, job } = canary;
  const addresses = new Map((await readServers()).map(({ msid, serviceIp }) => [msid, serviceIp]));
  const rows = await rowsOf(parts, canary);
  const hosts = rows.map(row =>
    canaryHost(row, listFor(row), id, row.msid === null ? undefined : addresses.get(row.msid)),
  );
  const counts = canaryCounts(hosts);
  const summary = job === null ? undefined : await store.commandSummary(job);
  const causes = job === null ? undefined : await store.commandReasons(job);
  const dials = job && summary && causes ? canaryDials(job, summary, causes) : undefined;
  const change = changeOfValues(canary.changes);
  return { id, change, created, createdBy, ...counts, dials, objection: objectionTo(counts, dials) };
}

/** Its hosts that are not removed. */
async function rowsOf({ store }: CanaryParts, { hosts }: StoredCanary): Promise<readonly AgentRow[]> {
  const ids = [...hosts.keys()];
  const rows: AgentRow[] = [];
  for (let at = 0; at < ids.length; at += ROWS_A_PAGE) {
    const page = await store.hostsById(ids.slice(at, at + ROWS_A_PAGE));
    rows.push(...page.filter(({ removed }) => removed === null));
  }
  return rows;
}

/** @throws OperationError ARGUMENT_INVALID (`id`) */
function standing({ canary }: StoredConfiguration, id: number): StoredCanary {
  if (canary?.id === id) return canary;
  const which = canary === undefined ? 'no canary stands' : `canary ${canary.id} stands`;
  throw invalidArgument('id', String(id), which);
}

function changesOf({ changes }: StoredCanary): ReadonlyMap<ParameterName, string> {
  return valuesOfChange(changeOfValues(changes));
}

/** What its hosts dial does not matter any more. */
async function endDials({ store }: CanaryParts, { job }: Pick<StoredCanary, 'job'>): Promise<void> {
  if (job !== null) await store.cancelCommands(job, 'the canary has ended, or its hosts dial anew', 'operator');
}

function tell({ events }: CanaryParts, type: EventType, description: string): void {
  events.add({ type, level: 'INFO', description });
}

function textOf(changes: ReadonlyMap<string, string>): string {
  return [...changes].map(([name, value]) => `${name}=${value || 'nothing'}`).join(', ');
}
