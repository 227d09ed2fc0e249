/** What a process of ours exits with. */
export const EXIT_CODES = { ok: 0, configuration: 66, fatal: 67 } as const;

/** A setting is wrong: said in one line with the key, the value and what is allowed. The process exits with 66. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'CONFIG_INVALID';
  readonly key: string;
  readonly value: string;
  readonly allowed: string;

  constructor(key: string, value: string, allowed: string, options?: ErrorOptions) {
    super(`${key}=${value}: ${allowed}`, options);
    this.key = key;
    this.value = value;
    this.allowed = allowed;
  }
}

/** The process cannot go on, through no fault of a setting's form: a port in use, a newer schema. It exits with 67. */
export class FatalError extends Error {
  override readonly name = 'FatalError';
  readonly code: FatalErrorCode;

  constructor(code: FatalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type FatalErrorCode =
  | 'PORT_IN_USE'
  | 'ADDRESS_NOT_AVAILABLE'
  | 'LISTEN_FAILED'
  | 'STORE_UNUSABLE'
  | 'STORE_TOO_NEW'
  | 'KEY_FILE_UNUSABLE'
  | 'SERVER_ROW_TAKEN';

/** The text of whatever was thrown, for a log line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A failed connection to a name with several addresses has an empty message of its own.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
  return error.message;
}

/** The system's or our own code of an error, such as `ECONNREFUSED`; undefined when it has none. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
