import { AGENT_KEYS, readSettings as readAgentSettings } from '../agent/index.js';
import { ConfigError } from '../lib/errors.js';
import type { LogOptions } from '../lib/logger.js';
import { type AddressRange, addressRange, ofAgent, RANGE_FORM, roomOf } from './load/numbering.js';
import { agentsText, DURATION_FORM, durationMs, RATE_FORM, ratePerSecond } from './load/quantity.js';
import {
  EXPECTATION_HELP,
  EXPECTATION_KEYS,
  type Expectation,
  objectionToExpectation,
} from './measure/expectations.js';

/** What fleet.properties and the command line say, checked. */
export interface FleetSettings {
  readonly agentCount: number;
  /** Agent n has the guid and the host name `<guidPrefix>-<n>`, from 1. */
  readonly guidPrefix: string;
  /** Keeps the agents' files. Undefined: they are kept in memory. */
  readonly dataDir: string | undefined;
  /** Agents started a second; undefined: all at once. */
  readonly rampPerSecond: number | undefined;
  /** Between two pings; undefined: as servers say. */
  readonly pingIntervalMs: number | undefined;
  /** Agents that restart in a second; undefined: none does. */
  readonly churnPerSecond: number | undefined;
  /** How long one that restarts is away. */
  readonly churnAwayMs: number;
  /** From where agents dial servers on loopback, each from one of its own; undefined: all from the same. */
  readonly addresses: AddressRange | undefined;
  readonly reportIntervalMs: number;
  /** Each Ready link that an agent gets or loses is a line of the log. */
  readonly reportsLinks: boolean;
  /** After which the process stops by itself; undefined: it waits for a signal. */
  readonly durationMs: number | undefined;
  /** The module that answers commands, for all agents; undefined for the agent's built-in one. */
  readonly resource: string | undefined;
  /** What a simulated KVM host says of itself; undefined: `resource` is another one. */
  readonly kvm: KvmSettings | undefined;
  readonly hasProxies: boolean;
  /** The file of faults. */
  readonly faultsFile: string | undefined;
  readonly expectations: readonly Expectation[];
  /** Where what was found is written at the end; undefined: nowhere. */
  readonly files: Readonly<Record<'summary' | 'junit' | 'plot', string | undefined>>;
  readonly log: LogOptions;
  /** Values of an agent's keys, where its own agent.properties says nothing. `ofAgent` makes an agent's own of them. */
  readonly agentDefaults: ReadonlyMap<string, string>;
}

export interface KvmSettings {
  /** Of the hosts' private addresses; undefined: an agent's is the address that it dials from. */
  readonly network: AddressRange | undefined;
  /** VMs that each host runs at its start. */
  readonly vms: number;
}

/** Keys of agent.properties that each agent has for itself, and those of a port, which many agents cannot share. */
const {
  guid: _guid,
  'last.setup.completed.host': _lastCompleted,
  'metrics.port': _metricsPort,
  'metrics.address': _metricsAddress,
  ...SHARED_AGENT_KEYS
} = AGENT_KEYS;

const DEFAULT_ADDRESSES = '127.1.0.0/16';

/** Every key, for `--help`. */
export const FLEET_KEYS: Readonly<Record<string, string>> = {
  agents: 'how many agents (100)',
  'guid.prefix': 'the agents are PREFIX-1, PREFIX-2 …, as guids and as host names (fleet)',
  'data.dir': "keeps the agents' files, and so their host ids (unset: in memory)",
  ramp: 'agents started in a second, such as 500/s (unset: all at once)',
  churn: 'agents that stop and start again in a second, such as 2/s (unset: none)',
  'churn.away': 'how long each of them is away (5s)',
  'ping.interval': 'seconds between pings (unset: as servers say)',
  addresses: `where agents come from on servers of this machine, each from an address of its own: a network, or none (${DEFAULT_ADDRESSES}; none but on Linux)`,
  'report.interval': 'seconds between looks at who is Ready where; a change is logged (1)',
  'report.links': 'a line for each Ready link that any agent gets or loses: true, false (false)',
  duration: 'seconds after which the fleet stops; 0 = at a signal (0)',
  faults: 'a file of faults, each with its time (unset)',
  proxy: 'agents reach servers through proxies, which faults cut, stall and delay: true, false (false)',
  'kvm.network':
    'with resource=kvm: the private addresses of the hosts are in this network, such as 10.1.0.0/16 (unset: where they come from)',
  'kvm.vms': 'with resource=kvm: VMs that each host runs at its start (0)',
  summary: 'a file for what was found, as JSON, at the end (unset)',
  junit: 'a file for what became of the expectations, as JUnit XML (unset)',
  plot: 'a file for a picture of who was Ready where, as SVG (unset)',
  ...EXPECTATION_HELP,
  ...SHARED_AGENT_KEYS,
  resource: 'module that answers commands, or kvm: a simulated KVM host (built in)',
  'host.tags':
    'tags of each host, comma-separated; in tags, zone, pod and cluster {n} is the number of the agent, {n/40} its rack of 40, {n%3} a remainder (none)',
};

const MAX_AGENTS = 50_000;
const MAX_VMS = 1_000;
const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1_000;

export function isFleetKey(key: string): boolean {
  return Object.hasOwn(FLEET_KEYS, key);
}

/**
 * @param isLinux every address of 127.0.0.0/8 is this machine's
 * @throws ConfigError with the key, the value and what is allowed
 */
export function readSettings(
  values: ReadonlyMap<string, string>,
  isLinux = process.platform === 'linux',
): FleetSettings {
  const given = (key: string) => values.get(key) || undefined;
  const integer = (key: string, fallback: number, min: number, max: number) => {
    const value = given(key);
    if (value === undefined) return fallback;
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= min && number <= max) return number;
    throw new ConfigError(key, value, `a whole number from ${min} to ${max} is allowed`);
  };
  const flag = (key: string) => {
    const value = given(key) ?? 'false';
    if (value === 'true' || value === 'false') return value === 'true';
    throw new ConfigError(key, value, 'true or false is allowed');
  };
  /** @param read undefined for what it cannot read */
  const quantity = <T>(key: string, form: string, read: (text: string) => T | undefined): T | undefined => {
    const value = given(key);
    const found = value === undefined ? undefined : read(value);
    if (value !== undefined && found === undefined) throw new ConfigError(key, value, `${form} is allowed`);
    return found;
  };
  const agentCount = integer('agents', 100, 1, MAX_AGENTS);
  const range = (key: string, fallback?: string): AddressRange | undefined => {
    const value = given(key) ?? fallback;
    if (value === undefined || value === 'none') return undefined;
    const found = addressRange(value);
    if (found === undefined) throw new ConfigError(key, value, `${RANGE_FORM} is allowed`);
    if (roomOf(found) >= agentCount) return found;
    throw new ConfigError(key, value, `it has ${roomOf(found)} addresses, and ${agentsText(agentCount)}`);
  };
  const guidPrefix = given('guid.prefix') ?? 'fleet';
  if (!/^[\w-]+(\.[\w-]+)*$/.test(guidPrefix)) {
    throw new ConfigError('guid.prefix', guidPrefix, 'letters, digits, _, - and single dots are allowed');
  }
  const addresses = range('addresses', isLinux ? DEFAULT_ADDRESSES : undefined);
  if (addresses !== undefined && (addresses.prefix < 8 || Math.floor(addresses.network / 2 ** 24) !== 127)) {
    throw new ConfigError('addresses', given('addresses') ?? '', 'a network in 127.0.0.0/8 is allowed');
  }
  const agentDefaults = new Map([...values].filter(([key]) => Object.hasOwn(SHARED_AGENT_KEYS, key)));
  const { resource, log } = readAgentSettings(key => {
    const value = agentDefaults.get(key);
    return value === undefined ? undefined : ofAgent(value, 1);
  });
  for (const key of ['kvm.network', 'kvm.vms']) {
    const value = given(key);
    if (value !== undefined && resource !== 'kvm') {
      throw new ConfigError(key, value, 'it is for simulated KVM hosts alone: resource=kvm is needed');
    }
  }
  return {
    agentCount,
    guidPrefix,
    dataDir: given('data.dir'),
    rampPerSecond: quantity('ramp', RATE_FORM, ratePerSecond),
    pingIntervalMs: integer('ping.interval', 0, 1, DAY_SECONDS) * 1_000 || undefined,
    churnPerSecond: quantity('churn', RATE_FORM, ratePerSecond),
    churnAwayMs: quantity('churn.away', DURATION_FORM, shortTime) ?? 5_000,
    addresses,
    reportIntervalMs: integer('report.interval', 1, 1, DAY_SECONDS) * 1_000,
    reportsLinks: flag('report.links'),
    durationMs: integer('duration', 0, 0, 365 * DAY_SECONDS) * 1_000 || undefined,
    resource: resource === 'kvm' ? undefined : resource,
    kvm: resource === 'kvm' ? { network: range('kvm.network'), vms: integer('kvm.vms', 0, 0, MAX_VMS) } : undefined,
    hasProxies: flag('proxy'),
    faultsFile: given('faults'),
    expectations: EXPECTATION_KEYS.flatMap(key => {
      const text = given(key);
      return text === undefined ? [] : [checked({ key, text }, agentCount)];
    }),
    files: { summary: given('summary'), junit: given('junit'), plot: given('plot') },
    log,
    agentDefaults,
  };
}

function shortTime(text: string): number | undefined {
  const ms = durationMs(text);
  return ms !== undefined && ms <= DAY_MS ? ms : undefined;
}

/** @throws ConfigError */
function checked(expectation: Expectation, agents: number): Expectation {
  const objection = objectionToExpectation(expectation, agents);
  if (objection !== undefined) throw new ConfigError(expectation.key, expectation.text, objection);
  return expectation;
}
