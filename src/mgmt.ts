#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import type { CommandLine } from './lib/command-line.js';
import { type Entry, type Running, runEntry } from './lib/entry.js';
import { ConfigError, codeOf, FatalError, reasonOf } from './lib/errors.js';
import { parseProperties } from './lib/files/properties.js';
import { openLog } from './lib/logger.js';
import { PARAMETERS, readSettings, SETTING_HELP, StoreError, startNode } from './mgmt/index.js';

const entry: Entry = {
  name: 'mgmt',
  defaultFile: 'conf/mgmt.properties',
  summary: 'A management server: agents register with it, and get their list of management servers from it.',
  settings: [
    ...SETTING_HELP,
    ...Object.entries(PARAMETERS).map(
      ([name, { description, unit }]) => [name, `${description}${unit ? ` (${unit})` : ''}; initial value`] as const,
    ),
  ],
  start,
};

async function start(
  { file = entry.defaultFile, settings: commandLine }: CommandLine,
  die: (error: unknown) => void,
  stopping: AbortSignal,
): Promise<Running> {
  const inFile = await readFileSettings(file);
  const { settings, initial, warnings } = readSettings(inFile ?? new Map(), commandLine);
  const log = openLog(settings.log);
  try {
    if (inFile === undefined) log.warn('There is no settings file; defaults and the command line hold', { file });
    for (const warning of warnings) log.warn(`${file}: ${warning}`);
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
    if (error instanceof StoreError) {
      throw new FatalError('STORE_UNUSABLE', `db.url: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** @returns undefined when there is no such file */
async function readFileSettings(file: string): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const document = parseProperties(await readFile(file));
    return new Map([...document.keys()].map(key => [key, document.get(key) ?? '']));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new ConfigError('FILE', file, `the file cannot be read: ${reasonOf(error)}`, { cause: error });
  }
}

await runEntry(entry);
