/** What was asked for cannot be: said in one line. The process exits with 66. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'USAGE_WRONG';
}
