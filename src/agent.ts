#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Agent } from './agent/agent.js';
import { AgentProperties, readProperties } from './agent/agent-properties.js';
import { tcpDialer } from './agent/dialer.js';
import { loadResource } from './agent/resource.js';
import { AGENT_KEYS, isAgentKey, readSettings } from './agent/settings.js';
import { Trust, TrustError } from './agent/trust.js';
import { systemClock } from './lib/clock.js';
import type { CommandLine } from './lib/command-line.js';
import { type Entry, type Running, runEntry } from './lib/entry.js';
import { ConfigError, codeOf, reasonOf } from './lib/errors.js';
import { type FileLock, FileLockedError, lockFile } from './lib/file-lock.js';
import { type Log, openLog } from './lib/logger.js';
import { nearestKey } from './lib/nearest-key.js';
import { systemRandom } from './lib/random.js';

const entry: Entry = {
  name: 'agent',
  defaultFile: 'conf/agent.properties',
  summary: 'The agent on a hypervisor: keeps one Ready link to a management server of its host list.',
  settings: Object.entries(AGENT_KEYS),
  start,
};

async function start({ file = entry.defaultFile, settings: overrides }: CommandLine): Promise<Running> {
  for (const [key, value] of overrides) {
    if (isAgentKey(key)) continue;
    const near = nearestKey(key, Object.keys(AGENT_KEYS));
    throw new ConfigError(key, value, near ? `no such setting; did you mean ${near}?` : 'no such setting; see --help');
  }
  const { document, error: readError } = await readProperties(file);
  const settings = readSettings(key => overrides.get(key) ?? document.get(key));
  const log = openLog(settings.log);
  if (readError !== undefined) {
    log.error('Cannot read the properties file: going on with the defaults and the command line', {
      file,
      reason: reasonOf(readError),
    });
  }
  if (!existsSync(file)) log.warn('There is no properties file yet: it will be made', { file });
  const lock = await lockBeside(file, log);
  try {
    const properties = new AgentProperties(file, document, systemClock, log);
    const resource = await loadResource(settings.resource, log);
    const trust = new Trust(join(dirname(file), 'cloud.ca.crt'), systemClock, log);
    await trust.load().catch(asConfigError);
    const guid = settings.guid ?? systemRandom.uuid();
    if (settings.guid === undefined) properties.set({ guid });
    const parts = { settings, properties, guid, resource, trust, dialer: tcpDialer, clock: systemClock };
    const agent = new Agent({ ...parts, random: systemRandom, log });
    agent.start();
    return {
      async stop() {
        log.info('Agent stops');
        await agent.stop();
        await lock?.release();
        await log.close();
      },
      reload() {
        log.reopen();
        trust.load().catch(error => log.error('Cannot read the known CA anew', { reason: reasonOf(error) }));
        log.info('Logs and certificates are opened anew');
      },
      abandon: () => lock?.releaseSync(),
    };
  } catch (error) {
    lock?.releaseSync();
    throw error;
  }
}

/** Two agents on one file would fight for one guid. @throws ConfigError when another agent has it */
async function lockBeside(file: string, log: Log): Promise<FileLock | undefined> {
  try {
    await mkdir(dirname(file), { recursive: true });
    return await lockFile(`${file}.lock`);
  } catch (error) {
    if (error instanceof FileLockedError) {
      throw new ConfigError('FILE', file, `another agent (process ${error.holderPid}) runs with this file`, {
        cause: error,
      });
    }
    // A folder that cannot be written is an inconvenience, not a reason to leave a hypervisor alone.
    log.warn('Cannot lock the properties file: going on without', {
      file,
      code: codeOf(error),
      reason: reasonOf(error),
    });
    return undefined;
  }
}

function asConfigError(error: unknown): never {
  if (error instanceof TrustError) throw new ConfigError('cloud.ca.crt', '', error.message, { cause: error });
  throw error;
}

await runEntry(entry);
