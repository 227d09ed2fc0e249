import { systemClock } from '../lib/clock.js';
import { FatalError } from '../lib/errors.js';
import { openLog } from '../lib/logger.js';
import { systemRandom } from '../lib/random.js';
import type { CommandLine } from '../program/command-line.js';
import type { Program, Running } from '../program/entry.js';
import { readSettingsFile, valuesOf } from '../program/settings-file.js';
import { PARAMETERS, readSettings, SETTING_HELP, StoreError, startNode } from './index.js';

/** Each key with its meaning, for `--help`. */
export const settings: Program['settings'] = [
  ...SETTING_HELP,
  ...Object.entries(PARAMETERS).map(
    ([name, { description, unit }]) => [name, `${description}${unit ? ` (${unit})` : ''}; initial value`] as const,
  ),
];

export async function start(
  { file, defaultFile, settings: commandLine }: CommandLine,
  die: (error: unknown) => void,
  stopping: AbortSignal,
): Promise<Running> {
  const path = file ?? defaultFile;
  const { document, exists, warnings: fileWarnings } = await readSettingsFile(path, file !== undefined);
  const { settings, initial, warnings } = readSettings(valuesOf(document), commandLine);
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
      clock: systemClock,
      random: systemRandom,
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
    if (error instanceof StoreError) {
      throw new FatalError('STORE_UNUSABLE', `db.url: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
