import type { Kysely, Selectable } from 'kysely';
import {
  CANARY_HOSTS,
  type ConfigurationState,
  type ConfigurationStore,
  type NewCanary,
  type StoredCanary,
} from '../configuration-store.js';
import { commitAssignments } from './assignments.js';
import type { CanaryTable, Schema } from './schema.js';
import { lockedSequence, raiseSequence, sequenceValue, sequenceValues } from './sequence.js';
import type { Transactions } from './transactions.js';

export function configurationStore(transactions: Transactions): ConfigurationStore {
  const { clock, database } = transactions;
  return {
    configuration: () =>
      transactions.read('configuration', async db => {
        const state = await stateOf(db);
        const canary = await db.selectFrom('canary').selectAll().executeTakeFirst();
        return { ...state, values: await valuesOf(db), ...(canary && { canary: canaryOf(canary) }) };
      }),

    configurationState: () => transactions.read('configurationState', stateOf),

    initialiseConfiguration: values =>
      transactions.write('initialiseConfiguration', async db => {
        const standing = await valuesOf(db);
        const missing = new Map([...values].filter(([name]) => !standing.has(name)));
        await put(db, standing, missing, clock.wallTime());
        const differs = ([name, value]: [string, string]) => !missing.has(name) && standing.get(name) !== value;
        return new Map([...values].filter(differs).map(([name]) => [name, standing.get(name) ?? '']));
      }),

    updateConfiguration: (changes, expectedVersion, { attempt, canary } = {}) =>
      transactions.write('updateConfiguration', async db => {
        const version = await lockedSequence(database, db, 'configuration');
        if (expectedVersion !== version) return { done: false, version };
        if (attempt !== undefined && !(await commitAssignments(db, attempt))) return { done: false, version };
        const written = await put(db, await valuesOf(db), changes, clock.wallTime());
        const isToBeRead = (attempt !== undefined || canary !== undefined) && written === version;
        const next = isToBeRead ? await raiseSequence(db, 'configuration') : written;
        if (canary === 'ended') await db.deleteFrom('canary').execute();
        else if (canary !== undefined) {
          await db
            .insertInto('canary')
            .values({ ...canaryRow(canary), id: next, created: await database.storeTime(db) })
            .execute();
        }
        return { done: true, version: next };
      }),

    setCanaryJob: (id, job) =>
      transactions.write('setCanaryJob', async db => {
        const set = await db.updateTable('canary').set({ job }).where('id', '=', id).executeTakeFirst();
        return set.numUpdatedRows > 0n;
      }),
  };
}

async function stateOf(db: Kysely<Schema>): Promise<ConfigurationState> {
  const last = await sequenceValues(db, ['configuration', 'assignment_committed', 'crl', 'authority']);
  return {
    version: last('configuration'),
    assignmentGeneration: last('assignment_committed'),
    revocation: last('crl'),
    authorities: last('authority'),
  };
}

async function valuesOf(db: Kysely<Schema>): Promise<ReadonlyMap<string, string>> {
  const rows = await db.selectFrom('configuration').select(['name', 'value']).orderBy('name').execute();
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** Writes what differs, as one generation. @returns the generation that stands then */
async function put(
  db: Kysely<Schema>,
  standing: ReadonlyMap<string, string>,
  values: ReadonlyMap<string, string>,
  updated: number,
): Promise<number> {
  const differing = [...values].filter(([name, value]) => standing.get(name) !== value);
  if (differing.length === 0) return sequenceValue(db, 'configuration');
  const version = await raiseSequence(db, 'configuration');
  for (const [name, value] of differing) {
    if (standing.has(name)) {
      await db.updateTable('configuration').set({ value, updated }).where('name', '=', name).execute();
    } else {
      await db.insertInto('configuration').values({ name, value, updated }).execute();
    }
  }
  return version;
}

/** Hosts by the server that they prefer: most of them share a few. */
type HostsByPreferred = readonly (readonly [preferred: string | null, hostIds: readonly number[]])[];

function canaryRow({ changes, hosts, createdBy }: NewCanary) {
  if (hosts.size > CANARY_HOSTS) throw new RangeError(`${hosts.size} hosts; the limit is ${CANARY_HOSTS}`);
  const byPreferred = new Map<string | null, number[]>();
  for (const [id, preferred] of hosts) {
    const ids = byPreferred.get(preferred);
    if (ids === undefined) byPreferred.set(preferred, [id]);
    else ids.push(id);
  }
  return {
    changes: JSON.stringify([...changes]),
    hosts: JSON.stringify([...byPreferred] satisfies HostsByPreferred),
    created_by: createdBy,
    job: null,
  };
}

function canaryOf({ id, changes, hosts, created, created_by: createdBy, job }: Selectable<CanaryTable>): StoredCanary {
  // Both were written by `canaryRow`.
  const byPreferred = JSON.parse(hosts) as HostsByPreferred;
  return {
    id,
    changes: new Map(JSON.parse(changes) as readonly (readonly [string, string])[]),
    hosts: new Map(byPreferred.flatMap(([preferred, ids]) => ids.map(hostId => [hostId, preferred] as const))),
    created,
    createdBy,
    job,
  };
}
