import { isIP } from 'node:net';
import { canonicalAddress, isLoopback } from '../../lib/address.js';
import { ConfigError } from '../../lib/errors.js';
import { LOG_DEFAULTS, LOG_FORMATS, LOG_LEVELS, type LogOptions } from '../../lib/logger.js';
import { nearestKey } from '../../lib/text/nearest-key.js';
import { MGMT_LIMITS } from './limits.js';
import { canonicalValue, isParameterName, PARAMETER_NAMES, type ParameterName } from './parameters.js';
import { custom, flag, integer, type Kind, oneOf, text, ValueError } from './value-kinds.js';

/** Paths of PEM files with an operator's own certificates. */
export interface PemFiles {
  /** The server's certificate, then those that lead from it to the root. Key: `tls.cert`. */
  readonly certFile: string;
  /** Its private key, not encrypted. Key: `tls.key`. */
  readonly keyFile: string;
  /** The certificates of the CAs that are trusted. Key: `tls.ca`. */
  readonly caFile: string;
}

/** Paths of PEM files with an operator's own CA. */
export interface CaFiles {
  /** The certificate of the CA, then those that lead from it to its root. Key: `ca.cert`. */
  readonly certFile: string;
  /** Its private key, not encrypted. Key: `ca.key`. */
  readonly keyFile: string;
}

/** Paths of PEM files with an operator's own certificate for the API. */
export interface ApiPemFiles {
  /** The certificate, then those that lead from it to the root. Key: `api.tls.cert`. */
  readonly certFile: string;
  /** Its private key, not encrypted. Key: `api.tls.key`. */
  readonly keyFile: string;
}

/** What one server reads from mgmt.properties and its command line, once, at its start. */
export interface MgmtSettings {
  /** The address to listen on for agents. Key: `bind.address`. @default 0.0.0.0 */
  readonly bindAddress: string;
  /** The port to listen on for agents; 0 lets the system choose one. Key: `port`. @default 8250 */
  readonly port: number;
  /** This server's address as it stands in `host`. Key: `cluster.node.IP`. @default the first non-loopback address */
  readonly nodeIp: string | undefined;
  /** The msid, 1 to 2^48 − 1. Key: `cluster.node.id`. @default made once, and kept in `data.dir` */
  readonly nodeId: number | undefined;
  /** The folder of what this server keeps on disk, locked while it runs. Key: `data.dir`. @default data */
  readonly dataDir: string;
  /** The store: see `openStore`. Key: `db.url`. @default sqlite:data/muster.db */
  readonly dbUrl: string;
  /** A file with the password of the database, in place of one in `db.url`. Key: `db.password.file`. @default none */
  readonly dbPasswordFile: string | undefined;
  /**
   * The file with the key that secrets in the store are sealed under. Key: `key.file`.
   * @default with SQLite, a file beside the database file; with MySQL, none: the key is derived from the password in `db.url`
   */
  readonly keyFile: string | undefined;
  /** The operator's own certificates. Keys: `tls.cert`, `tls.key`, `tls.ca`. @default issued by the CA in the store */
  readonly tls: PemFiles | undefined;
  /** The operator's own CA; the same for all servers. Keys: `ca.cert`, `ca.key`. @default made by the first server, kept in the store */
  readonly ca: CaFiles | undefined;
  /** The address to listen on for the HTTP API. Key: `api.address`. @default 127.0.0.1 */
  readonly apiAddress: string;
  /** Its port; 0 lets the system choose one. Key: `api.port`. @default 8080 */
  readonly apiPort: number;
  /**
   * Neither `api.address` nor `api.port` was given. Then a port that is in use is no error: of several servers on one
   * machine, only the first has the API.
   */
  readonly isApiDefault: boolean;
  /**
   * How the HTTP API is served: without TLS, with an operator's own certificate, or with the server's. Keys: `api.tls.cert`,
   * `api.tls.key`, `api.insecure`. @default `plain` on a loopback address, `server` on any other
   */
  readonly apiTls: 'plain' | 'server' | ApiPemFiles;
  /** Unpacked bytes of one packet of a Ready agent, 64 KiB to 64 MiB. Key: `packet.max`. @default 4194304 */
  readonly packetMaxBytes: number;
  /** Keys: `log.level`, `log.format`, `log.file`. */
  readonly log: LogOptions;
}

/** What `readSettings` has read. */
export interface ReadSettings {
  /** Of this server, with defaults. */
  readonly settings: MgmtSettings;
  /** Initial values of the global configuration, as the store keeps them. A value that the store has already wins. */
  readonly initial: ReadonlyMap<ParameterName, string>;
  /** Keys of the file that are no settings, each with a sentence about it. */
  readonly unknown: ReadonlyMap<string, string>;
}

const port = integer(0, 65_535);
const address = custom('an IPv4 or IPv6 address, or a name', canonicalAddress, String);

const KINDS = {
  'bind.address': address,
  port,
  'cluster.node.IP': address,
  // 48 bits; 0 stands for no server.
  'cluster.node.id': integer(1, 2 ** 48 - 1),
  'data.dir': text('the path of a folder'),
  'db.url': text('the URL of a database, such as sqlite:data/muster.db'),
  'db.password.file': text('the path of a file'),
  'key.file': text('the path of a file'),
  'tls.cert': text('the path of a PEM file'),
  'tls.key': text('the path of a PEM file'),
  'tls.ca': text('the path of a PEM file'),
  'ca.cert': text('the path of a PEM file'),
  'ca.key': text('the path of a PEM file'),
  'api.address': address,
  'api.port': port,
  'api.tls.cert': text('the path of a PEM file'),
  'api.tls.key': text('the path of a PEM file'),
  'api.insecure': flag,
  'packet.max': integer(MGMT_LIMITS.packetMaxAtLeast, MGMT_LIMITS.packetMaxAtMost),
  'log.level': oneOf(LOG_LEVELS),
  'log.format': oneOf(LOG_FORMATS),
  'log.file': text('the path of a file, or stdout'),
} as const satisfies Record<string, Kind<unknown>>;

/** The keys of mgmt.properties with their meanings, defaults in brackets: for `--help`. */
export const SETTING_HELP: readonly (readonly [key: keyof typeof KINDS, meaning: string])[] = [
  ['bind.address', 'where to listen for agents (0.0.0.0)'],
  ['port', "the agents' port (8250)"],
  ['cluster.node.IP', "this server's address as it stands in host (the first that is not a loopback address)"],
  ['cluster.node.id', "the server's id, 48 bits (made once, kept in data.dir)"],
  ['data.dir', 'what this server keeps on disk; one folder for each server (data)'],
  ['db.url', 'the store that all servers share; also mysql://user:password@host:3306/database (sqlite:data/muster.db)'],
  ['db.password.file', 'a file with the password of the database, in place of one in db.url'],
  [
    'key.file',
    "the key that secrets in the store are sealed under, the same for all servers (beside SQLite's file; for MySQL, derived from the password in db.url)",
  ],
  ['tls.cert', "PEM: the server's certificate, and what leads from it to the root (issued by the CA in the store)"],
  ['tls.key', 'PEM: its private key'],
  ['tls.ca', 'PEM: whom to trust'],
  [
    'ca.cert',
    'PEM: a CA that issues certificates, and what leads from it to its root; the same for all servers (made, and kept in the store)',
  ],
  ['ca.key', 'PEM: its private key'],
  ['api.address', 'where to listen for the HTTP API (127.0.0.1)'],
  ['api.port', 'its port (8080)'],
  ['api.tls.cert', "PEM: the API's certificate for HTTPS (beyond loopback, the server's own; on loopback, plain HTTP)"],
  ['api.tls.key', 'PEM: its private key'],
  ['api.insecure', 'true: plain HTTP beyond loopback, where anybody on the way reads it (false)'],
  ['packet.max', 'unpacked bytes of one packet of a Ready agent, up to 64 MiB (4194304)'],
  ['log.level', `${LOG_LEVELS.join(', ')} (info)`],
  ['log.format', `${LOG_FORMATS.join(', ')} (text)`],
  ['log.file', 'a path, or stdout (stdout)'],
];

type Key = keyof typeof KINDS;
type Value<K extends Key> = ReturnType<(typeof KINDS)[K]['parse']>;

const MGMT_SETTINGS_DEFAULTS = {
  bindAddress: '0.0.0.0',
  port: 8250,
  dataDir: 'data',
  dbUrl: 'sqlite:data/muster.db',
  apiAddress: '127.0.0.1',
  apiPort: 8080,
  packetMaxBytes: 4 * 2 ** 20,
  log: LOG_DEFAULTS,
} as const;

/**
 * Reads the settings of a server. The command line wins over the file. An unknown key of the file is a warning, because a
 * file may be older or newer than the program; on the command line it is an error.
 * @param file keys and values of mgmt.properties
 * @param commandLine keys and values of the command line
 * @example
 * const { settings, initial } = readSettings(new Map(), new Map([['db.url', 'sqlite:/var/lib/muster-mgmt/muster.db']]));
 * @throws ConfigError when a value is not allowed, or a key of the command line is unknown
 */
export function readSettings(
  file: ReadonlyMap<string, string>,
  commandLine: ReadonlyMap<string, string>,
): ReadSettings {
  const given = new Map<Key, string>();
  const initial = new Map<ParameterName, string>();
  const unknown = new Map<string, string>();
  for (const [source, entries] of [['file', file] as const, ['command line', commandLine] as const]) {
    for (const [key, value] of entries) {
      if (isKey(key)) given.set(key, value.trim());
      else if (isParameterName(key)) initial.set(key, canonical(key, value));
      else if (source === 'file') unknown.set(key, noSetting(key));
      else throw new ConfigError(key, value, noSetting(key));
    }
  }
  return { settings: verify(given), initial, unknown };
}

function verify(given: ReadonlyMap<Key, string>): MgmtSettings {
  const value = <K extends Key>(key: K): Value<K> | undefined => parse(key, given.get(key)) as Value<K> | undefined;
  const defaults = MGMT_SETTINGS_DEFAULTS;
  return {
    bindAddress: value('bind.address') ?? defaults.bindAddress,
    port: value('port') ?? defaults.port,
    nodeIp: value('cluster.node.IP'),
    nodeId: value('cluster.node.id'),
    dataDir: value('data.dir') ?? defaults.dataDir,
    dbUrl: value('db.url') ?? defaults.dbUrl,
    dbPasswordFile: value('db.password.file'),
    keyFile: value('key.file'),
    tls: pemFiles(value('tls.cert'), value('tls.key'), value('tls.ca')),
    ca: caFiles(value('ca.cert'), value('ca.key')),
    apiAddress: value('api.address') ?? defaults.apiAddress,
    apiPort: value('api.port') ?? defaults.apiPort,
    isApiDefault: !given.has('api.address') && !given.has('api.port'),
    apiTls: apiTls(
      value('api.address') ?? defaults.apiAddress,
      value('api.insecure') ?? false,
      value('api.tls.cert'),
      value('api.tls.key'),
    ),
    packetMaxBytes: value('packet.max') ?? defaults.packetMaxBytes,
    log: {
      level: value('log.level') ?? defaults.log.level,
      format: value('log.format') ?? defaults.log.format,
      file: value('log.file') ?? defaults.log.file,
    },
  };
}

/**
 * Why agents that dial `address` do not reach a server that listens on `bindAddress`; undefined: they may. Pure. `::` takes
 * both families.
 */
export function notListening(bindAddress: string, address: string): string | undefined {
  const [bound, dialled] = [isIP(bindAddress), isIP(address)];
  if (bound === 0 || dialled === 0 || bound === dialled || bindAddress === '::') return undefined;
  return `bind.address=${bindAddress} takes no IPv${dialled}: bind.address=:: takes both families`;
}

function parse(key: Key, text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return KINDS[key].parse(text);
  } catch (error) {
    if (error instanceof ValueError) throw new ConfigError(key, text, error.message, { cause: error });
    throw error;
  }
}

function canonical(name: ParameterName, text: string): string {
  try {
    return canonicalValue(name, text);
  } catch (error) {
    if (error instanceof ValueError) throw new ConfigError(name, text, error.message, { cause: error });
    throw error;
  }
}

function pemFiles(certFile?: string, keyFile?: string, caFile?: string): PemFiles | undefined {
  if (certFile === undefined && keyFile === undefined && caFile === undefined) return undefined;
  if (certFile !== undefined && keyFile !== undefined && caFile !== undefined) return { certFile, keyFile, caFile };
  const missing = certFile === undefined ? 'tls.cert' : keyFile === undefined ? 'tls.key' : 'tls.ca';
  throw new ConfigError(missing, '', 'tls.cert, tls.key and tls.ca are given together, or none of them');
}

function caFiles(certFile?: string, keyFile?: string): CaFiles | undefined {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  const missing = certFile === undefined ? 'ca.cert' : 'ca.key';
  throw new ConfigError(missing, '', 'ca.cert and ca.key are given together, or none of them');
}

function apiTls(address: string, isInsecure: boolean, certFile?: string, keyFile?: string): MgmtSettings['apiTls'] {
  if (certFile !== undefined && keyFile !== undefined) {
    if (!isInsecure) return { certFile, keyFile };
    throw new ConfigError('api.insecure', 'true', 'with api.tls.cert there is HTTPS: only one of them is allowed');
  }
  if (certFile !== undefined || keyFile !== undefined) {
    const missing = certFile === undefined ? 'api.tls.cert' : 'api.tls.key';
    throw new ConfigError(missing, '', 'api.tls.cert and api.tls.key are given together, or none of them');
  }
  return isInsecure || isLoopback(address) ? 'plain' : 'server';
}

function isKey(key: string): key is Key {
  return Object.hasOwn(KINDS, key);
}

function noSetting(key: string): string {
  const near = nearestKey(key, [...Object.keys(KINDS), ...PARAMETER_NAMES]);
  return `${JSON.stringify(key)} is no setting${near === undefined ? '' : `; is ${near} meant?`}`;
}
