import type { Clock } from '../../lib/clock.js';
import { type Interruptible, runInTurns, workCounter } from '../../lib/interruptible.js';
import { refusedOperation } from '../../lib/operation-error.js';
import { type Configuration, readConfiguration } from '../config/parameters.js';
import { pause } from '../store/pause.js';
import {
  type AgentRow,
  type AssignmentAttempt,
  type AssignmentEntry,
  assignmentOf,
  type ConfigurationAlso,
  HOSTS_A_BATCH,
  type Store,
  type Configuration as StoredConfiguration,
} from '../store/store.js';
import { assignAllInSteps } from './assign.js';
import { refuseBesideCanary } from './list-change.js';
import { listSettingsOf } from './list-settings.js';
import { readListedHosts } from './listed-hosts.js';
import { giveSameLists, type ListSettings } from './preview.js';

interface CommitParts {
  readonly clock: Clock;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  readonly store: Pick<Store, 'beginAssignment' | 'writeAssignments' | 'updateConfiguration'>;
}

export interface ReassignParts extends CommitParts {
  readonly store: CommitParts['store'] & Pick<Store, 'configuration' | 'hosts'>;
}

/** Changes that come in between so often are no accident. */
const TRIES = 10;

/** Rows that are compared in one step. */
const ROWS_PER_STEP = 2_000;

/** An attempt of another server writes more often than this. One that was killed leaves its last step as it is. */
const ABANDONED_AFTER_MS = 3_000;

/**
 * Judges the stored configuration, and writes what follows from it, as one compare-and-set. When another change has come
 * in between, all of it is done anew.
 * @param change returns its result, or undefined: another change has come in between
 * @throws OperationError OPERATION_REFUSED after too many tries; and what `change` throws
 */
export async function judgedAnew<T>(
  store: Pick<Store, 'configuration'>,
  change: (stored: StoredConfiguration) => Promise<T | undefined>,
): Promise<T> {
  for (let tries = 0; tries < TRIES; tries++) {
    const result = await change(await store.configuration());
    if (result !== undefined) return result;
  }
  throw refusedOperation('other changes of the configuration came in between again and again; try it later');
}

/**
 * With `rendezvous`: computes the assignment of every host anew, and writes what changes, since an operator has asked for
 * it.
 * @returns how many hosts have another preferred host now; undefined with other algorithms
 * @throws OperationError OPERATION_REFUSED; StoreError
 */
export async function reassignHosts(parts: ReassignParts): Promise<number | undefined> {
  const { clock, store } = parts;
  const { reassigned } = await judgedAnew(store, async stored => {
    const { configuration } = readConfiguration(stored);
    const settings = listSettingsOf(configuration);
    if (settings.algorithm !== 'rendezvous') return { reassigned: undefined };
    refuseBesideCanary(configuration);
    const { rows, agents } = await readListedHosts(store, configuration);
    const plan = await runInTurns(assignAllInSteps(agents, settings.servers, settings.weights), clock);
    const assignments = await runInTurns(changedAssignments(rows, plan.preferred, configuration), clock);
    const isDone = await commitChange(parts, configuration, { values: new Map(), assignments });
    return isDone ? { reassigned: plan.changes.length } : undefined;
  });
  return reassigned;
}

/**
 * The assignments that differ from those that count. For `runInTurns`.
 * @param preferred the server of each host, in the order of the rows
 */
export function* changedAssignments(
  rows: readonly AgentRow[],
  preferred: readonly (string | undefined)[],
  { assignmentGeneration }: Pick<Configuration, 'assignmentGeneration'>,
): Interruptible<readonly AssignmentEntry[]> {
  const isStepFull = workCounter(ROWS_PER_STEP);
  const changed: AssignmentEntry[] = [];
  for (const [index, row] of rows.entries()) {
    const server = preferred[index];
    if (server !== undefined && server !== assignmentOf(row, assignmentGeneration)) {
      changed.push({ id: row.id, preferred: server });
    }
    if (isStepFull(1)) yield;
  }
  return changed;
}

export interface JudgedChange extends Pick<ConfigurationAlso, 'canary'> {
  readonly values: ReadonlyMap<string, string>;
  readonly assignments: readonly AssignmentEntry[];
}

/**
 * Writes values and assignments as one change, which counts from its last write on.
 * @param judgedBy the configuration that they follow from
 * @returns false: another change has come in between, and nothing of this one counts
 * @throws StoreError
 */
export async function commitChange(
  parts: CommitParts,
  { version }: Pick<Configuration, 'version'>,
  { values, assignments, canary }: JudgedChange,
): Promise<boolean> {
  const { store } = parts;
  if (assignments.length === 0) return (await store.updateConfiguration(values, version, { canary })).done;
  const attempt = await written(parts, assignments);
  return attempt !== undefined && (await store.updateConfiguration(values, version, { attempt, canary })).done;
}

/** @returns undefined: another attempt is under way, or has been */
async function written(
  parts: CommitParts,
  assignments: readonly AssignmentEntry[],
): Promise<AssignmentAttempt | undefined> {
  const { store } = parts;
  let begun = await store.beginAssignment();
  if (!begun.begun) {
    await pause(parts, ABANDONED_AFTER_MS);
    begun = await store.beginAssignment(begun.step);
    if (!begun.begun) return undefined;
  }
  let attempt: AssignmentAttempt | undefined = begun.attempt;
  for (let at = 0; at < assignments.length && attempt !== undefined; at += HOSTS_A_BATCH) {
    attempt = await store.writeAssignments(attempt, assignments.slice(at, at + HOSTS_A_BATCH));
  }
  return attempt;
}

/** Whether a change of the settings needs all assignments anew. */
export function needsReassignment(now: ListSettings, proposed: ListSettings): boolean {
  return proposed.algorithm === 'rendezvous' && !giveSameLists(now, proposed);
}
