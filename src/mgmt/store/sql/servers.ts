import type { Kysely, Selectable } from 'kysely';
import type { ServerRow, ServerStore } from '../server-store.js';
import type { Schema, ServerTable } from './schema.js';
import { raiseSequence } from './sequence.js';
import type { Transactions } from './transactions.js';

/** The servers' rows. Every moment in them is the store's, so that no server's clock can make another look dead. */
export function serverStore(transactions: Transactions): ServerStore {
  const { database, random } = transactions;
  const rowOf = async (db: Kysely<Schema>, msid: number) => {
    const query = db.selectFrom('mshost').selectAll().where('msid', '=', msid);
    const row = await database.locked(query).executeTakeFirst();
    return { row, now: await database.storeTime(db) };
  };

  return {
    claimServer: (facts, { runId, dataDirToken, silentBeat, keepStates = [] }) =>
      transactions.write('claimServer', async db => {
        const { row: former, now } = await rowOf(db, facts.msid);
        const isHeld =
          former !== undefined &&
          former.removed === null &&
          former.runid !== null &&
          former.data_dir_token !== dataDirToken &&
          former.beat !== silentBeat;
        if (isHeld) return { claimed: false as const, holder: serverOf(former, now) };
        const state = former !== undefined && keepStates.includes(former.state) ? former.state : 'Up';
        const isSame = former !== undefined && former.state === state;
        const row: Selectable<ServerTable> = {
          id: former?.id ?? (await raiseSequence(db, 'mshost')),
          uuid: former?.uuid ?? random.uuid(),
          msid: facts.msid,
          runid: runId,
          data_dir_token: dataDirToken,
          name: facts.name,
          version: facts.version,
          service_ip: facts.serviceIp,
          os_distribution: facts.osDistribution,
          kernel_version: facts.kernelVersion,
          last_boot_time: facts.lastBootTime,
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
        await db
          .updateTable('mshost')
          .set({ removed: now, runid: null, state: 'Down' as const })
          .where('service_ip', '=', facts.serviceIp)
          .where('msid', '!=', facts.msid)
          .where('removed', 'is', null)
          .where(eb => eb.or([eb('runid', 'is', null), eb('state', '=', 'Down')]))
          .execute();
        return { claimed: true as const, server: serverOf(row, now), formerState: former?.state };
      }),

    heartbeat: (msid, runId, joined) =>
      transactions.write('heartbeat', async db => {
        const beaten = await db
          .updateTable('mshost')
          .set(eb => ({ last_update: database.now(), beat: eb('beat', '+', 1), joined: joined ? 1 : 0 }))
          .where('msid', '=', msid)
          .where('runid', '=', runId)
          .where('removed', 'is', null)
          .executeTakeFirst();
        const { row, now } = await rowOf(db, msid);
        if (row === undefined || beaten.numUpdatedRows === 0n) {
          return { kind: 'foreign' as const, holder: row && serverOf(row, now) };
        }
        return { kind: 'alive' as const, state: row.state };
      }),

    servers: () =>
      transactions.read('servers', async db => {
        const rows = await db.selectFrom('mshost').selectAll().where('removed', 'is', null).orderBy('id').execute();
        const now = await database.storeTime(db);
        return rows.map(row => serverOf(row, now));
      }),

    changeServerState: (msid, { from, to, by, beat, runId }) =>
      transactions.write('changeServerState', async db => {
        if (from.length === 0) return false;
        const changed = await db
          .updateTable('mshost')
          .set({ state: to, state_by: by ?? null, state_since: database.now() })
          .where('msid', '=', msid)
          .where('state', 'in', from)
          .where('removed', 'is', null)
          .$if(beat !== undefined, query => query.where('beat', '=', beat ?? 0))
          .$if(runId !== undefined, query => query.where('runid', '=', runId ?? ''))
          .executeTakeFirst();
        return changed.numUpdatedRows > 0n;
      }),

    stopServer: (msid, runId, at, kept) =>
      transactions.write('stopServer', async db => {
        const { row } = await rowOf(db, msid);
        const state = row !== undefined && kept?.from.includes(row.state) ? kept.to : 'Down';
        const stopped = await db
          .updateTable('mshost')
          .set({ runid: null, stopped: at, joined: 0, state, state_by: null, state_since: database.now() })
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

    putLinkFacts: (msid, at, facts) =>
      transactions.write('putLinkFacts', async db => {
        const values = { at, facts, updated: database.now() };
        const updated = await db.updateTable('mshost_link').set(values).where('msid', '=', msid).executeTakeFirst();
        if (updated.numUpdatedRows > 0n) return;
        await db
          .insertInto('mshost_link')
          .values({ msid, ...values })
          .execute();
      }),

    linkFacts: () =>
      transactions.read('linkFacts', async db => {
        const rows = await db.selectFrom('mshost_link').selectAll().orderBy('msid').execute();
        const now = await database.storeTime(db);
        return rows.map(({ msid, at, updated, facts }) => ({ msid, at, facts, ageMs: ageOf(updated, now) }));
      }),
  };
}

function serverOf(row: Selectable<ServerTable>, now: number): ServerRow {
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
    ageMs: ageOf(row.last_update, now),
    started: row.started,
    stopped: row.stopped,
    created: row.created,
    beat: row.beat,
    joined: row.joined === 1,
  };
}

/** The nodes of a cluster may differ by some milliseconds; nothing is younger than new. */
function ageOf(moment: number, now: number): number {
  return Math.max(0, now - moment);
}
