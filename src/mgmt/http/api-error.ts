import { API, isCommandName } from '../../api/commands/index.js';
import { invalidParameterText } from '../../api/error-text.js';
import type { OperationError } from '../../lib/operation-error.js';

/** A request that fails, in CloudStack's terms. The message goes to the client. */
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
  /** Key or signature are missing or wrong, or the request has expired. */
  | 401
  /** Too many requests with 401. */
  | 429
  /** A parameter is missing or invalid, or there is nothing with this id. */
  | 431
  /** Unknown command, or one that the key may not call. */
  | 432
  /** Refused, the store cannot be reached, or an internal error. */
  | 530;

export function missingParameter(command: string, name: string): ApiError {
  return new ApiError(431, `Unable to execute API command ${command.toLowerCase()} due to missing parameter ${name}`);
}

export function invalidParameter(command: string, name: string, value: string, why: string): ApiError {
  return new ApiError(431, invalidParameterText(command, { name, value, why }), 4350);
}

/** Arguments of the operations whose names in the API are others; which one, the command's table says. */
const PARAMETERS_OF: Readonly<Record<string, readonly string[]>> = {
  serverId: ['managementserverid', 'id'],
  hostId: ['id'],
  clusterId: ['clusterid'],
  tags: ['hosttags'],
};

/** An operation that was not carried out, as the answer to a command. */
export function fromOperationError(command: string, error: OperationError): ApiError {
  switch (error.code) {
    case 'OPERATION_REFUSED':
      return new ApiError(530, error.reason, 4350, { cause: error });
    case 'CONFIGURATION_NAME_UNKNOWN':
      return new ApiError(431, error.reason, 4350, { cause: error });
    case 'ARGUMENT_INVALID': {
      const { argument, value = '', reason } = error;
      if (argument === undefined) return new ApiError(431, reason, 4350, { cause: error });
      return invalidParameter(command, parameterOf(command, argument), value, reason);
    }
  }
}

function parameterOf(command: string, argument: string): string {
  const params = isCommandName(command) ? API[command].params : {};
  return PARAMETERS_OF[argument]?.find(name => name in params) ?? argument;
}
