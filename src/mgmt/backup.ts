import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, codeOf, reasonOf } from '../lib/errors.js';
import { writeFileAtomic } from '../lib/files/atomic-file.js';
import { VERSION } from '../lib/version.js';
import { IDENTITY_FILES } from './cluster/data-dir.js';
import type { MgmtSettings } from './config/settings.js';
import { copyDatabase, defaultSealingKey } from './open-store.js';

/** On the command line of `mgmt`. */
export const BACKUP_TO = 'backup.to';

const DATABASE_COPY = 'muster.db';

interface BackupParts {
  readonly settings: MgmtSettings;
  /** The path of mgmt.properties, which need not be there. */
  readonly file: string;
  readonly at: Date;
}

/**
 * Copies into a new folder, for this user only, what a server cannot be made again without: the database (SQLite), the key of
 * its secrets, the settings and the files that they name, and the identity in `data.dir`. The server may run meanwhile.
 * docs/backup.md has the way back.
 * @returns lines for the operator
 * @throws ConfigError, FatalError STORE_UNUSABLE, FileError; nothing of the folder stays then
 */
export async function backUp(folder: string, { settings, file, at }: BackupParts): Promise<string> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const reason = codeOf(error) === 'EEXIST' ? 'it is there already: a new folder is needed' : reasonOf(error);
    throw new ConfigError(BACKUP_TO, folder, reason, { cause: error });
  }
  try {
    const hasDatabase = await copyDatabase(settings.dbUrl, join(folder, DATABASE_COPY));
    const copied = hasDatabase ? [DATABASE_COPY] : [];
    for (const { name, path, setting } of filesOf(settings, file)) {
      const bytes = await contentOf(path, setting);
      if (bytes === undefined) continue;
      await writeFileAtomic(join(folder, name), bytes, { mode: 0o600 });
      copied.push(name);
    }
    // Last: without it, the folder is no whole backup.
    const about = { version: VERSION, at: at.toISOString(), files: copied };
    await writeFileAtomic(join(folder, 'backup.json'), `${JSON.stringify(about, null, 2)}\n`, { mode: 0o600 });
    return `${[`${folder} has ${copied.join(', ')}`, ...(hasDatabase ? [] : WITHOUT_DATABASE)].join('\n')}\n`;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

const WITHOUT_DATABASE = [
  'The database is not in it: mariadb-dump --single-transaction copies that. Its secrets are sealed under the password in',
  'db.url or db.password.file, or under key.file: keep what is in this folder with the copy, and apart from it.',
];

interface BackedUpFile {
  /** In the folder of the backup. */
  readonly name: string;
  readonly path: string;
  /** That names the path: then there has to be such a file. */
  readonly setting?: string;
}

function filesOf(settings: MgmtSettings, file: string): readonly BackedUpFile[] {
  const { keyFile, dbUrl, dbPasswordFile, tls, ca, apiTls, dataDir } = settings;
  const byDefault = defaultSealingKey(dbUrl);
  const named: readonly (readonly [setting: string, path: string | undefined])[] = [
    ['key.file', keyFile ?? ('file' in byDefault ? byDefault.file : undefined)],
    ['db.password.file', dbPasswordFile],
    ['tls.cert', tls?.certFile],
    ['tls.key', tls?.keyFile],
    ['tls.ca', tls?.caFile],
    ['ca.cert', ca?.certFile],
    ['ca.key', ca?.keyFile],
    ...(typeof apiTls === 'string'
      ? []
      : ([
          ['api.tls.cert', apiTls.certFile],
          ['api.tls.key', apiTls.keyFile],
        ] as const)),
  ];
  return [
    { name: 'mgmt.properties', path: file },
    ...IDENTITY_FILES.map(name => ({ name, path: join(dataDir, name) })),
    ...named.flatMap(([setting, path]) => (path === undefined ? [] : [{ name: setting, path, setting }])),
  ];
}

async function contentOf(path: string, setting: string | undefined): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (setting === undefined && codeOf(error) === 'ENOENT') return undefined;
    throw new ConfigError(setting ?? 'FILE', path, reasonOf(error), { cause: error });
  }
}
