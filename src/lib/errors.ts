import { withoutSecret } from './secret-settings.js';

/** The exit codes of the programs. `unmet`: a fleet has found something else than was expected. */
export const EXIT_CODES = { ok: 0, unmet: 1, configuration: 66, fatal: 67 } as const;

/**
 * A setting is wrong. The message has the key, the value and what is allowed. The program exits with 66.
 * @example
 * if (error instanceof ConfigError) console.error(`${error.key} must be: ${error.allowed}`);
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** What is wrong, for programs. docs/errors.md has every code. */
  readonly code = 'CONFIG_INVALID';
  /** The key of the setting, such as `db.url`. */
  readonly key: string;
  /** What was given, without what is secret. */
  readonly value: string;
  /** What is allowed, or what is wrong, in words. */
  readonly allowed: string;

  constructor(key: string, value: string, allowed: string, options?: ErrorOptions) {
    const shown = withoutSecret(key, value);
    super(`${key}=${shown}: ${allowed}`, options);
    this.key = key;
    this.value = shown;
    this.allowed = allowed;
  }
}

/**
 * The program cannot go on, although its settings are valid: a port is in use, the schema is newer. It exits with 67.
 * @example
 * if (error instanceof FatalError && error.code === 'PORT_IN_USE') console.error(error.message);
 */
export class FatalError extends Error {
  override readonly name = 'FatalError';
  /** What is wrong, for programs. docs/errors.md has every code. */
  readonly code: FatalErrorCode;

  constructor(code: FatalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Why the program cannot go on. */
export type FatalErrorCode =
  /** Another process listens on this port. */
  | 'PORT_IN_USE'
  /** The machine does not have the address to listen on. */
  | 'ADDRESS_NOT_AVAILABLE'
  /** The port cannot be opened for another reason, such as missing rights. */
  | 'LISTEN_FAILED'
  /** The store cannot be opened. */
  | 'STORE_UNUSABLE'
  /** A later version has changed the store's schema. */
  | 'STORE_TOO_NEW'
  /** `key.file` cannot be used, or is not the one that the secrets in the store are sealed under. */
  | 'KEY_FILE_UNUSABLE'
  /** Another server has this server's row in the store. */
  | 'SERVER_ROW_TAKEN';

/** The message of anything that was thrown, for a log line. Never throws: a foreign module may throw anything. */
export function reasonOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error);
    // When the connections to all addresses of a name fail, Node's error has an empty message.
    if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
    return String(error.message);
  } catch {
    return 'an error without a message';
  }
}

/** The code of an error, such as `ECONNREFUSED` or `CONFIG_INVALID`; undefined when it has none. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
