import { ALERT_KINDS } from '../../api/words.js';
import { canonicalAddress, parseHostList } from '../../lib/address.js';
import type { Configuration as StoredConfiguration } from '../store/store.js';
import { parseSilences, silencesText } from './silences.js';
import { custom, decimal, flag, integer, type Kind, oneOf, ValueError } from './value-kinds.js';

/** The algorithms that order host lists, by the names that travel as `lbAlgorithm`: see `docs/algorithms.md`. */
export const ALGORITHM_NAMES = ['static', 'roundrobin', 'shuffle', 'rendezvous'] as const;
/** One of `ALGORITHM_NAMES`. */
export type AlgorithmName = (typeof ALGORITHM_NAMES)[number];

/** One name of the global configuration. */
export interface Parameter<T> {
  /** Which values are allowed, and how they are written. */
  readonly kind: Kind<T>;
  /** The value when the store has none. */
  readonly default: T;
  /** The unit of the value, in words: `seconds`, `milliseconds`, `minutes`. */
  readonly unit?: string;
  /** What it is for, in one sentence. */
  readonly description: string;
  /** Whether a change takes effect while servers run. Otherwise it is read at the start of a server. */
  readonly dynamic: boolean;
}

const hosts = custom('IPv4 and IPv6 addresses and DNS names, separated by commas', parseHostList, list =>
  list.join(','),
);

const zones = custom('names, separated by commas', parseZones, list => list.join(','));

const weights = custom('address=weight, separated by commas', parseWeights, weights =>
  [...weights].map(([address, weight]) => `${address}=${weight}`).join(','),
);

const webhooks = custom('http and https URLs, separated by commas', parseWebhooks, list => list.join(','));

const silences = custom(
  `kind=end, separated by commas, with the kinds ${ALERT_KINDS.join(', ')} or subjects of alerts, and ends such as 2026-11-28T14:00Z`,
  parseSilences,
  silencesText,
);

/**
 * The names of the global configuration. It is kept in the store, and is the same for all servers.
 * @example
 * PARAMETERS['ping.interval'].unit; // 'seconds'
 */
export const PARAMETERS = {
  host: parameter({
    kind: hosts,
    // The first server puts its own address there.
    default: [],
    description: 'Management servers that agents connect to, in order of preference',
    dynamic: true,
  }),
  zones: parameter({
    kind: zones,
    default: ['default'],
    description: 'Names of the zones that agents may register with',
    dynamic: true,
  }),
  'indirect.agent.lb.algorithm': parameter({
    kind: oneOf(ALGORITHM_NAMES),
    default: 'static',
    description: 'How the host list is ordered for each agent',
    dynamic: true,
  }),
  'indirect.agent.lb.weights': parameter({
    kind: weights,
    default: new Map<string, number>(),
    description: 'Weights of the management servers, for the rendezvous algorithm',
    dynamic: true,
  }),
  'indirect.agent.lb.check.interval': parameter({
    kind: integer(0, 86_400),
    default: 0,
    unit: 'seconds',
    description: 'How often an agent checks whether its preferred host is back; 0 turns the check off',
    dynamic: true,
  }),
  'ping.interval': parameter({
    kind: integer(1, 86_400),
    default: 60,
    unit: 'seconds',
    description: 'How often agents ping, and how often the server looks for agents that are behind',
    dynamic: true,
  }),
  'ping.timeout': parameter({
    kind: decimal(1, 1_000),
    default: 2.5,
    unit: 'ping intervals',
    description: 'How long an agent may be silent before the server asks for its health',
    dynamic: true,
  }),
  'agent.ssl.handshake.timeout': parameter({
    kind: integer(1, 300),
    default: 30,
    unit: 'seconds',
    description: 'How long the TLS handshake of an agent may take',
    dynamic: true,
  }),
  'agent.max.concurrent.new.connections': parameter({
    kind: integer(0, 1_000_000),
    default: 0,
    description:
      'Connections that may be on their way to a Startup at once; 0 = as many as it can serve in 15 s, at most 8192',
    dynamic: true,
  }),
  'agent.max.concurrent.new.connections.per.address': parameter({
    kind: integer(0, 1_000_000),
    default: 0,
    description: 'Those of them that one address (IPv6: one /64) may have; 0 = a sixteenth, and at least 16',
    dynamic: true,
  }),
  'agent.new.hosts.per.address': parameter({
    kind: integer(0, 1_000_000),
    default: 10_000,
    unit: 'hosts an hour',
    description:
      'Hosts, pods and clusters not known yet that agents of one address (IPv6: one /64) may register; 0 = any',
    dynamic: true,
  }),
  'host.moves.days': parameter({
    kind: integer(1, 3_650),
    default: 30,
    unit: 'days',
    description: 'How long it is kept where hosts were, and why they went',
    dynamic: true,
  }),
  'host.moves.count': parameter({
    kind: integer(1_000, 100_000_000),
    default: 1_000_000,
    unit: 'records',
    description: 'How many records of where hosts were are kept: the newest',
    dynamic: true,
  }),
  'alert.webhook.url': parameter({
    kind: webhooks,
    default: [],
    description: 'Where alerts are posted; without one they are only listed',
    dynamic: true,
  }),
  'alert.webhook.key': parameter({
    kind: custom('the name of an API key, at most 255 characters', parseName, String),
    default: '',
    description: 'The API key with whose secret posted alerts are signed; empty: they are not signed',
    dynamic: true,
  }),
  'alert.agents.nowhere.period': parameter({
    kind: integer(1, 10_080),
    default: 5,
    unit: 'minutes',
    description: 'How long an agent may have no server before there is an alert',
    dynamic: true,
  }),
  'alert.silences': parameter({
    kind: silences,
    default: new Map<string, number>(),
    description: 'Alerts that are not posted, by kind or subject, and until when; silenceAlert sets it',
    dynamic: true,
  }),
  'ca.framework.cert.validity.period': parameter({
    kind: integer(1, 3_650),
    default: 365,
    unit: 'days',
    description: 'How long a certificate of an agent is valid',
    dynamic: true,
  }),
  'ca.framework.cert.automatic.renewal': parameter({
    kind: flag,
    default: true,
    description: 'Whether the certificates of connected agents are renewed before they end',
    dynamic: true,
  }),
  'ca.framework.cert.expiry.alert.period': parameter({
    kind: integer(0, 3_650),
    default: 15,
    unit: 'days',
    description: "How long before its end an agent's certificate is renewed at the latest, or operators are told",
    dynamic: true,
  }),
  'ca.framework.background.task.delay': parameter({
    kind: integer(10, 86_400),
    default: 3_600,
    unit: 'seconds',
    description: 'How often a server looks at the certificates of its agents',
    dynamic: true,
  }),
  'ca.plugin.root.allow.expired.cert': parameter({
    kind: flag,
    default: false,
    description: 'Whether agents are let in with a certificate that has expired',
    dynamic: true,
  }),
  'ca.plugin.root.auth.strictness': parameter({
    kind: flag,
    // A store that had servers before this was the default has `false`: migration 7 has written it.
    default: true,
    description: 'Whether agents are let in with a good certificate only; without one they can enrol with a token',
    dynamic: true,
  }),
  'ca.agent.allow.address.certificates': parameter({
    kind: flag,
    default: true,
    description: "Whether an agent's certificate may name its address in place of its host, as CloudStack's do",
    dynamic: true,
  }),
  'agents.capacity': parameter({
    kind: integer(0, 100_000_000),
    default: 0,
    unit: 'agents',
    description: 'How many agents one server can carry, for the figure of survivability; 0 = not known, no figure',
    dynamic: true,
  }),
  'agent.migrate.rate': parameter({
    kind: integer(1, 1_000_000),
    default: 100,
    unit: 'agents a second',
    description: 'How fast agents are moved to one target server',
    dynamic: true,
  }),
  'management.server.shutdown.drain.timeout': parameter({
    kind: integer(0, 86_400),
    default: 30,
    unit: 'seconds',
    description: 'How long a server that stops waits for its agents to move',
    dynamic: true,
  }),
  'management.server.maintenance.timeout': parameter({
    kind: integer(1, 10_080),
    default: 60,
    unit: 'minutes',
    description: 'How long a server prepares for maintenance at most',
    dynamic: true,
  }),
  'cluster.heartbeat.interval': parameter({
    kind: integer(100, 600_000),
    default: 1_500,
    unit: 'milliseconds',
    description: 'How often a server raises its heartbeat counter in the store',
    dynamic: false,
  }),
  'cluster.heartbeat.threshold': parameter({
    kind: integer(1_000, 86_400_000),
    default: 150_000,
    unit: 'milliseconds',
    description: 'How long a heartbeat counter is seen unchanged before its server counts as down',
    dynamic: false,
  }),
} as const;

/** A name of the global configuration, such as `ping.interval`. */
export type ParameterName = keyof typeof PARAMETERS;
export const PARAMETER_NAMES = Object.keys(PARAMETERS) as readonly ParameterName[];

/** The values of the global configuration, by name; in the units of `PARAMETERS`. */
export type ParameterValues = {
  readonly [N in ParameterName]: (typeof PARAMETERS)[N] extends Parameter<infer T> ? T : never;
};

/** The global configuration at one moment. */
export interface Configuration {
  /** Its generation: each change raises it by one. */
  readonly version: number;
  /** By name, with their defaults where the store has none. */
  readonly values: ParameterValues;
  /** The generation of assignments that counts with it. */
  readonly assignmentGeneration: number;
  /** The change that holds for a few hosts alone. */
  readonly canary?: Canary | undefined;
}

/** A change of what host lists follow from that holds for a few hosts alone, until it holds for all or is taken back. */
export interface Canary {
  /** The generation of the configuration that it began with. */
  readonly id: number;
  /** When, by the store's clock, in milliseconds since 1970. */
  readonly begun: number;
  /** The name of the API key that asked for it, or the address of the server that did. */
  readonly createdBy: string;
  /** The values that hold for its hosts. */
  readonly values: ParameterValues;
  /** Its hosts by id, and with `rendezvous` the preferred host of each. */
  readonly hosts: ReadonlyMap<number, string | null>;
}

/** The values that hold for a host. */
export function valuesFor({ values, canary }: Pick<Configuration, 'values' | 'canary'>, hostId: number) {
  return canary?.hosts.has(hostId) ? canary.values : values;
}

/** What values of several names must be to each other. */
interface ParameterRule {
  readonly names: readonly ParameterName[];
  /** For people: what is allowed. */
  readonly allowed: string;
  isKept(values: ParameterValues): boolean;
}

/** A server is found dead by its missing heartbeats, not by one that is late. */
const HEARTBEATS_A_THRESHOLD = 3;

const RULES: readonly ParameterRule[] = [
  {
    names: ['cluster.heartbeat.interval', 'cluster.heartbeat.threshold'],
    allowed: `cluster.heartbeat.threshold is at least ${HEARTBEATS_A_THRESHOLD} times cluster.heartbeat.interval`,
    isKept: values =>
      values['cluster.heartbeat.threshold'] >= HEARTBEATS_A_THRESHOLD * values['cluster.heartbeat.interval'],
  },
];

/** A value in the store that cannot be used. */
export interface InvalidParameter {
  /** Whose value it is. */
  readonly name: ParameterName;
  /** What the store has. */
  readonly text: string;
  /** Why it cannot be used, in words. */
  readonly reason: string;
}

export function isParameterName(name: string): name is ParameterName {
  return Object.hasOwn(PARAMETERS, name);
}

/** `text` in the spelling in which the store keeps it. @throws ValueError when the value is not allowed */
export function canonicalValue(name: ParameterName, text: string): string {
  const { kind } = PARAMETERS[name] as Parameter<unknown>;
  return kind.format(kind.parse(text.trim()));
}

/** The default of a name, in the spelling in which the store keeps values. */
export function defaultValue(name: ParameterName): string {
  const { kind, default: value } = PARAMETERS[name] as Parameter<unknown>;
  return kind.format(value);
}

/**
 * Reads the values that the store has. A name without a value gets its default. Names that this version does not know
 * are ignored. Values that cannot be right together are invalid too.
 * @param stored what `Store.configuration` returns
 * @param former has the value that stays when the stored one cannot be used. @default the default of the name
 * @returns the configuration, and the stored values that cannot be used: somebody has changed the database by hand
 * @example
 * const { configuration } = readConfiguration(await store.configuration());
 * configuration.values['ping.interval']; // 60
 */
export function readConfiguration(
  stored: Omit<StoredConfiguration, 'revocation' | 'authorities'>,
  former?: Configuration,
): { configuration: Configuration; invalid: readonly InvalidParameter[] } {
  const { version, assignmentGeneration, canary } = stored;
  const { values, invalid } = readValues(stored.values, former?.values);
  if (canary === undefined) return { configuration: { version, assignmentGeneration, values }, invalid };
  const { id, hosts, changes, created: begun, createdBy } = canary;
  const own = readValues(new Map([...stored.values, ...changes]), former?.canary?.values ?? values);
  return {
    configuration: {
      version,
      assignmentGeneration,
      values,
      canary: { id, begun, createdBy, hosts, values: own.values },
    },
    invalid: [...invalid, ...own.invalid.filter(({ name }) => changes.has(name))],
  };
}

function readValues(
  texts: ReadonlyMap<string, string>,
  former: ParameterValues | undefined,
): { readonly values: ParameterValues; readonly invalid: readonly InvalidParameter[] } {
  const invalid: InvalidParameter[] = [];
  const values: Record<string, unknown> = {};
  for (const name of PARAMETER_NAMES) {
    const parameter = PARAMETERS[name] as Parameter<unknown>;
    const text = texts.get(name);
    try {
      values[name] = text === undefined ? parameter.default : parameter.kind.parse(text);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      values[name] = former?.[name] ?? parameter.default;
      invalid.push({ name, text: text ?? '', reason: error.message });
    }
  }
  for (const { names, allowed, isKept } of RULES) {
    // Each name was just given a value of its kind.
    if (isKept(values as ParameterValues)) continue;
    for (const name of names) {
      invalid.push({ name, text: texts.get(name) ?? defaultValue(name), reason: allowed });
      values[name] = former?.[name] ?? PARAMETERS[name].default;
    }
  }
  return { values: values as ParameterValues, invalid };
}

function parameter<const T>(parameter: Parameter<T>): Parameter<T> {
  return parameter;
}

function parseZones(text: string): readonly string[] {
  const names = text.split(',').map(name => name.trim());
  for (const [index, name] of names.entries()) {
    if (name === '') throw new ValueError(`entry ${index + 1} of ${names.length} is empty; names are needed`);
    if (name.length > 255) throw new ValueError(`entry ${index + 1} is longer than 255 characters`);
    if (names.indexOf(name) !== index) throw new ValueError(`${JSON.stringify(name)} is there twice`);
  }
  return names;
}

const MOST_WEBHOOKS = 8;

function parseWebhooks(text: string): readonly string[] {
  if (text === '') return [];
  const urls = text.split(',').map(url => url.trim());
  if (urls.length > MOST_WEBHOOKS) throw new ValueError(`at most ${MOST_WEBHOOKS} URLs are allowed`);
  for (const [index, text] of urls.entries()) {
    // Two URLs with a blank between them would be read as one.
    const url = URL.canParse(text) && !/\s/.test(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.hash !== '') {
      throw new ValueError(`entry ${index + 1}: an http or https URL is allowed`);
    }
    // They would be shown to whoever lists the configuration.
    if (url.username !== '' || url.password !== '')
      throw new ValueError(`entry ${index + 1}: without user and password`);
    if (urls.indexOf(text) !== index) throw new ValueError(`entry ${index + 1} is there twice`);
  }
  return urls;
}

function parseName(text: string): string {
  if (text.length > 255) throw new ValueError('at most 255 characters are allowed');
  return text;
}

const LEAST_WEIGHT = 0.001;
const MOST_WEIGHT = 1_000;

function parseWeights(text: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  if (text === '') return weights;
  for (const entry of text.split(',')) {
    const [address = '', weight = ''] = entry.trim().split('=');
    const canonical = canonicalAddress(address);
    if (!/^\d+(\.\d+)?$/.test(weight) || Number(weight) < LEAST_WEIGHT || Number(weight) > MOST_WEIGHT) {
      const range = `${LEAST_WEIGHT} to ${MOST_WEIGHT}`;
      throw new ValueError(`${JSON.stringify(entry.trim())}: address=weight is allowed, with a weight from ${range}`);
    }
    if (weights.has(canonical)) throw new ValueError(`${canonical} is there twice`);
    weights.set(canonical, Number(weight));
  }
  return weights;
}
