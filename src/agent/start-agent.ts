import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, systemClock } from '../lib/clock.js';
import { ConfigError, codeOf, reasonOf } from '../lib/errors.js';
import { type FileLock, FileLockedError, lockFile } from '../lib/files/file-lock.js';
import { type Log, type LogOptions, openLog } from '../lib/logger.js';
import { nearestKey } from '../lib/nearest-key.js';
import { type Random, systemRandom } from '../lib/random.js';
import { Agent } from './agent.js';
import { AgentProperties, readProperties } from './agent-properties.js';
import { type Dialer, tcpDialer } from './dial/dialer.js';
import { loadResource, type Resource } from './resource.js';
import { AGENT_KEYS, isAgentKey, readSettings } from './settings.js';
import { Trust, TrustError } from './trust.js';

/** How an agent is started. All of it has defaults. */
export interface StartAgentOptions {
  /**
   * Path of agent.properties, relative to the working folder. The file need not exist: the agent creates it. The
   * certificates and the lock lie beside it.
   * @default 'conf/agent.properties'
   */
  readonly file?: string;
  /** Settings that beat those of the file, under the same keys. They are not written to it. @default {} */
  readonly overrides?: Readonly<Record<string, string>>;
  /** What the agent manages. @default the one that the setting `resource` names */
  readonly resource?: Resource;
  /** Where log lines go. @default as the settings `log.level`, `log.format` and `log.file` say */
  readonly log?: Log;
  /** How servers are reached. @default tcpDialer, with the addresses of names in a file beside agent.properties */
  readonly dialer?: Dialer;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default systemRandom */
  readonly random?: Random;
}

/** An agent that runs in this process, with its file and lock. */
export interface RunningAgent {
  /** The agent itself: `readyLink(agent.state)` is where it is connected. */
  readonly agent: Agent;
  /** An orderly stop: tells the server, ends all links, writes what is pending, and releases the lock. */
  stop(): Promise<void>;
  /** Opens the log file again, and reads the known CA again. */
  reload(): void;
  /** Releases the lock, for a process that ends without `stop`. Synchronous; never throws. */
  abandon(): void;
}

/** The properties file when none is named. */
export const DEFAULT_AGENT_FILE = 'conf/agent.properties';

/**
 * Starts an agent as `node dist/agent.js FILE key=value …` does, in this process. It returns once the first dial is
 * under way; the agent then goes on by itself, and no failure of a server or a file ends it.
 *
 * @example
 * const running = await startAgent({ file: 'agent.properties', overrides: { host: '192.0.2.1,192.0.2.2' } });
 * // …
 * await running.stop();
 *
 * @throws ConfigError when a setting is wrong or unknown, the resource or the known CA cannot be used, or another agent
 *   runs with the file
 */
export async function startAgent(options: StartAgentOptions = {}): Promise<RunningAgent> {
  const { file = DEFAULT_AGENT_FILE, overrides = {} } = options;
  const { clock = systemClock, random = systemRandom } = options;
  for (const [key, value] of Object.entries(overrides)) refuseUnknown(key, value);
  const { document, error: readError } = await readProperties(file);
  const settings = readSettings(key => overrides[key] ?? document.get(key));
  const { log, reopenLog, closeLog } = logOf(options.log, settings.log);
  if (readError !== undefined) {
    log.error('Cannot read the properties file: going on with the defaults and the command line', {
      file,
      reason: reasonOf(readError),
    });
  }
  if (!existsSync(file)) log.warn('There is no properties file yet: it will be made', { file });
  const lock = await lockBeside(file, log);
  try {
    const properties = new AgentProperties(file, document, clock, log);
    const resource = options.resource ?? (await loadResource(settings.resource, log));
    const trust = new Trust(join(dirname(file), 'cloud.ca.crt'), clock, log);
    await trust.load().catch(asConfigError);
    const guid = settings.guid ?? random.uuid();
    if (settings.guid === undefined) properties.set({ guid });
    const dialer = options.dialer ?? tcpDialer({ addressFile: `${file}.addresses`, clock, log });
    const agent = new Agent({ settings, properties, guid, resource, trust, dialer, clock, random, log });
    agent.start();
    return {
      agent,
      async stop() {
        log.info('Agent stops');
        await agent.stop();
        await lock?.release();
        await closeLog();
      },
      reload() {
        reopenLog();
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

/** The caller's log, which the caller closes, or one of our own. */
function logOf(given: Log | undefined, options: LogOptions) {
  if (given !== undefined) return { log: given, reopenLog() {}, async closeLog() {} };
  const log = openLog(options);
  return { log, reopenLog: () => log.reopen(), closeLog: () => log.close() };
}

/** @throws ConfigError */
function refuseUnknown(key: string, value: string): void {
  if (isAgentKey(key)) return;
  const near = nearestKey(key, Object.keys(AGENT_KEYS));
  throw new ConfigError(key, value, near ? `no such setting; did you mean ${near}?` : 'no such setting; see --help');
}

/** Locks the file: two agents with one guid would displace each other. @throws ConfigError when another agent has it */
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
    // An agent without a lock is better than none.
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
