import { AGENT_KEYS, readSettings as readAgentSettings } from '../agent/index.js';
import { ConfigError } from '../lib/errors.js';
import type { LogOptions } from '../lib/logger.js';

/** What fleet.properties and the command line say, checked. */
export interface FleetSettings {
  readonly agentCount: number;
  /** Agent n has the guid and the host name `<guidPrefix>-<n>`, from 1. */
  readonly guidPrefix: string;
  /** Keeps the agents' files. Undefined: a temporary folder, removed at the end. */
  readonly dataDir: string | undefined;
  readonly reportIntervalMs: number;
  /** Each Ready link that an agent gets or loses is a line of the log. */
  readonly reportsLinks: boolean;
  /** After which the process stops by itself; undefined: it waits for a signal. */
  readonly durationMs: number | undefined;
  /** The module that answers commands, for all agents; undefined for the built-in one. */
  readonly resource: string | undefined;
  readonly log: LogOptions;
  /** Values of an agent's keys, where its own agent.properties says nothing. */
  readonly agentDefaults: ReadonlyMap<string, string>;
}

/** Keys of agent.properties that each agent has for itself, and those of a port, which many agents cannot share. */
const {
  guid: _guid,
  'last.setup.completed.host': _lastCompleted,
  'metrics.port': _metricsPort,
  'metrics.address': _metricsAddress,
  ...SHARED_AGENT_KEYS
} = AGENT_KEYS;

/** Every key, for `--help`. */
export const FLEET_KEYS: Readonly<Record<string, string>> = {
  agents: 'how many agents (100)',
  'guid.prefix': 'the agents are PREFIX-1, PREFIX-2 …, as guids and as host names (fleet)',
  'data.dir': "keeps the agents' files, and so their host ids (a temporary folder)",
  'report.interval': 'seconds between looks at who is Ready where; a change is logged (1)',
  'report.links': 'a line for each Ready link that any agent gets or loses: true, false (false)',
  duration: 'seconds after which the fleet stops; 0 = at a signal (0)',
  ...SHARED_AGENT_KEYS,
};

const MAX_AGENTS = 50_000;
const DAY_SECONDS = 86_400;

export function isFleetKey(key: string): boolean {
  return Object.hasOwn(FLEET_KEYS, key);
}

/** @throws ConfigError with the key, the value and what is allowed */
export function readSettings(values: ReadonlyMap<string, string>): FleetSettings {
  const integer = (key: string, fallback: number, min: number, max: number) => {
    const value = values.get(key);
    if (value === undefined || value === '') return fallback;
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= min && number <= max) return number;
    throw new ConfigError(key, value, `a whole number from ${min} to ${max} is allowed`);
  };
  const guidPrefix = values.get('guid.prefix') || 'fleet';
  if (!/^[\w-]+(\.[\w-]+)*$/.test(guidPrefix)) {
    throw new ConfigError('guid.prefix', guidPrefix, 'letters, digits, _, - and single dots are allowed');
  }
  const reportsLinks = values.get('report.links') || 'false';
  if (!/^(true|false)$/.test(reportsLinks))
    throw new ConfigError('report.links', reportsLinks, 'true or false is allowed');
  const agentDefaults = new Map([...values].filter(([key]) => Object.hasOwn(SHARED_AGENT_KEYS, key)));
  const { resource, log } = readAgentSettings(key => agentDefaults.get(key));
  return {
    agentCount: integer('agents', 100, 1, MAX_AGENTS),
    guidPrefix,
    dataDir: values.get('data.dir') || undefined,
    reportIntervalMs: integer('report.interval', 1, 1, DAY_SECONDS) * 1000,
    reportsLinks: reportsLinks === 'true',
    durationMs: integer('duration', 0, 0, 365 * DAY_SECONDS) * 1000 || undefined,
    resource,
    log,
    agentDefaults,
  };
}
