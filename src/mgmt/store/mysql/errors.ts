import { codeOf, reasonOf } from '../../../lib/errors.js';
import { again, final, type Verdict } from '../sql/database.js';
import { UnkeepableValue } from '../sql/unkeepable-value.js';
import type { StoreErrorCode } from '../store-error.js';
import { hostText, type MysqlHost, type MysqlUrl } from './url.js';

/** A node does not do its work, for whatever reason: it does not answer, or answers that it cannot. */
export class MysqlHostError extends Error {
  override readonly name = 'MysqlHostError';
  readonly code: StoreErrorCode;
  /** Another node is left to ask, and nothing of the transaction can have been committed here. */
  readonly again: boolean;

  readonly host: MysqlHost;

  constructor(host: MysqlHost, code: StoreErrorCode, again: boolean, cause: unknown) {
    super(`${hostText(host)}: ${reasonOf(cause)}`, { cause });
    this.host = host;
    this.code = code;
    this.again = again;
  }

  butNotAgain(): MysqlHostError {
    return new MysqlHostError(this.host, this.code, false, this.cause);
  }
}

/** No answer within the limit of one statement. */
export class MysqlTimeout extends Error {
  override readonly name = 'MysqlTimeout';
}

/** https://mariadb.com/kb/en/mariadb-error-codes/; MySQL has the same numbers for these. */
const VERDICTS: Readonly<Record<number, Verdict>> = {
  1020: again('STORE_BUSY'), // CHECKREAD: changed since it was read
  1021: final('STORE_FULL'), // DISK_FULL
  1034: final('STORE_CORRUPT'), // NOT_KEYFILE
  1062: again('STORE_BUSY'), // DUP_ENTRY: another server was faster
  1114: final('STORE_FULL'), // RECORD_FILE_FULL
  1194: final('STORE_CORRUPT'), // CRASHED_ON_USAGE
  1205: again('STORE_BUSY'), // LOCK_WAIT_TIMEOUT
  1213: again('STORE_BUSY'), // LOCK_DEADLOCK; also Galera's certification
  1264: final('STORE_VALUE_REFUSED'), // WARN_DATA_OUT_OF_RANGE
  1317: again('STORE_BUSY'), // QUERY_INTERRUPTED: by Galera, for another node's transaction, or by us, when it took too long
  1366: final('STORE_VALUE_REFUSED'), // TRUNCATED_WRONG_VALUE_FOR_FIELD
  1406: final('STORE_VALUE_REFUSED'), // DATA_TOO_LONG
  1412: again('STORE_BUSY'), // TABLE_DEF_CHANGED: a migration
  1712: final('STORE_CORRUPT'), // INDEX_CORRUPT
  1969: again('STORE_BUSY'), // STATEMENT_TIMEOUT, of MariaDB
  3024: again('STORE_BUSY'), // QUERY_TIMEOUT, of MySQL
};

/** What says that this node is not the one to ask. */
const NODE_ERRORS: Readonly<Record<number, StoreErrorCode>> = {
  1040: 'STORE_UNAVAILABLE', // CON_COUNT: too many connections
  1047: 'STORE_UNAVAILABLE', // UNKNOWN_COM: what a Galera node says that is not part of the primary component
  1053: 'STORE_UNAVAILABLE', // SERVER_SHUTDOWN
  1152: 'STORE_UNAVAILABLE', // ABORTING_CONNECTION
  1180: 'STORE_UNAVAILABLE', // ERROR_DURING_COMMIT: of a Galera node that loses its cluster meanwhile
  1290: 'STORE_READ_ONLY', // OPTION_PREVENTS_STATEMENT
  1836: 'STORE_READ_ONLY', // READ_ONLY_MODE
  1927: 'STORE_UNAVAILABLE', // CONNECTION_KILLED
};

/** @returns what is wrong with the node; undefined when it is the statement that failed */
export function nodeErrorOf(error: unknown): StoreErrorCode | undefined {
  if (error instanceof MysqlTimeout) return 'STORE_UNAVAILABLE';
  const errno = errnoOf(error);
  const known = errno === undefined ? undefined : NODE_ERRORS[errno];
  // What the server says has a number and a state; all else happened on the way there.
  return known ?? (isFromServer(error) ? undefined : 'STORE_UNAVAILABLE');
}

export function judgeMysql(error: unknown): Verdict {
  if (error instanceof UnkeepableValue) return final('STORE_VALUE_REFUSED');
  if (error instanceof MysqlHostError) return { code: error.code, again: error.again };
  if (!isFromServer(error)) return 'not-ours';
  return VERDICTS[errnoOf(error) ?? 0] ?? final('STORE_FAILED');
}

const BY_TLS = 'db.url=mysql://…?tls=verify-full&tlsCa=FILE';

/** The settings are wrong: no server will ever let us in. @returns what the operator can do */
export function remedyOf(error: unknown, { database, user, tls }: MysqlUrl): string | undefined {
  const { errno, text } = serverErrorIn(error);
  switch (errno) {
    case 1045: // ACCESS_DENIED_ERROR
    case 1698: // ACCESS_DENIED_NO_PASSWORD_ERROR
      // MariaDB says so, too, to a client without TLS where it takes TLS only.
      return `the database refuses user and password (${text})${tls.mode === 'off' ? `; if it takes TLS only: ${BY_TLS}` : ''}`;
    case 1044: // DBACCESS_DENIED_ERROR
    case 1142: // TABLEACCESS_DENIED_ERROR
      return `${text}; as its administrator: GRANT ALL ON ${database}.* TO ${user}`;
    case 1049: // BAD_DB_ERROR
      return `${text}; as its administrator: CREATE DATABASE ${database} CHARACTER SET utf8mb4`;
    case 3159: // SECURE_TRANSPORT_REQUIRED
    case 4188: // The same, of other versions of MariaDB.
      return `the database takes TLS only (${text}): ${BY_TLS}`;
    default:
      return causes(error).some(cause => codeOf(cause) === 'HANDSHAKE_NO_SSL_SUPPORT')
        ? 'the database does not speak TLS, and tls is not off'
        : undefined;
  }
}

function causes(error: unknown): readonly unknown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}

function serverErrorIn(error: unknown): { errno: number | undefined; text: string } {
  const found = causes(error).find(isFromServer);
  return { errno: errnoOf(found), text: found === undefined ? '' : reasonOf(found) };
}

function isFromServer(error: unknown): boolean {
  // Not its `code`: mysql2 has no name for some of MariaDB's errors.
  return typeof (error as { sqlState?: unknown } | undefined)?.sqlState === 'string' && errnoOf(error) !== undefined;
}

function errnoOf(error: unknown): number | undefined {
  const errno = (error as { errno?: unknown } | undefined)?.errno;
  return typeof errno === 'number' ? errno : undefined;
}
