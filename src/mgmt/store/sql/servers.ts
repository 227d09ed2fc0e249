import { type Kysely, type Selectable, sql } from 'kysely';
import type { JobRow } from '../job-store.js';
import { LINK_STATUS_KEPT_MS, type OrderedStateChange, type ServerRow, type ServerStore } from '../server-store.js';
import { compiledOnce } from './compiled.js';
import { failJobsOf, insertJob } from './jobs.js';
import type { Schema, ServerTable } from './schema.js';
import { raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

/** The servers' rows. Every moment in them is the store's, so that no server's clock can make another look dead. */
export function serverStore(transactions: Transactions): ServerStore {
  const { database, random } = transactions;
  const ownRow = compiledOnce((db, { msid }: { readonly msid: number }) =>
    database.locked(db.selectFrom('mshost').selectAll().where('msid', '=', msid)),
  );
  const lockedRow = async (db: Kysely<Schema>, msid: number) => (await ownRow(db, { msid })).rows[0];

  /** The port stays as it is when it is null. */
  const beat = compiledOnce((db, { msid, runId, joined, port }: Beat) =>
    db
      .updateTable('mshost')
      .set(eb => ({
        last_update: database.now(),
        beat: eb('beat', '+', 1),
        joined,
        service_port: eb.fn.coalesce(sql<number | null>`${port}`, 'service_port'),
      }))
      .where('msid', '=', msid)
      .where('runid', '=', runId)
      .where('removed', 'is', null),
  );

  const changeState = async (db: Kysely<Schema>, msid: number, change: OrderedStateChange) => {
    const { from, to, by, keepsBy = false, beat, runId, ifStopped } = change;
    if (from.length === 0) return false;
    const changed = await db
      .updateTable('mshost')
      .set(eb => ({
        state: ifStopped === undefined ? to : eb.case().when('runid', 'is', null).then(ifStopped).else(to).end(),
        ...(!keepsBy && { state_by: by ?? null }),
        state_since: database.now(),
      }))
      .where('msid', '=', msid)
      .where('state', 'in', from)
      .where('removed', 'is', null)
      .$if(beat !== undefined, query => query.where('beat', '=', beat ?? 0))
      .$if(runId !== undefined, query => query.where('runid', '=', runId ?? ''))
      .executeTakeFirst();
    return changed.numUpdatedRows > 0n;
  };

  return {
    claimServer: (server, { runId, dataDirToken, silentBeat, keepStates = [] }) =>
      transactions.write('claimServer', async db => {
        const former = await lockedRow(db, server.msid);
        const now = await database.storeTime(db);
        const isHeld =
          former !== undefined &&
          former.removed === null &&
          former.runid !== null &&
          former.data_dir_token !== dataDirToken &&
          former.beat !== silentBeat;
        if (isHeld) return { claimed: false as const, holder: serverOf(former) };
        const state = former !== undefined && keepStates.includes(former.state) ? former.state : 'Up';
        const isSame = former !== undefined && former.state === state;
        const row: Selectable<ServerTable> = {
          id: former?.id ?? (await raiseSequence(db, 'mshost')),
          uuid: former?.uuid ?? random.uuid(),
          msid: server.msid,
          runid: runId,
          data_dir_token: dataDirToken,
          name: server.name,
          version: server.version,
          service_ip: server.serviceIp,
          service_port: former?.service_port ?? null,
          os_distribution: server.osDistribution,
          kernel_version: server.kernelVersion,
          last_boot_time: server.lastBootTime,
          state,
          state_by: isSame ? former.state_by : null,
          state_since: isSame ? former.state_since : now,
          last_update: now,
          started: now,
          stopped: former?.stopped ?? null,
          created: former?.created ?? now,
          removed: null,
          beat: former?.beat ?? 0,
          joined: 0,
        };
        if (former === undefined) await db.insertInto('mshost').values(row).execute();
        else await db.updateTable('mshost').set(row).where('id', '=', row.id).execute();
        return { claimed: true as const, server: serverOf(row) };
      }),

    heartbeat: (msid, runId, port) =>
      transactions.write('heartbeat', async db => {
        const { affected } = await beat(db, { msid, runId, joined: port === undefined ? 0 : 1, port: port ?? null });
        const row = await lockedRow(db, msid);
        if (row === undefined || affected === 0) {
          return { kind: 'foreign' as const, holder: row && serverOf(row) };
        }
        return { kind: 'alive' as const, state: row.state };
      }),

    servers: () =>
      transactions.read('servers', async db => {
        const { rows } = await allServers(db, {});
        return rows.map(serverOf);
      }),

    changeServerState: (msid, change) => transactions.write('changeServerState', db => changeState(db, msid, change)),

    changeServerStateWithJobs: (msid, change, jobs) =>
      transactions.write('changeServerStateWithJobs', async db => {
        // Written first, by all such changes: of two at once, one waits for the other or is carried out anew, also when
        // they reach different nodes of a Galera cluster, where locks of rows that are only read do not count.
        const last = await raiseSequence(db, 'async_job', Math.max(1, jobs.length));
        const rows = await db.selectFrom('mshost').selectAll().where('removed', 'is', null).execute();
        const state = rows.find(row => row.msid === msid)?.state;
        const another = rows.find(row => row.msid !== msid && change.unlessAnotherIs?.includes(row.state));
        if (another !== undefined) {
          const { service_ip: serviceIp, state: itsState } = another;
          return { done: false as const, state, another: { serviceIp, state: itsState } };
        }
        if (!(await changeState(db, msid, change))) return { done: false as const, state, another: undefined };
        const now = await database.storeTime(db);
        const made: JobRow[] = [];
        for (const [i, job] of jobs.entries()) {
          made.push(await insertJob(db, job, { id: last - jobs.length + 1 + i, uuid: random.uuid(), now }));
        }
        return { done: true as const, jobs: made };
      }),

    stopServer: (msid, runId, at, keepStates = []) =>
      transactions.write('stopServer', async db => {
        const row = await lockedRow(db, msid);
        // The row says in which state it is: an operator may have changed it since the server read it last.
        const state = row !== undefined && keepStates.includes(row.state) ? 'Maintenance' : 'Down';
        const state_by = state === 'Maintenance' ? row?.state_by : null;
        const stopped = await db
          .updateTable('mshost')
          .set({ runid: null, stopped: at, joined: 0, state, state_by, state_since: database.now() })
          .where('msid', '=', msid)
          .where('runid', '=', runId)
          .executeTakeFirst();
        return stopped.numUpdatedRows > 0n;
      }),

    retireServer: (msid, beat) =>
      transactions.write('retireServer', async db => {
        const removed = await db
          .updateTable('mshost')
          .set({ removed: database.now(), runid: null, state: 'Down' as const, state_since: database.now() })
          .where('msid', '=', msid)
          .where('beat', '=', beat)
          .where('removed', 'is', null)
          .executeTakeFirst();
        return removed.numUpdatedRows > 0n;
      }),

    removeServer: (msid, jobOutcome) =>
      transactions.write('removeServer', async db => {
        const removed = await db
          .updateTable('mshost')
          .set({ removed: database.now(), runid: null })
          .where('msid', '=', msid)
          .where('state', '=', 'Down')
          .where('removed', 'is', null)
          .executeTakeFirst();
        if (removed.numUpdatedRows === 0n) return false;
        await db.deleteFrom('mshost_link').where('msid', '=', msid).execute();
        await failJobsOf(db, msid, { ...jobOutcome, keepPending: false, database });
        return true;
      }),

    putLinkStatus: (msid, at, packed) =>
      transactions.write('putLinkStatus', async db => {
        const values = { at, facts: packed, updated: database.now() };
        const now = await database.storeTime(db);
        await db
          .deleteFrom('mshost_link')
          .where('updated', '<', now - LINK_STATUS_KEPT_MS)
          .execute();
        const updated = await db.updateTable('mshost_link').set(values).where('msid', '=', msid).executeTakeFirst();
        if (updated.numUpdatedRows > 0n) return;
        await db
          .insertInto('mshost_link')
          .values({ msid, ...values })
          .execute();
      }),

    linkStatus: (known = []) =>
      transactions.read('linkStatus', async db => {
        const rows = await db.selectFrom('mshost_link').select(['msid', 'at', 'updated']).orderBy('msid').execute();
        const knownAt = new Map(known.map(({ msid, updated }) => [msid, updated]));
        const news = rows.filter(({ msid, updated }) => knownAt.get(msid) !== updated).map(({ msid }) => msid);
        const packed = new Map<number, Uint8Array>();
        if (news.length > 0) {
          const query = db.selectFrom('mshost_link').select(['msid', 'facts']).where('msid', 'in', news);
          for (const { msid, facts } of await query.execute()) packed.set(msid, facts);
        }
        const now = await database.storeTime(db);
        return rows.map(row => ({ ...row, ageMs: ageOf(row.updated, now), packed: packed.get(row.msid) }));
      }),
  };
}

interface Beat {
  readonly msid: number;
  readonly runId: string;
  readonly joined: 0 | 1;
  readonly port: number | null;
}

const allServers = compiledOnce(db => db.selectFrom('mshost').selectAll().where('removed', 'is', null).orderBy('id'));

function serverOf(row: Selectable<ServerTable>): ServerRow {
  return {
    id: row.id,
    uuid: row.uuid,
    msid: row.msid,
    name: row.name,
    version: row.version,
    serviceIp: row.service_ip,
    osDistribution: row.os_distribution,
    kernelVersion: row.kernel_version,
    lastBootTime: row.last_boot_time,
    runId: row.runid,
    state: row.state,
    stateBy: row.state_by,
    stateSince: row.state_since,
    lastUpdate: row.last_update,
    started: row.started,
    stopped: row.stopped,
    created: row.created,
    beat: row.beat,
    joined: row.joined === 1,
    servicePort: row.service_port,
  };
}

/** The nodes of a cluster may differ by some milliseconds; nothing is younger than new. */
function ageOf(moment: number, now: number): number {
  return Math.max(0, now - moment);
}
