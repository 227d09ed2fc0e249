/** The command line was called wrongly. The message is one line. The process exits with 66. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'USAGE_WRONG';
}
