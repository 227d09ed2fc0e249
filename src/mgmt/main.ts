import { systemClock } from '../lib/clock.js';
import { FatalError } from '../lib/errors.js';
import { silentLog } from '../lib/logger.js';
import type { Program } from '../program/entry.js';
import { BACKUP_TO, backUp } from './backup.js';
import { PARAMETERS } from './config/parameters.js';
import { type MgmtSettings, SETTING_HELP } from './config/settings.js';
import { readMgmtFile } from './mgmt-file.js';
import { dbUrlOf, openStore } from './open-store.js';
import { RESEAL_FROM, resealFrom } from './secret-keys.js';
import { StoreError } from './store/store-error.js';

export const summary: Program['summary'] =
  'A management server: agents register with it, and get their list of management servers from it.';

/** Each key with its meaning, for `--help`. */
export const settings: Program['settings'] = [
  ...SETTING_HELP,
  [
    RESEAL_FROM,
    'on the command line only: a file with the former key, or the former password of db.url; seals the secrets in the store anew, and ends',
  ],
  [BACKUP_TO, 'on the command line only: a folder that is to be made, for a backup of this server; makes it, and ends'],
  ...Object.entries(PARAMETERS).map(
    ([name, { description, unit }]) => [name, `${description}${unit ? ` (${unit})` : ''}; initial value`] as const,
  ),
];

export const start: Program['start'] = async ({ file, defaultFile, settings: given }, die, stopping) => {
  const formerFile = given.get(RESEAL_FROM);
  const backupFolder = given.get(BACKUP_TO);
  const overrides = Object.fromEntries([...given].filter(([key]) => key !== RESEAL_FROM && key !== BACKUP_TO));
  const options = { file: file ?? defaultFile, fileMustExist: file !== undefined, overrides };
  // A mistake in it is told before a thousand modules are loaded.
  const { settings } = await readMgmtFile(options);
  if (formerFile !== undefined) return resealSecrets(formerFile, settings);
  if (backupFolder !== undefined) {
    const said = await backUp(backupFolder, { settings, file: options.file, at: new Date(systemClock.wallTime()) });
    process.stdout.write(said);
    return 'done';
  }
  const onShutdown = () => void process.kill(process.pid, 'SIGTERM');
  const { startManagementServer } = await import('./management-server.js');
  try {
    return await startManagementServer({ ...options, stopping, onFatal: die, onShutdown });
  } catch (error) {
    throw asFatal(error);
  }
};

function asFatal(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return new FatalError('STORE_UNUSABLE', `db.url: ${error.message}`, { cause: error });
}

/** Seals the secrets in the store anew. Other servers may run meanwhile: they read them at their start. */
async function resealSecrets(formerFile: string, given: MgmtSettings): Promise<'done'> {
  const log = silentLog;
  const settings = { ...given, dbUrl: await dbUrlOf(given) };
  const store = await openStore(settings.dbUrl, { log });
  try {
    const names = await resealFrom(formerFile, { settings, store, log });
    const text =
      names.length === 0 ? 'all secrets are sealed under the present key' : `sealed anew: ${names.join(', ')}`;
    process.stdout.write(`${text}\n`);
    return 'done';
  } catch (error) {
    throw asFatal(error);
  } finally {
    await store.close();
  }
}
