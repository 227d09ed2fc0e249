import { loadResource, Trust, TrustError, tcpDialer } from '../agent/index.js';
import { systemClock } from '../lib/clock.js';
import { ConfigError, reasonOf } from '../lib/errors.js';
import { openLog } from '../lib/logger.js';
import { systemRandom } from '../lib/random.js';
import { nearestKey } from '../lib/text/nearest-key.js';
import type { CommandLine } from '../program/command-line.js';
import { endInOrder } from '../program/end-in-order.js';
import type { Program, Running } from '../program/entry.js';
import { readSettingsFile, valuesOf } from '../program/settings-file.js';
import { Fleet } from './fleet.js';
import { openFolder } from './folder.js';
import { FLEET_KEYS, isFleetKey, readSettings } from './settings.js';

export const summary: Program['summary'] =
  'Many agents in one process, for load tests and demonstrations, against Muster or CloudStack.';

/** Each key with its meaning, for `--help`. */
export const settings: Program['settings'] = Object.entries(FLEET_KEYS);

export async function start({ file, defaultFile, settings: commandLine }: CommandLine): Promise<Running> {
  for (const [key, value] of commandLine) {
    if (isFleetKey(key)) continue;
    const near = nearestKey(key, Object.keys(FLEET_KEYS));
    throw new ConfigError(key, value, near ? `no such setting; did you mean ${near}?` : 'no such setting; see --help');
  }
  const path = file ?? defaultFile;
  const { document, warnings } = await readSettingsFile(path, file !== undefined);
  const settings = readSettings(new Map([...valuesOf(document), ...commandLine]));
  const log = await openLog(settings.log, systemClock);
  for (const warning of warnings) log.warn(warning, { file: path });
  for (const key of document.keys()) {
    if (isFleetKey(key)) continue;
    const near = nearestKey(key, Object.keys(FLEET_KEYS));
    log.warn(`The settings file has a key that is no setting${near ? `: is ${near} meant?` : ''}`, { file: path, key });
  }
  if (settings.dataDir === undefined && settings.agentDefaults.get('enrollment.token')) {
    log.warn('The certificates of these agents end with this process: set data.dir to keep them');
  }
  const resource = await loadResource(settings.resource, log);
  const folder = await openFolder(settings.dataDir);
  try {
    const trust = new Trust({ folder: folder.path, clock: systemClock, log });
    await trust.load().catch(asConfigError);
    const parts = { settings, folder: folder.path, resource, trust, dialer: tcpDialer(), clock: systemClock };
    const fleet = await Fleet.open({ ...parts, random: systemRandom, log });
    fleet.start();
    if (settings.durationMs !== undefined) {
      systemClock.after(settings.durationMs, () => process.kill(process.pid, 'SIGTERM'));
    }
    return {
      stop: () =>
        endInOrder(
          [
            ['the agents', () => fleet.stop()],
            ['the folder', () => folder.close()],
            ['the log', () => log.close()],
          ],
          { clock: systemClock, log },
        ),
      reload() {
        log.reopen();
        trust.load().catch(error => log.error('Cannot read the known CA anew', { reason: reasonOf(error) }));
      },
      abandon: () => folder.abandon(),
    };
  } catch (error) {
    folder.abandon();
    await log.close();
    throw error;
  }
}

function asConfigError(error: unknown): never {
  if (error instanceof TrustError) throw new ConfigError('cloud.ca.crt', '', error.message, { cause: error });
  throw error;
}
