import { type CreateTableBuilder, type Kysely, sql } from 'kysely';
import type { SchemaDialect } from '../database.js';
import type { Schema } from '../schema.js';

/**
 * One step of the schema. Steps only expand it within a minor version, and may be carried out again after a crash in
 * their midst: MariaDB commits each CREATE on its own, so every statement says IF NOT EXISTS, or looks before.
 */
export interface Migration {
  /** 1, 2, 3 … without gaps. */
  readonly number: number;
  readonly name: string;
  /** The first version of Muster that knows this migration; older ones are told to become it. */
  readonly since: string;
  up(db: Kysely<Schema>, dialect: SchemaDialect): Promise<void>;
}

/** Applied ones are never edited. */
export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'hosts, zones, configuration, secrets',
    since: '0.1.0',
    async up({ schema }) {
      await schema
        .createTable('configuration')
        .ifNotExists()
        .addColumn('name', 'varchar(255)', column => column.primaryKey())
        .addColumn('value', 'text', column => column.notNull())
        .addColumn('updated', 'bigint', column => column.notNull())
        .execute();
      // Not AUTO_INCREMENT: Galera interleaves it, and SQLite may give a removed row's id again.
      await schema
        .createTable('sequence')
        .ifNotExists()
        .addColumn('name', 'varchar(64)', column => column.primaryKey())
        .addColumn('value', 'bigint', column => column.notNull())
        .execute();
      await schema
        .createTable('data_center')
        .ifNotExists()
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('name', 'varchar(255)', column => column.notNull().unique())
        .execute();
      // The foreign key stands on its own: MySQL parses one that is written in the column, and ignores it.
      await schema
        .createTable('host')
        .ifNotExists()
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('guid', 'varchar(255)', column => column.unique())
        .addColumn('name', 'varchar(255)', column => column.notNull())
        .addColumn('type', 'varchar(32)', column => column.notNull())
        .addColumn('status', 'varchar(32)', column => column.notNull())
        .addColumn('data_center_id', 'bigint', column => column.notNull())
        .addColumn('pod', 'varchar(255)')
        .addColumn('cluster', 'varchar(255)')
        .addColumn('private_ip_address', 'varchar(40)')
        .addColumn('version', 'varchar(255)')
        .addColumn('hypervisor_type', 'varchar(32)')
        .addColumn('arch', 'varchar(32)')
        .addColumn('cpus', 'bigint')
        .addColumn('speed', 'bigint')
        .addColumn('ram', 'bigint')
        .addColumn('mgmt_server_id', 'bigint')
        .addColumn('epoch', 'bigint', column => column.notNull())
        .addColumn('ms_host_list', 'text')
        .addColumn('last_ping', 'bigint')
        .addColumn('disconnected', 'bigint')
        .addColumn('disconnect_reason', 'text')
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('removed', 'bigint')
        .addForeignKeyConstraint('fk_host__data_center_id', ['data_center_id'], 'data_center', ['id'])
        .execute();
      await schema
        .createTable('secret')
        .ifNotExists()
        .addColumn('name', 'varchar(255)', column => column.primaryKey())
        .addColumn('value', 'blob', column => column.notNull())
        .execute();
    },
  },
  {
    number: 2,
    name: 'servers, jobs, events, clusters, changed hosts',
    since: '0.1.0',
    async up(db, dialect) {
      const create = (table: string) => db.schema.createTable(table).ifNotExists();
      await withZoneColumns(create('host_pod_ref'))
        .addColumn('data_center_id', 'bigint', column => column.notNull())
        .addUniqueConstraint('uc_host_pod_ref__name', ['data_center_id', 'name'])
        .execute();
      await withZoneColumns(create('cluster'))
        .addColumn('data_center_id', 'bigint', column => column.notNull())
        .addColumn('pod_id', 'bigint', column => column.notNull())
        .addColumn('lb_check_interval', 'bigint')
        .addUniqueConstraint('uc_cluster__name', ['pod_id', 'name'])
        .execute();

      const addColumns = async (...names: (readonly [name: string, type: 'bigint' | 'varchar(255)'])[]) => {
        for (const [name, type] of names) {
          if (!(await dialect.hasColumn(db, 'host', name))) {
            await db.schema.alterTable('host').addColumn(name, type).execute();
          }
        }
      };
      await addColumns(
        ['pod_id', 'bigint'],
        ['cluster_id', 'bigint'],
        ['sockets', 'bigint'],
        ['last_mgmt_server_id', 'bigint'],
        ['configuration_version', 'bigint'],
        ['preferred', 'varchar(255)'],
        ['removed_guid', 'varchar(255)'],
      );
      if (!(await dialect.hasColumn(db, 'host', 'resource_state'))) {
        await db.schema
          .alterTable('host')
          .addColumn('resource_state', 'varchar(32)', column => column.notNull().defaultTo('Enabled'))
          .execute();
      }
      if (!(await dialect.hasColumn(db, 'host', 'changed'))) {
        await db.schema
          .alterTable('host')
          .addColumn('changed', 'bigint', column => column.notNull().defaultTo(0))
          .execute();
      }

      await create('mshost')
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('msid', 'bigint', column => column.notNull().unique())
        .addColumn('runid', 'varchar(64)')
        .addColumn('data_dir_token', 'varchar(64)', column => column.notNull())
        .addColumn('name', 'varchar(255)', column => column.notNull())
        .addColumn('version', 'varchar(255)', column => column.notNull())
        .addColumn('service_ip', 'varchar(255)', column => column.notNull())
        .addColumn('os_distribution', 'varchar(255)')
        .addColumn('kernel_version', 'varchar(255)')
        .addColumn('last_boot_time', 'bigint')
        .addColumn('state', 'varchar(32)', column => column.notNull())
        .addColumn('state_by', 'varchar(255)')
        .addColumn('state_since', 'bigint', column => column.notNull())
        .addColumn('last_update', 'bigint', column => column.notNull())
        .addColumn('started', 'bigint')
        .addColumn('stopped', 'bigint')
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('removed', 'bigint')
        .execute();
      await create('mshost_link')
        .addColumn('msid', 'bigint', column => column.primaryKey())
        .addColumn('at', 'bigint', column => column.notNull())
        .addColumn('updated', 'bigint', column => column.notNull())
        // MySQL's blob ends at 64 KiB; for SQLite the word BLOB in it is what counts.
        .addColumn('facts', sql`longblob`, column => column.notNull())
        .execute();
      await create('async_job')
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('cmd', 'varchar(255)', column => column.notNull())
        .addColumn('params', sql`mediumtext`, column => column.notNull())
        .addColumn('target_msid', 'bigint')
        .addColumn('host_id', 'bigint')
        .addColumn('created_by', 'varchar(255)')
        .addColumn('status', 'varchar(32)', column => column.notNull())
        .addColumn('runner_msid', 'bigint')
        .addColumn('progress', 'text')
        .addColumn('result_code', 'bigint')
        .addColumn('result', sql`mediumtext`)
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('started', 'bigint')
        .addColumn('completed', 'bigint')
        .execute();
      await create('event')
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('type', 'varchar(255)', column => column.notNull())
        .addColumn('level', 'varchar(32)', column => column.notNull())
        .addColumn('description', 'text', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('resource_type', 'varchar(255)')
        .addColumn('resource_id', 'varchar(255)')
        .addColumn('msid', 'bigint')
        .execute();

      await addIndexes(db, dialect, INDEXES_2);
    },
  },
  {
    number: 3,
    name: 'heartbeat counters, assignments by generation, identity of links, jobs that expire',
    since: '0.1.0',
    async up(db, dialect) {
      for (const [table, column, type] of COLUMNS_3) {
        if (await dialect.hasColumn(db, table, column)) continue;
        const isFlag = type === 'counter';
        await db.schema
          .alterTable(table)
          .addColumn(column, isFlag ? 'bigint' : type, built => (isFlag ? built.notNull().defaultTo(0) : built))
          .execute();
      }
      await addIndexes(db, dialect, INDEXES_3);
      for (const [table, name] of NO_INDEXES_3) {
        if (await dialect.hasIndex(db, table, name)) await dialect.dropIndex(db, table, name);
      }
    },
  },
  {
    number: 4,
    name: 'hosts by name, removed guids',
    since: '0.1.0',
    async up(db, dialect) {
      await addIndexes(db, dialect, INDEXES_4);
      for (const [table, name] of NO_INDEXES_4) {
        if (await dialect.hasIndex(db, table, name)) await dialect.dropIndex(db, table, name);
      }
    },
  },
  {
    number: 5,
    name: 'API keys, who asked for what events tell',
    since: '0.1.0',
    async up(db, dialect) {
      await db.schema
        .createTable('api_key')
        .ifNotExists()
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('name', 'varchar(255)', column => column.notNull().unique())
        .addColumn('role', 'varchar(32)', column => column.notNull())
        .addColumn('api_key', 'varchar(255)', column => column.notNull().unique())
        .addColumn('secret', 'varchar(255)', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('created_by', 'varchar(255)')
        .execute();
      if (!(await dialect.hasColumn(db, 'event', 'username'))) {
        await db.schema.alterTable('event').addColumn('username', 'varchar(255)').execute();
      }
    },
  },
  {
    number: 6,
    name: 'certificates, revocations, enrolment',
    since: '0.1.0',
    async up(db, dialect) {
      const create = (table: string) => db.schema.createTable(table).ifNotExists();
      await create('certificate')
        .addColumn('serial', 'varchar(64)', column => column.primaryKey())
        .addColumn('kind', 'varchar(16)', column => column.notNull())
        .addColumn('host_id', 'bigint')
        .addColumn('guid', 'varchar(255)')
        .addColumn('cn', 'varchar(255)', column => column.notNull())
        .addColumn('key_fingerprint', 'varchar(64)', column => column.notNull())
        .addColumn('issuer_fingerprint', 'varchar(64)', column => column.notNull())
        .addColumn('not_before', 'bigint', column => column.notNull())
        .addColumn('not_after', 'bigint', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('installed', 'bigint')
        .execute();
      await create('crl')
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('serial', 'varchar(64)', column => column.notNull().unique())
        .addColumn('cn', 'varchar(255)')
        .addColumn('revoker', 'varchar(255)')
        .addColumn('revoked', 'bigint', column => column.notNull())
        .execute();
      await create('certificate_guid')
        .addColumn('fingerprint', 'varchar(64)', column => column.primaryKey())
        .addColumn('guid', 'varchar(255)', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .execute();
      await create('enrollment_token')
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('hash', 'varchar(64)', column => column.notNull().unique())
        .addColumn('zone', 'varchar(255)')
        .addColumn('cluster', 'varchar(255)')
        .addColumn('guid', 'varchar(255)')
        .addColumn('uses', 'bigint', column => column.notNull())
        .addColumn('used', 'bigint', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('expires', 'bigint', column => column.notNull())
        .addColumn('created_by', 'varchar(255)')
        .addColumn('removed', 'bigint')
        .execute();
      await create('enrollment_use')
        .addColumn('token_id', 'bigint', column => column.notNull())
        .addColumn('guid', 'varchar(255)', column => column.notNull())
        .addColumn('key_fingerprint', 'varchar(64)', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .addPrimaryKeyConstraint('pk_enrollment_use', ['token_id', 'guid', 'key_fingerprint'])
        .execute();
      await addIndexes(db, dialect, INDEXES_6);
    },
  },
  {
    number: 7,
    name: 'agents need certificates in new stores alone',
    since: '0.1.0',
    async up(db) {
      // Without a value agents need certificates. Those that are there have none yet. A store without servers and hosts is
      // one that was only just made.
      const isInUse =
        (await db.selectFrom('mshost').select('id').limit(1).executeTakeFirst()) !== undefined ||
        (await db.selectFrom('host').select('id').limit(1).executeTakeFirst()) !== undefined;
      if (!isInUse) return;
      const name = 'ca.plugin.root.auth.strictness';
      const standing = await db.selectFrom('configuration').select('name').where('name', '=', name).executeTakeFirst();
      if (standing !== undefined) return;
      await db.insertInto('configuration').values({ name, value: 'false', updated: 0 }).execute();
    },
  },
  {
    number: 8,
    name: 'CAs that follow each other',
    since: '0.1.0',
    async up(db, dialect) {
      await db.schema
        .createTable('authority')
        .ifNotExists()
        .addColumn('fingerprint', 'varchar(64)', column => column.primaryKey())
        .addColumn('chain', 'text', column => column.notNull())
        .addColumn('cross_certificate', 'text')
        .addColumn('state', 'varchar(16)', column => column.notNull())
        .addColumn('secret', 'varchar(255)')
        .addColumn('generation', 'bigint', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('changed', 'bigint', column => column.notNull())
        .execute();
      if (!(await dialect.hasColumn(db, 'certificate', 'bundle'))) {
        await db.schema
          .alterTable('certificate')
          .addColumn('bundle', 'bigint', column => column.notNull().defaultTo(0))
          .execute();
      }
    },
  },
  {
    number: 9,
    name: 'where servers reach each other',
    since: '0.1.0',
    async up(db, dialect) {
      if (await dialect.hasColumn(db, 'mshost', 'service_port')) return;
      await db.schema.alterTable('mshost').addColumn('service_port', 'bigint').execute();
    },
  },
  {
    number: 10,
    name: 'commands for many hosts',
    since: '0.1.0',
    async up(db, dialect) {
      await db.schema
        .createTable('command_job')
        .ifNotExists()
        .addColumn('job_id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('job_key', 'varchar(255)', column => column.unique())
        .addColumn('digest', 'varchar(64)', column => column.notNull())
        .addColumn('total', 'bigint', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .execute();
      await db.schema
        .createTable('command')
        .ifNotExists()
        .addColumn('job_id', 'bigint', column => column.notNull())
        .addColumn('ordinal', 'bigint', column => column.notNull())
        .addColumn('host_id', 'bigint', column => column.notNull())
        .addColumn('state', 'varchar(16)', column => column.notNull())
        .addColumn('is_good', 'bigint')
        .addColumn('reason', 'text')
        .addColumn('answers', sql`mediumtext`)
        .addColumn('is_truncated', 'bigint', column => column.notNull())
        .addColumn('duration_ms', 'bigint')
        .addColumn('msid', 'bigint')
        .addPrimaryKeyConstraint('pk_command', ['job_id', 'ordinal'])
        .addUniqueConstraint('uc_command__host_id', ['job_id', 'host_id'])
        .execute();
      await addIndexes(db, dialect, INDEXES_10);
      if (!(await dialect.hasColumn(db, 'async_job', 'is_resumable'))) {
        await db.schema
          .alterTable('async_job')
          .addColumn('is_resumable', 'bigint', column => column.notNull().defaultTo(0))
          .execute();
      }
    },
  },
  {
    number: 11,
    name: 'tags and annotations of hosts',
    since: '0.1.0',
    async up(db, dialect) {
      for (const column of ['implicit_tags', 'explicit_tags', 'annotation']) {
        if (await dialect.hasColumn(db, 'host', column)) continue;
        await db.schema.alterTable('host').addColumn(column, 'text').execute();
      }
      await db.schema
        .createTable('host_tag')
        .ifNotExists()
        .addColumn('tag', 'varchar(64)', column => column.notNull())
        .addColumn('host_id', 'bigint', column => column.notNull())
        .addPrimaryKeyConstraint('pk_host_tag', ['tag', 'host_id'])
        .execute();
      await addIndexes(db, dialect, INDEXES_11);
    },
  },
  {
    number: 12,
    name: 'requests of the API that are good once',
    since: '0.1.0',
    async up(db, dialect) {
      await db.schema
        .createTable('api_request')
        .ifNotExists()
        .addColumn('digest', 'varchar(64)', column => column.primaryKey())
        .addColumn('expires', 'bigint', column => column.notNull())
        .execute();
      await addIndexes(db, dialect, [['api_request', 'i_api_request__expires', ['expires']]]);
    },
  },
  {
    number: 13,
    name: 'where hosts were, and why they went',
    since: '0.1.0',
    async up(db, dialect) {
      await db.schema
        .createTable('host_move')
        .ifNotExists()
        .addColumn('host_id', 'bigint', column => column.notNull())
        .addColumn('epoch', 'bigint', column => column.notNull())
        .addColumn('is_loss', 'bigint', column => column.notNull())
        .addColumn('at', 'bigint', column => column.notNull())
        .addColumn('from_msid', 'bigint')
        .addColumn('to_msid', 'bigint')
        .addColumn('kind', 'varchar(16)', column => column.notNull())
        .addColumn('cause', 'varchar(32)', column => column.notNull())
        .addColumn('gap_ms', 'bigint')
        .addPrimaryKeyConstraint('pk_host_move', ['host_id', 'epoch', 'is_loss'])
        .execute();
      await addIndexes(db, dialect, INDEXES_13);
    },
  },
  {
    number: 14,
    name: 'alerts',
    since: '0.1.0',
    async up(db, dialect) {
      await db.schema
        .createTable('alert')
        .ifNotExists()
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
        .addColumn('subject', 'varchar(255)', column => column.notNull())
        .addColumn('open_subject', 'varchar(255)', column => column.unique())
        .addColumn('type', 'bigint', column => column.notNull())
        .addColumn('name', 'varchar(64)', column => column.notNull())
        .addColumn('description', 'text', column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('cleared', 'bigint')
        .addColumn('notice', 'varchar(16)')
        .addColumn('taken_until', 'bigint')
        .addColumn('attempts', 'bigint', column => column.notNull())
        .execute();
      await addIndexes(db, dialect, INDEXES_14);
    },
  },
  {
    number: 15,
    name: 'canaries',
    since: '0.1.0',
    async up(db) {
      await db.schema
        .createTable('canary')
        .ifNotExists()
        .addColumn('id', 'bigint', column => column.primaryKey())
        .addColumn('changes', 'text', column => column.notNull())
        .addColumn('hosts', sql`mediumtext`, column => column.notNull())
        .addColumn('created', 'bigint', column => column.notNull())
        .addColumn('created_by', 'varchar(255)', column => column.notNull())
        .addColumn('job', 'varchar(40)')
        .execute();
    },
  },
  {
    number: 16,
    name: 'numbers of links',
    since: '0.1.0',
    async up(db, dialect) {
      if (await dialect.hasColumn(db, 'host', 'link_number')) return;
      await db.schema.alterTable('host').addColumn('link_number', 'bigint').execute();
    },
  },
  {
    number: 17,
    name: 'webhooks that have a notice',
    since: '0.1.0',
    async up(db, dialect) {
      if (await dialect.hasColumn(db, 'alert', 'reached')) return;
      await db.schema.alterTable('alert').addColumn('reached', 'text').execute();
    },
  },
];

/** Of migration 14: what is to be told, and what is over. */
const INDEXES_14 = [
  ['alert', 'i_alert__notice', ['notice', 'id']],
  ['alert', 'i_alert__cleared', ['cleared', 'id']],
] as const;

/** Of migration 13: all moves by time. Those of one host are few, and have its id first. */
const INDEXES_13 = [['host_move', 'i_host_move__at', ['at', 'host_id', 'epoch', 'is_loss']]] as const;

/** Of migration 10: what of a job is still to be done. */
const INDEXES_10 = [['command', 'i_command__state', ['job_id', 'state', 'ordinal']]] as const;
/** Of migration 11: the hosts of a cluster are read by ascending id. */
const INDEXES_11 = [['host', 'i_host__cluster_by_id', ['cluster_id', 'removed', 'id']]] as const;

/** Of migration 6: the certificates of a host, and those that have ended. */
const INDEXES_6 = [
  ['certificate', 'i_certificate__host_id', ['host_id', 'created']],
  ['certificate', 'i_certificate__not_after', ['not_after']],
  ['enrollment_token', 'i_enrollment_token__expires', ['expires']],
] as const;

/** Of migration 4: hosts are listed by name, and the guid of a removed host is looked up when it comes back. */
const INDEXES_4 = [
  ['host', 'i_host__all_by_name', ['removed', 'name', 'id']],
  ['host', 'i_host__zone_by_name', ['data_center_id', 'removed', 'name', 'id']],
  ['host', 'i_host__cluster_by_name', ['cluster_id', 'removed', 'name', 'id']],
  ['host', 'i_host__status_by_name', ['status', 'removed', 'name', 'id']],
  ['host', 'i_host__removed_guid', ['removed_guid', 'id']],
] as const;

/** What migration 4 makes superfluous: nothing else is read by cluster or status. */
const NO_INDEXES_4 = [
  ['host', 'i_host__cluster_id'],
  ['host', 'i_host__status'],
] as const;

/** Of migration 3. A counter is never null, and starts at 0. */
const COLUMNS_3 = [
  // Raised by each heartbeat: others see by its change that the server lives, whatever any clock says.
  ['mshost', 'beat', 'counter'],
  // 1 while the server serves agents: it has joined, has read the hosts, and its agents' port is bound.
  ['mshost', 'joined', 'counter'],
  // An assignment that counts once the generation that it belongs to is committed.
  ['host', 'next_preferred', 'varchar(255)'],
  ['host', 'next_generation', 'bigint'],
  // Of the agent process and the link that became Ready last.
  ['host', 'instance_id', 'varchar(64)'],
  ['host', 'link_address', 'varchar(64)'],
  // By the store's clock: a job that was not started by then is not carried out.
  ['async_job', 'expires', 'bigint'],
] as const;

/** Of migration 3: finds assignments that are not committed, and the hosts that a server had last. */
const INDEXES_3 = [
  ['host', 'i_host__next_generation', ['next_generation']],
  ['host', 'i_host__last_agents', ['last_mgmt_server_id', 'mgmt_server_id', 'id']],
] as const;

/** What migration 3 makes superfluous. */
const NO_INDEXES_3 = [
  ['host', 'i_host__last_mgmt_server_id'],
  ['host', 'i_host__preferred'],
] as const;

type Index = readonly [table: string, name: string, columns: readonly string[]];

async function addIndexes(db: Kysely<Schema>, dialect: SchemaDialect, indexes: readonly Index[]): Promise<void> {
  for (const [table, name, columns] of indexes) {
    if (await dialect.hasIndex(db, table, name)) continue;
    await db.schema
      .createIndex(name)
      .on(table)
      .columns([...columns])
      .execute();
  }
}

/** The columns that the tables of zones, pods and clusters begin with. */
function withZoneColumns(table: CreateTableBuilder<string, never>) {
  return table
    .addColumn('id', 'bigint', column => column.primaryKey())
    .addColumn('uuid', 'varchar(40)', column => column.notNull().unique())
    .addColumn('name', 'varchar(255)', column => column.notNull());
}

/**
 * Of migration 2. A Ready writes two or three entries of them, in `changed`, the owner and the status; the others stand
 * still. Each ends in what its readers sort by.
 */
const INDEXES_2 = [
  ['host', 'i_host__removed', ['removed', 'id']],
  ['host', 'i_host__data_center_id', ['data_center_id', 'removed', 'id']],
  ['host', 'i_host__cluster_id', ['cluster_id', 'removed', 'id']],
  ['host', 'i_host__status', ['status', 'removed', 'id']],
  ['host', 'i_host__mgmt_server_id', ['mgmt_server_id', 'removed', 'id']],
  ['host', 'i_host__last_mgmt_server_id', ['last_mgmt_server_id', 'id']],
  ['host', 'i_host__name', ['name', 'removed', 'id']],
  ['host', 'i_host__preferred', ['removed', 'preferred']],
  ['host', 'i_host__changed', ['changed', 'id']],
  ['async_job', 'i_async_job__status', ['status', 'target_msid', 'id']],
  ['event', 'i_event__created', ['created']],
  ['event', 'i_event__resource', ['resource_id', 'id']],
] as const;
