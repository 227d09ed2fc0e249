import { ConfigError } from '../../../lib/errors.js';

/** A `db.url` of MariaDB or MySQL, taken apart. */
export interface MysqlUrl {
  readonly hosts: readonly MysqlHost[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly tls: MysqlTls;
}

/**
 * Whether the connection is encrypted, and what is verified: `required` verifies nothing, `verify-ca` that the CA has signed
 * the node's certificate, `verify-full` also that it is for the host that is dialled. Modes as of MySQL's `ssl-mode`.
 */
export type MysqlTls =
  | { readonly mode: 'off' }
  | {
      readonly mode: 'required' | 'verify-ca' | 'verify-full';
      /** Paths of PEM files. */
      readonly caFile: string | undefined;
      readonly certFile: string | undefined;
      readonly keyFile: string | undefined;
    };

const TLS_MODES = ['off', 'required', 'verify-ca', 'verify-full'] as const;
const TLS_FILES = ['tlsCa', 'tlsCert', 'tlsKey'] as const;

export interface MysqlHost {
  readonly host: string;
  readonly port: number;
}

const MYSQL_ALLOWED =
  'allowed is mysql://user:password@host:3306/database; several hosts, as of a Galera cluster, are separated by ' +
  'commas, and what is not a letter or digit in user and password is written as %XX; parameters behind ? are ' +
  `tls (${TLS_MODES.join(', ')}), ${TLS_FILES.join(', ')}`;

const FORM =
  /^mysql:\/\/(?<user>[^:@/]+)(?::(?<password>[^@/]*))?@(?<hosts>[^@/?#]+)\/(?<database>[^/?#]+)(?:\?(?<query>[^#]*))?$/;
const HOST_FORM = /^(?:\[(?<ipv6>[0-9a-fA-F:.]+)\]|(?<host>[A-Za-z0-9._-]+))(?::(?<port>\d{1,5}))?$/;
const DEFAULT_PORT = 3306;

/** Not the WHATWG parser's work: that knows one host only. @throws ConfigError, which never shows the password */
export function parseMysqlUrl(dbUrl: string): MysqlUrl {
  const groups = FORM.exec(dbUrl)?.groups;
  if (groups === undefined) throw new ConfigError('db.url', 'mysql:…', MYSQL_ALLOWED);
  const { user = '', password = '', hosts = '', database = '', query = '' } = groups;
  try {
    return {
      hosts: hosts.split(',').map(parseHost),
      user: decodeURIComponent(user),
      password: decodeURIComponent(password),
      database: decodeURIComponent(database),
      tls: parseTls(query),
    };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('db.url', 'mysql:…', MYSQL_ALLOWED);
  }
}

/** @throws ConfigError */
function parseTls(query: string): MysqlTls {
  const wrong = (reason: string) => new ConfigError('db.url', 'mysql:…', `${reason}; ${MYSQL_ALLOWED}`);
  const given = new URLSearchParams(query);
  for (const name of given.keys()) {
    if (name !== 'tls' && !TLS_FILES.some(one => one === name)) throw wrong(`${JSON.stringify(name)} is no parameter`);
  }
  const [caFile, certFile, keyFile] = TLS_FILES.map(name => given.get(name) || undefined);
  const isAnyFile = caFile !== undefined || certFile !== undefined || keyFile !== undefined;
  // Who names a CA wants it to be verified.
  const text = given.get('tls') ?? (isAnyFile ? 'verify-full' : 'off');
  const mode = TLS_MODES.find(one => one === text);
  if (mode === undefined) throw wrong(`tls=${text} is no mode`);
  if ((certFile === undefined) !== (keyFile === undefined)) throw wrong('tlsCert and tlsKey are given together');
  if (mode !== 'off') return { mode, caFile, certFile, keyFile };
  if (isAnyFile) throw wrong('with tls=off there are no files');
  return { mode };
}

function parseHost(text: string): MysqlHost {
  const groups = HOST_FORM.exec(text.trim())?.groups;
  const host = groups?.ipv6 ?? groups?.host;
  const port = Number(groups?.port ?? DEFAULT_PORT);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new ConfigError('db.url', 'mysql:…', `${JSON.stringify(text)} is no host; ${MYSQL_ALLOWED}`);
  }
  return { host, port };
}

/** For messages: the URL without password and parameters. */
export function withoutPassword({ user, hosts, database }: MysqlUrl): string {
  return `mysql://${encodeURIComponent(user)}:…@${hosts.map(hostText).join(',')}/${encodeURIComponent(database)}`;
}

export function hostText({ host, port }: MysqlHost): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
