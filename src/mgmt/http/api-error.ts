/** A request that fails, in CloudStack's terms. The text goes to the client. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status and `errorcode`. */
  readonly code: ApiErrorCode;
  /** `cserrorcode`: 9999 thrown by the API layer, 4350 invalid parameter, 4250 internal. */
  readonly csCode: 9999 | 4350 | 4250;

  constructor(code: ApiErrorCode, text: string, csCode: 9999 | 4350 | 4250 = 9999, options?: ErrorOptions) {
    super(text, options);
    this.code = code;
    this.csCode = csCode;
  }
}

export type ApiErrorCode =
  /** Bad or missing signature or key, or expired. */
  | 401
  | 429
  /** A parameter is missing or invalid. */
  | 431
  /** Unknown command. */
  | 432
  /** In maintenance, starting, stopping. */
  | 503
  /** Refused, or an error of ours. */
  | 530;

export function missingParameter(command: string, name: string): ApiError {
  return new ApiError(431, `Unable to execute API command ${command.toLowerCase()} due to missing parameter ${name}`);
}

export function invalidParameter(command: string, name: string, value: string, why: string): ApiError {
  return new ApiError(
    431,
    `Unable to execute API command ${command.toLowerCase()} due to invalid value. Invalid parameter ${name} value=${value} due to ${why}`,
    4350,
  );
}

export function refused(why: string): ApiError {
  return new ApiError(530, why, 4350);
}
