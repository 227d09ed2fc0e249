/**
 * An operation that somebody asked for was not carried out. Nothing was changed. The message is a sentence for people.
 * Match on `code`.
 * @example
 * try {
 *   await node.operations.changeConfiguration({ name: 'ping.interval', value: '0' });
 * } catch (error) {
 *   if (error instanceof OperationError && error.code === 'ARGUMENT_INVALID') console.log(error.argument, error.reason);
 * }
 */
export class OperationError extends Error {
  override readonly name = 'OperationError';
  /** What is wrong, for programs. docs/errors.md has every code. */
  readonly code: OperationErrorCode;
  /** Which argument is wrong, by its name in the call. Undefined with `OPERATION_REFUSED`, and when no single one is. */
  readonly argument: string | undefined;
  /** What was given. Undefined with `argument`. */
  readonly value: string | undefined;
  /** The message without the argument and its value. */
  readonly reason: string;

  constructor(
    code: OperationErrorCode,
    reason: string,
    { argument, value }: { readonly argument?: string; readonly value?: string } = {},
  ) {
    super(argument === undefined ? reason : `${argument}=${value}: ${reason}`);
    this.code = code;
    this.argument = argument;
    this.value = value;
    this.reason = reason;
  }
}

/** Why an operation was not carried out. */
export type OperationErrorCode =
  /**
   * The state of the server, the host or the cluster does not allow it, or other changes of the configuration came in
   * between again and again.
   */
  | 'OPERATION_REFUSED'
  /** The value of an argument is not allowed, there is nothing with this id, or arguments exclude each other. */
  | 'ARGUMENT_INVALID'
  /** The global configuration has no such name. */
  | 'CONFIGURATION_NAME_UNKNOWN';

export function refusedOperation(reason: string): OperationError {
  return new OperationError('OPERATION_REFUSED', reason);
}

export function invalidArgument(argument: string, value: string, reason: string): OperationError {
  return new OperationError('ARGUMENT_INVALID', reason, { argument, value });
}

/** Each argument may be right, and they are not together. */
export function invalidTogether(reason: string): OperationError {
  return new OperationError('ARGUMENT_INVALID', reason);
}

/** @throws OperationError ARGUMENT_INVALID: it is no whole number from `least` to `most` */
export function checkRange(argument: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw invalidArgument(argument, String(value), `${least} to ${most} are allowed`);
}
