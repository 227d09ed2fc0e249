import { systemClock } from '../lib/clock.js';
import { FatalError } from '../lib/errors.js';
import { openLog, silentLog } from '../lib/logger.js';
import type { CommandLine } from '../program/command-line.js';
import type { Program, Running } from '../program/entry.js';
import { readSettingsFile, valuesOf } from '../program/settings-file.js';
import type { MgmtSettings } from './config/settings.js';
import { PARAMETERS, readSettings, SETTING_HELP, StoreError, startNode } from './index.js';
import { dbUrlOf, openStore } from './open-store.js';
import { RESEAL_FROM, resealFrom } from './secret-keys.js';

/** Each key with its meaning, for `--help`. */
export const settings: Program['settings'] = [
  ...SETTING_HELP,
  [
    RESEAL_FROM,
    'on the command line only: a file with the former key, or the former password of db.url; seals the secrets in the store anew, and ends',
  ],
  ...Object.entries(PARAMETERS).map(
    ([name, { description, unit }]) => [name, `${description}${unit ? ` (${unit})` : ''}; initial value`] as const,
  ),
];

export async function start(
  { file, defaultFile, settings: given }: CommandLine,
  die: (error: unknown) => void,
  stopping: AbortSignal,
): Promise<Running | 'done'> {
  const path = file ?? defaultFile;
  const { document, exists, warnings: fileWarnings } = await readSettingsFile(path, file !== undefined);
  const formerFile = given.get(RESEAL_FROM);
  const commandLine = new Map([...given].filter(([key]) => key !== RESEAL_FROM));
  const { settings, initial, warnings } = readSettings(valuesOf(document), commandLine);
  if (formerFile !== undefined) return resealSecrets(formerFile, settings);
  const log = await openLog(settings.log, systemClock);
  try {
    if (!exists) log.warn('There is no settings file; defaults and the command line hold', { file: path });
    for (const warning of [...fileWarnings, ...warnings]) log.warn(`${path}: ${warning}`);
    const onFatal = (error: FatalError) => {
      log.error(error.message, { code: error.code });
      die(error);
    };
    const onShutdown = () => void process.kill(process.pid, 'SIGTERM');
    const node = await startNode({
      settings,
      initial,
      log,
      stopping,
      onFatal,
      onShutdown,
    });
    return {
      async stop(signal) {
        await node.stop(signal);
        await log.close();
      },
      reload() {
        log.reopen();
        node.reloadCertificate();
      },
      abandon: () => node.abandon(),
    };
  } catch (error) {
    await log.close();
    throw asFatal(error);
  }
}

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
