import { API, type CommandName, isCommandName } from '../../api/commands/index.js';
import { ERROR_RESPONSE, envelope, errorEnvelope, responseName } from '../../api/envelope.js';
import { param, type RequestParams } from '../../api/signature.js';
import { type Clock, delay } from '../../lib/clock.js';
import { codeOf, reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { nearestKey } from '../../lib/nearest-key.js';
import { OperationError } from '../../lib/operation-error.js';
import type { ApiKeys } from '../security/api-keys.js';
import { isAway } from '../store/store-health.js';
import { ApiError, fromOperationError } from './api-error.js';
import { authenticate } from './authentication.js';
import { type Failures, failedAgain, heldBackMs, isForgotten } from './failures.js';
import type { Handlers } from './handlers/index.js';
import { validated } from './validate.js';

export interface ApiParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly keys: ApiKeys;
  readonly handlers: Handlers;
}

export interface ApiReply {
  /** HTTP status. */
  readonly status: number;
  /** JSON. */
  readonly body: string;
}

/** For how many addresses failures are kept. Beyond that, the oldest are dropped. */
const FAILURES_MAX = 10_000;

/** `/client/api` without sockets: from the parameters of a request to the reply. */
export class Api {
  readonly #parts: ApiParts;
  readonly #failures = new Map<string, Failures>();

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /**
   * Answers a request. Never rejects.
   * @param address of the client: its requests are delayed when many of them were refused with 401
   */
  async handle(params: RequestParams, address: string): Promise<ApiReply> {
    const command = param(params, 'command') ?? '';
    const name = isCommandName(command) ? responseName(command) : ERROR_RESPONSE;
    try {
      return { status: 200, body: await this.#answer(command, params, address) };
    } catch (error) {
      const failure = this.#asApiError(command, error);
      return { status: failure.code, body: errorEnvelope(name, failure) };
    }
  }

  async #answer(command: string, params: RequestParams, address: string): Promise<string> {
    await this.#holdBack(address);
    try {
      authenticate(params, this.#parts.keys, this.#parts.clock.wallTime());
    } catch (error) {
      this.#noteFailure(address);
      throw error;
    }
    this.#failures.delete(address);
    if (command === '') throw new ApiError(431, 'Unable to execute API command due to missing parameter command');
    if (!isCommandName(command)) throw unknownCommand(command);
    return this.#carryOut(command, params);
  }

  async #carryOut<N extends CommandName>(command: N, params: RequestParams): Promise<string> {
    return envelope(command, await this.#parts.handlers(command, validated(command, params)));
  }

  async #holdBack(address: string): Promise<void> {
    const { clock } = this.#parts;
    const waitMs = heldBackMs(this.#failures.get(address), clock.now());
    if (waitMs === undefined) throw new ApiError(429, 'too many requests with a wrong key or signature: wait a minute');
    if (waitMs > 0) await delay(clock, waitMs);
  }

  #noteFailure(address: string): void {
    const now = this.#parts.clock.now();
    this.#failures.set(address, failedAgain(this.#failures.get(address), now));
    if (this.#failures.size <= FAILURES_MAX) return;
    for (const [other, failures] of this.#failures) if (isForgotten(failures, now)) this.#failures.delete(other);
    for (const [oldest] of this.#failures) {
      if (this.#failures.size <= FAILURES_MAX) break;
      this.#failures.delete(oldest);
    }
  }

  #asApiError(command: string, error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    if (error instanceof OperationError) return fromOperationError(command, error);
    const reason = reasonOf(error);
    if (isAway(error)) {
      this.#parts.log.warn('An API command failed, since the store is away', { command, code: codeOf(error), reason });
      return new ApiError(530, `the store cannot be reached now: ${codeOf(error)}`, 4250, { cause: error });
    }
    this.#parts.log.error('An API command failed', { command, reason, stack: (error as Error)?.stack });
    return new ApiError(530, 'internal error: see the log of this management server', 4250, { cause: error });
  }
}

function unknownCommand(command: string): ApiError {
  const near = nearestKey(command, Object.keys(API));
  return new ApiError(432, `Unknown API command: ${command}${near ? `; did you mean ${near}?` : ''}`);
}
