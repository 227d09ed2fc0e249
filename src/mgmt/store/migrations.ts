import type { Kysely } from 'kysely';
import type { Schema } from './schema.js';

/**
 * One step of the schema. Steps only expand it within a minor version, and may be carried out again after a crash in
 * their midst: MariaDB commits each CREATE on its own, so every statement says IF NOT EXISTS.
 */
export interface Migration {
  /** 1, 2, 3 … without gaps. */
  readonly number: number;
  readonly name: string;
  /** The first version of Muster that knows this migration; older ones are told to become it. */
  readonly since: string;
  up(db: Kysely<Schema>): Promise<void>;
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
];
