#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadResource, Trust, TrustError, tcpDialer } from './agent/index.js';
import { Fleet } from './fleet/fleet.js';
import { openFolder } from './fleet/folder.js';
import { FLEET_KEYS, isFleetKey, readSettings } from './fleet/settings.js';
import { systemClock } from './lib/clock.js';
import type { CommandLine } from './lib/command-line.js';
import { type Entry, type Running, runEntry } from './lib/entry.js';
import { ConfigError, codeOf, reasonOf } from './lib/errors.js';
import { parseProperties } from './lib/files/properties.js';
import { openLog } from './lib/logger.js';
import { nearestKey } from './lib/nearest-key.js';
import { systemRandom } from './lib/random.js';

const entry: Entry = {
  name: 'fleet',
  defaultFile: 'conf/fleet.properties',
  summary: 'Many agents in one process, for load tests and demonstrations, against Muster or CloudStack.',
  settings: Object.entries(FLEET_KEYS),
  start,
};

async function start({ file, settings: commandLine }: CommandLine): Promise<Running> {
  for (const [key, value] of commandLine) {
    if (isFleetKey(key)) continue;
    const near = nearestKey(key, Object.keys(FLEET_KEYS));
    throw new ConfigError(key, value, near ? `no such setting; did you mean ${near}?` : 'no such setting; see --help');
  }
  const inFile = await readFileSettings(file);
  const settings = readSettings(new Map([...inFile, ...commandLine]));
  const log = openLog(settings.log);
  for (const key of inFile.keys()) {
    if (!isFleetKey(key))
      log.warn('The settings file has a key that is no setting', { file: file ?? entry.defaultFile, key });
  }
  const resource = await loadResource(settings.resource, log);
  const folder = await openFolder(settings.dataDir);
  try {
    const trust = new Trust(join(folder.path, 'cloud.ca.crt'), systemClock, log);
    await trust.load().catch(asConfigError);
    const parts = { settings, folder: folder.path, resource, trust, dialer: tcpDialer(), clock: systemClock };
    const fleet = await Fleet.open({ ...parts, random: systemRandom, log });
    fleet.start();
    if (settings.durationMs !== undefined) {
      systemClock.after(settings.durationMs, () => process.kill(process.pid, 'SIGTERM'));
    }
    return {
      async stop() {
        await fleet.stop();
        await folder.close();
        await log.close();
      },
      reload() {
        log.reopen();
        trust.load().catch(error => log.error('Cannot read the known CA anew', { reason: reasonOf(error) }));
      },
      abandon: () => folder.abandon(),
    };
  } catch (error) {
    folder.abandon();
    throw error;
  }
}

/** @throws ConfigError when a file that was named cannot be read; the default one may be absent */
async function readFileSettings(file: string | undefined): Promise<ReadonlyMap<string, string>> {
  const path = file ?? entry.defaultFile;
  try {
    const document = parseProperties(await readFile(path));
    return new Map([...document.keys()].map(key => [key, document.get(key) ?? '']));
  } catch (cause) {
    if (file === undefined && codeOf(cause) === 'ENOENT') return new Map();
    throw new ConfigError('FILE', path, `the file cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

function asConfigError(error: unknown): never {
  if (error instanceof TrustError) throw new ConfigError('cloud.ca.crt', '', error.message, { cause: error });
  throw error;
}

await runEntry(entry);
