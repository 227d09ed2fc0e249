import { dirname } from 'node:path';
import { type Clock, systemClock } from '../lib/clock.js';
import type { Events } from '../lib/emitter.js';
import { ConfigError, codeOf, reasonOf } from '../lib/errors.js';
import { clearTemporaries, resolveLinks } from '../lib/files/atomic-file.js';
import { type FileLock, FileLockedError, lockFile } from '../lib/files/file-lock.js';
import { makeFolder } from '../lib/files/make-folder.js';
import type { PropertiesDocument } from '../lib/files/properties.js';
import { type Log, type LogOptions, openLog } from '../lib/logger.js';
import { type Random, systemRandom } from '../lib/random.js';
import { nearestKey } from '../lib/text/nearest-key.js';
import { openMetricsPort } from '../metrics/metrics-port.js';
import { ProcessMetrics } from '../metrics/process-metrics.js';
import { PrometheusMetrics } from '../metrics/prometheus.js';
import { endInOrder } from '../program/end-in-order.js';
import { placeOf, readSettingsFile } from '../program/settings-file.js';
import { isIdentityKey } from './agent-properties.js';
import type { AgentState } from './agent-state.js';
import { composeAgent } from './compose-agent.js';
import { type Dialer, tcpDialer } from './dial/dialer.js';
import type { LinkEvents } from './link-events.js';
import { AGENT_METRICS } from './metrics/agent-metrics.js';
import { agentReadings } from './metrics/agent-readings.js';
import { loadResource } from './resources/load-resource.js';
import type { Resource } from './resources/resource.js';
import { AGENT_KEYS, isAgentKey, readEnrolmentToken, readSettings } from './settings.js';
import { TrustError } from './trust/judge.js';
import { Trust } from './trust/trust.js';

/** How an agent is started. All of it has defaults. */
export interface StartAgentOptions {
  /**
   * Path of agent.properties, relative to the working folder. The file need not exist: the agent creates it. The
   * certificates and the lock lie beside it.
   * @default 'conf/agent.properties'
   */
  readonly file?: string;
  /** An operator has named the file: a name that is not there is a mistake, and no new agent. @default false */
  readonly fileMustExist?: boolean;
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
  /** Where it stands now; a new object after each event. `readyLink(state)` is where it is connected. */
  readonly state: AgentState;
  /** When its link is Ready, lost, or replaced. */
  readonly events: Events<LinkEvents>;
  /**
   * An orderly stop: tells the server, ends all links, writes what is pending, and releases the lock. Never rejects: what
   * fails or hangs is logged.
   */
  stop(): Promise<void>;
  /**
   * Opens the log file again, and reads the certificates and `enrollment.token` again. When the certificates are others, the
   * agent connects anew before it ends the link that it has. A new token counts from the next dial on.
   */
  reload(): void;
  /** Releases the lock, for a process that ends without `stop`. Synchronous; never throws. */
  abandon(): void;
}

/** The properties file when none is named. */
const DEFAULT_AGENT_FILE = 'conf/agent.properties';

/**
 * Starts an agent as `node dist/agent.js FILE key=value …` does, in this process. It returns once the first dial is
 * under way; the agent then goes on by itself, and no failure of a server or a file ends it.
 *
 * @example
 * const running = await startAgent({ file: 'agent.properties', overrides: { host: '192.0.2.1,192.0.2.2' } });
 * running.events.on('ready', ({ host }) => console.log(`connected to ${host}`));
 * // …
 * await running.stop();
 *
 * @throws ConfigError when a setting is wrong or unknown, the file cannot be read, the log cannot be written, the resource
 *   or the known CA cannot be used, or another agent runs with the file
 * @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED: `metrics.port` cannot be opened
 */
export async function startAgent(options: StartAgentOptions = {}): Promise<RunningAgent> {
  const { overrides = {}, clock = systemClock, random = systemRandom } = options;
  for (const [key, value] of Object.entries(overrides)) refuseUnknown(key, value);
  const { file = DEFAULT_AGENT_FILE, fileMustExist = false } = options;
  const { document, exists, warnings: fileWarnings } = await readSettingsFile(file, fileMustExist);
  const warnings = [...fileWarnings];
  const settings = readSettings(
    key => overrides[key] ?? document.get(key),
    warning => warnings.push(warning),
  );
  const { log, reopenLog, closeLog } = await logOf(options.log, settings.log, clock);
  let lock: FileLock | undefined;
  let closeMetrics = async () => {};
  try {
    if (!exists) log.warn('There is no properties file yet: it will be made', { file });
    for (const warning of warnings) log.warn(warning, { file });
    sayUnknownKeys(document, file, log);
    lock = await lockFor(file, clock, log);
    const resource = options.resource ?? (await loadResource(settings.resource, log));
    const trust = new Trust({ folder: dirname(file), clock, log, token: settings.enrolmentToken });
    await trust.load().catch(asConfigError);
    const guid = settings.guid ?? random.uuid();
    const dialer = options.dialer ?? tcpDialer({ addressFile: `${file}.addresses`, clock, log });
    const metrics = settings.metrics && new PrometheusMetrics(AGENT_METRICS);
    const { agent, properties } = await composeAgent({
      ...{ file, document, settings, guid, resource, trust, dialer, clock, random, log },
      folder: dirname(file),
      ...(metrics && { meters: metrics.meters }),
    });
    if (settings.guid === undefined) {
      sayNewGuid(guid, { document, file, exists, log });
      properties.set({ guid });
    }
    if (settings.metrics && metrics) {
      const own = new ProcessMetrics(clock);
      closeMetrics = async () => own.stop();
      const close = await openMetricsPort(settings.metrics, {
        contentType: metrics.contentType,
        text: () => metrics.text({ ...agentReadings(agent.state, trust.ends), ...own.read() }),
      });
      log.info('Metrics are shown', settings.metrics);
      closeMetrics = async () => {
        own.stop();
        await close();
      };
    }
    const reloadToken = async () => {
      if (overrides['enrollment.token'] !== undefined) return;
      await properties.reload();
      trust.takeToken(readEnrolmentToken(key => properties.get(key)));
    };
    agent.start();
    return {
      get state() {
        return agent.state;
      },
      events: agent.events,
      stop() {
        log.info('Agent stops');
        return endInOrder(
          [
            ['the metrics', () => closeMetrics()],
            ['the links and the properties file', () => agent.stop()],
            ['the lock', () => lock?.release()],
            ['the log', closeLog],
          ],
          { clock, log },
        );
      },
      reload() {
        reopenLog();
        agent
          .reloadCertificates()
          .catch(error => log.error('Cannot read the certificates anew', { reason: reasonOf(error) }));
        reloadToken().catch(error => log.error('Cannot read enrollment.token anew', { reason: reasonOf(error) }));
        log.info('Logs, certificates and enrollment.token are read anew');
      },
      abandon: () => lock?.releaseSync(),
    };
  } catch (error) {
    lock?.releaseSync();
    await closeMetrics();
    await closeLog();
    throw error;
  }
}

/** The caller's log, which the caller closes, or one of our own. */
async function logOf(given: Log | undefined, options: LogOptions, clock: Clock) {
  if (given !== undefined) return { log: given, reopenLog() {}, async closeLog() {} };
  const log = await openLog(options, clock);
  return { log, reopenLog: () => log.reopen(), closeLog: () => log.close() };
}

/** CloudStack's files have many keys that this agent does not need. One that is nearly a key of ours is a mistake. */
function sayUnknownKeys(document: PropertiesDocument, file: string, log: Log): void {
  const unknown = [...document.keys()].filter(key => !isAgentKey(key) && !isIdentityKey(key));
  for (const key of unknown) {
    const near = nearestKey(key, Object.keys(AGENT_KEYS));
    if (near !== undefined)
      log.warn(`The properties file has an unknown key: is ${near} meant?`, {
        file: placeOf(file, document, key),
        key,
      });
  }
  if (unknown.length > 0) log.info('Keys of the properties file that are kept and not used', { keys: unknown });
}

/** A host that registers with a new guid is a new host for the servers. */
function sayNewGuid(
  guid: string,
  { document, file, exists, log }: { document: PropertiesDocument; file: string; exists: boolean; log: Log },
): void {
  const traces = [...document.keys()].filter(key => isIdentityKey(key) || key === 'last.setup.completed.host');
  if (traces.length > 0) {
    log.error(
      'The properties file has lost its guid: this agent makes a new one, and the servers take it for another host; to undo that, stop it and write the old guid into the file',
      { file, guid, traces },
    );
  } else if (exists)
    log.warn('The properties file has no guid: this agent makes one, and is a new host', { file, guid });
}

/** @throws ConfigError */
function refuseUnknown(key: string, value: string): void {
  if (isAgentKey(key)) return;
  const near = nearestKey(key, Object.keys(AGENT_KEYS));
  throw new ConfigError(key, value, near ? `no such setting; did you mean ${near}?` : 'no such setting; see --help');
}

/**
 * Locks the file, by whichever name it is called: two agents with one guid would displace each other.
 * @throws ConfigError when another agent has it
 */
async function lockFor(file: string, clock: Clock, log: Log): Promise<FileLock | undefined> {
  try {
    await makeFolder(dirname(file));
    const target = await resolveLinks(file);
    const lock = await lockFile(`${target}.lock`);
    for (const folder of new Set([dirname(target), dirname(file)])) await clearTemporaries(folder, clock.wallTime());
    return lock;
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
