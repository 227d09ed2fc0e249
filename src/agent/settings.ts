import { AddressError, canonicalAddress, readHostList } from '../lib/address.js';
import { ConfigError } from '../lib/errors.js';
import { LOG_DEFAULTS, LOG_FORMATS, LOG_LEVELS, type LogOptions } from '../lib/logger.js';
import { parseEnrollmentToken } from '../protocol/enrollment-token.js';
import { type HostList, splitHostList } from '../protocol/index.js';
import { isTag, MOST_TAGS, TAG_FORM } from './resources/tags.js';
import type { AgentRules } from './steps/step.js';

/** The checked settings of an agent. Keys and defaults: docs/configuration.md. */
export interface AgentSettings {
  /** Undefined while there is none: the agent makes one and writes it. */
  readonly guid: string | undefined;
  /** Key: `host`. */
  readonly list: HostList;
  /** The last list of which a host was Ready. Key: `last.setup.completed.host`. */
  readonly lastCompleted: HostList | undefined;
  /** The TCP port of all hosts. */
  readonly port: number;
  /** Empty when the host was removed: the agent does not dial. */
  readonly zone: string;
  /** Key: `pod`. */
  readonly pod: string;
  /** Key: `cluster`. */
  readonly cluster: string;
  /** With it the agent is given its certificate; undefined when there is none. A secret. Key: `enrollment.token`. */
  readonly enrolmentToken: string | undefined;
  /** Tags of this host, beside those of the resource. Key: `host.tags`. */
  readonly hostTags: readonly string[];
  /** The module that answers commands; undefined for the built-in one. */
  readonly resource: string | undefined;
  /** A server that has not answered a ping for this long is suspect. Key: `ping.answer.timeout` (seconds). */
  readonly pingAnswerTimeoutMs: number;
  /** A link is dropped when this many pings are unanswered. */
  readonly pingRetries: number;
  /** Key: `ssl.handshake.timeout` (seconds). */
  readonly handshakeTimeoutMs: number;
  /** A command may take this long, and counts as in progress for as long at most. Key: `command.timeout` (seconds). */
  readonly commandTimeoutMs: number;
  /** What the agent decides by: intervals, backoff, spread. */
  readonly rules: AgentRules;
  /** Where the metrics of the agent are shown; undefined: nowhere. Keys: `metrics.port`, `metrics.address`. */
  readonly metrics: { readonly address: string; readonly port: number } | undefined;
  /** Keys: `log.level`, `log.format`, `log.file`. */
  readonly log: LogOptions;
}

/** Every key that the agent knows, with its meaning and default. Other keys of the file are kept and ignored. */
export const AGENT_KEYS = {
  guid: 'who this agent is; made once and written',
  host: 'management servers, in order: A,B,C or A,B,C@algorithm (localhost)',
  port: 'their port (8250)',
  zone: 'zone to register with (default); empty: the host was removed, no dial',
  pod: 'pod (default)',
  cluster: 'cluster (default)',
  'enrollment.token': 'with it a Muster server gives this host its certificate; removed once used (unset)',
  'host.lb.check.interval': 'seconds between checks of the preferred host; 0 = off; beats the server (unset)',
  'ping.answer.timeout': 'seconds after which a silent server is suspect (15)',
  'ping.retries': 'unanswered pings after which the link is dropped (5)',
  'backoff.seconds': 'base of the backoff once a whole list has failed (5)',
  'failover.spread.ms': 'the first attempt after a loss comes after 0 to this (500)',
  'ssl.handshake.timeout': 'seconds (30)',
  'command.timeout': 'seconds that a command may take, unless its wait is longer (300)',
  'host.tags': 'tags of this host, comma-separated (none)',
  resource: 'module that answers commands (built in)',
  'last.setup.completed.host': 'written by the agent: the last list that worked',
  'metrics.port': 'where Prometheus reads the metrics of this agent, at /metrics (unset: nowhere)',
  'metrics.address': 'the address of that port: whoever reaches it reads them, without a key (127.0.0.1)',
  'log.level': 'error, warn, info, debug (info)',
  'log.format': 'text, json (text)',
  'log.file': 'a path, or stdout (stdout)',
} as const;
/** A key that the agent knows. */
export type AgentKey = keyof typeof AGENT_KEYS;

export function isAgentKey(key: string): key is AgentKey {
  return Object.hasOwn(AGENT_KEYS, key);
}

const DEFAULT_LIST: HostList = { hosts: ['localhost'], algorithm: undefined };
const MAX_BACKOFF_MS = 60_000;
const DAY_SECONDS = 86_400;

/**
 * Checks the settings of an agent, and fills in the defaults.
 * @param get the value of a key; undefined when there is none
 * @param onWarning is told, in a sentence, what of a value is not used
 * @example
 * const settings = readSettings(key => document.get(key));
 * @throws ConfigError with the key, the value and what is allowed
 */
export function readSettings(
  get: (key: AgentKey) => string | undefined,
  onWarning: (warning: string) => void = () => {},
): AgentSettings {
  const text = (key: AgentKey, fallback: string) => get(key) ?? fallback;
  const integer = (key: AgentKey, fallback: number, min: number, max: number) => {
    const value = get(key);
    if (value === undefined || value === '') return fallback;
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= min && number <= max) return number;
    throw new ConfigError(key, value, `a whole number from ${min} to ${max} is allowed`);
  };
  const oneOf = <T extends string>(key: AgentKey, allowed: readonly T[], fallback: T): T => {
    const value = get(key);
    if (value === undefined || value === '') return fallback;
    const found = allowed.find(candidate => candidate === value);
    if (found === undefined) throw new ConfigError(key, value, `allowed are ${allowed.join(', ')}`);
    return found;
  };
  /** What can be used of a list; undefined when that is nothing. */
  const hostList = (key: AgentKey, value: string): HostList | undefined => {
    const { hosts: text, algorithm } = splitHostList(value);
    const { hosts, faults } = readHostList(text);
    if (hosts.length === 0) {
      if (key === 'host') throw new ConfigError(key, value, faults[0] ?? 'the list is empty');
      onWarning(`${key}=${value} is not used: ${faults[0]}`);
      return undefined;
    }
    if (faults.length > 0) onWarning(`${key}=${value}: the rest of the list is used: ${faults.join('; ')}`);
    if (value.split('@').length > 2) onWarning(`${key}=${value}: one @ is allowed; taken as @${algorithm}`);
    return { hosts, algorithm };
  };

  const address = (key: AgentKey, fallback: string): string => {
    const value = get(key);
    if (value === undefined || value === '') return fallback;
    try {
      return canonicalAddress(value);
    } catch (error) {
      if (error instanceof AddressError) throw new ConfigError(key, value, error.message, { cause: error });
      throw error;
    }
  };

  const tags = (key: AgentKey): readonly string[] => {
    const value = get(key) ?? '';
    const found = value.trim() === '' ? [] : value.split(',').map(tag => tag.trim());
    if (found.length <= MOST_TAGS && found.every(isTag) && new Set(found).size === found.length) return found;
    throw new ConfigError(
      key,
      value,
      `at most ${MOST_TAGS} tags with commas between them are allowed, each once, of ${TAG_FORM}`,
    );
  };

  const guid = get('guid');
  if (guid !== undefined && /[^\x21-\x7e]/.test(guid)) {
    throw new ConfigError('guid', guid, 'a text without blanks is allowed, such as a UUID');
  }
  const checkInterval = get('host.lb.check.interval');
  const lastCompleted = get('last.setup.completed.host');
  const host = get('host');
  const metricsAddress = address('metrics.address', '127.0.0.1');
  const metricsPort = get('metrics.port') ? integer('metrics.port', 0, 1, 65_535) : undefined;
  if (host === undefined) onWarning(`host is not set: ${DEFAULT_LIST.hosts} is dialled`);
  return {
    guid: guid === '' ? undefined : guid,
    list: (host === undefined ? undefined : hostList('host', host)) ?? DEFAULT_LIST,
    lastCompleted: lastCompleted ? hostList('last.setup.completed.host', lastCompleted) : undefined,
    port: integer('port', 8250, 1, 65_535),
    zone: text('zone', 'default'),
    pod: text('pod', 'default'),
    cluster: text('cluster', 'default'),
    enrolmentToken: readEnrolmentToken(get),
    hostTags: tags('host.tags'),
    resource: get('resource'),
    pingAnswerTimeoutMs: integer('ping.answer.timeout', 15, 1, DAY_SECONDS) * 1000,
    pingRetries: integer('ping.retries', 5, 1, 1000),
    handshakeTimeoutMs: integer('ssl.handshake.timeout', 30, 1, DAY_SECONDS) * 1000,
    commandTimeoutMs: integer('command.timeout', 300, 1, DAY_SECONDS) * 1000,
    rules: {
      failoverSpreadMs: integer('failover.spread.ms', 500, 0, 600_000),
      backoff: { baseMs: integer('backoff.seconds', 5, 1, 3600) * 1000, maxMs: MAX_BACKOFF_MS },
      checkIntervalMs: checkInterval ? integer('host.lb.check.interval', 0, 0, DAY_SECONDS) * 1000 : undefined,
    },
    metrics: metricsPort === undefined ? undefined : { address: metricsAddress, port: metricsPort },
    log: {
      level: oneOf('log.level', LOG_LEVELS, LOG_DEFAULTS.level),
      format: oneOf('log.format', LOG_FORMATS, LOG_DEFAULTS.format),
      file: get('log.file') || LOG_DEFAULTS.file,
    },
  };
}

/** Of `enrollment.token` alone. @throws ConfigError when it is no token */
export function readEnrolmentToken(get: (key: 'enrollment.token') => string | undefined): string | undefined {
  const token = get('enrollment.token') || undefined;
  if (token === undefined || parseEnrollmentToken(token) !== undefined) return token;
  // Not the value: it is a secret.
  throw new ConfigError('enrollment.token', '…', 'a token as createEnrollmentToken shows it is allowed: 87 characters');
}
