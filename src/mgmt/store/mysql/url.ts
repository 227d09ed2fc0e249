import { ConfigError } from '../../../lib/errors.js';

/** A `db.url` of MariaDB or MySQL, taken apart. */
export interface MysqlUrl {
  readonly hosts: readonly MysqlHost[];
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface MysqlHost {
  readonly host: string;
  readonly port: number;
}

const MYSQL_ALLOWED =
  'allowed is mysql://user:password@host:3306/database; several hosts, as of a Galera cluster, are separated by ' +
  'commas, and what is not a letter or digit in user and password is written as %XX';

const FORM = /^mysql:\/\/(?<user>[^:@/]+)(?::(?<password>[^@/]*))?@(?<hosts>[^@/?#]+)\/(?<database>[^/?#]+)$/;
const HOST_FORM = /^(?:\[(?<ipv6>[0-9a-fA-F:.]+)\]|(?<host>[A-Za-z0-9._-]+))(?::(?<port>\d{1,5}))?$/;
const DEFAULT_PORT = 3306;

/** Not the WHATWG parser's work: that knows one host only. @throws ConfigError, which never shows the password */
export function parseMysqlUrl(dbUrl: string): MysqlUrl {
  const groups = FORM.exec(dbUrl)?.groups;
  if (groups === undefined) throw new ConfigError('db.url', 'mysql:…', MYSQL_ALLOWED);
  const { user = '', password = '', hosts = '', database = '' } = groups;
  try {
    return {
      hosts: hosts.split(',').map(parseHost),
      user: decodeURIComponent(user),
      password: decodeURIComponent(password),
      database: decodeURIComponent(database),
    };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('db.url', 'mysql:…', MYSQL_ALLOWED);
  }
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

/** For messages: the URL as it was given, but for the password. */
export function withoutPassword({ user, hosts, database }: MysqlUrl): string {
  return `mysql://${encodeURIComponent(user)}:…@${hosts.map(hostText).join(',')}/${encodeURIComponent(database)}`;
}

export function hostText({ host, port }: MysqlHost): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
