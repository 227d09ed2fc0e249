import { API, type CommandName, isCommandName } from '../../api/commands/index.js';
import { ERROR_RESPONSE, envelope, errorEnvelope, responseName } from '../../api/envelope.js';
import { param, type RequestParams } from '../../api/signature.js';
import { networkOf } from '../../lib/address.js';
import { type Clock, delay } from '../../lib/clock.js';
import { codeOf, reasonOf } from '../../lib/errors.js';
import { runInTurns } from '../../lib/interruptible.js';
import type { Log } from '../../lib/logger.js';
import { OperationError } from '../../lib/operation-error.js';
import { nearestKey } from '../../lib/text/nearest-key.js';
import type { EventSink } from '../cluster/events.js';
import { Refusals } from '../cluster/refusals.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { ApiKey, ApiKeyPair, ApiKeys } from '../security/api-keys.js';
import type { Store } from '../store/store.js';
import { isAway } from '../store/store-health.js';
import { ApiError, fromOperationError } from './api-error.js';
import {
  authenticate,
  authenticatePair,
  ofSession,
  pairInBasic,
  refusal,
  type SignedRequest,
} from './authentication.js';
import { type Failures, failedAgain, heldBackMs } from './failures.js';
import type { Handlers } from './handlers/index.js';
import { jsonInSteps } from './json-parts.js';
import { changesSomething, mayCall } from './roles.js';
import { validated } from './validate.js';

export interface ApiParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly keys: Pick<ApiKeys, 'find'>;
  readonly handlers: Handlers;
  readonly store: Pick<Store, 'noteRequest'>;
  readonly events: EventSink;
}

export interface ApiReply {
  /** HTTP status. */
  readonly status: number;
  /** JSON, in parts that follow each other. */
  readonly body: readonly string[];
  /** Whether the request had a right key and signature. */
  readonly isSigned: boolean;
}

/** For how many addresses failures are kept. Beyond that, the one that has not failed for longest is forgotten. */
const FAILURES_MAX = 10_000;
/** A request that changes something is noted until it expires, and so much longer: the clocks of two servers may differ. */
const CLOCKS_DIFFER_MS = 86_400_000;

/** `/client/api` without sockets: from the parameters of a request to the reply. */
export class Api {
  readonly #parts: ApiParts;
  readonly #failures = new Map<string, Failures>();
  readonly #refusals: Refusals;

  constructor(parts: ApiParts) {
    this.#parts = parts;
    this.#refusals = new Refusals({ ...parts, everyMs: MGMT_LIMITS.refusalEventMs, most: MGMT_LIMITS.refusalEvents });
  }

  /**
   * Answers a request. Never rejects.
   * @param address of the client: a refusal with 401 is delayed after many others of this address
   * @param sessionKey the key whose session of the console the request belongs to. @default the request is signed
   */
  async handle(params: RequestParams, address: string, sessionKey?: ApiKey): Promise<ApiReply> {
    const command = param(params, 'command') ?? '';
    const name = isCommandName(command) ? responseName(command) : ERROR_RESPONSE;
    let isSigned = false;
    try {
      const request =
        sessionKey === undefined ? await this.#authenticate(params, networkOf(address)) : ofSession(sessionKey);
      isSigned = true;
      return { status: 200, body: await this.#answer(command, params, request, address), isSigned };
    } catch (error) {
      const failure = this.#asApiError(command, error);
      return { status: failure.code, body: [errorEnvelope(name, failure)], isSigned };
    }
  }

  /**
   * Lets a client in that shows a key and its secret by HTTP Basic: it may read, whatever its role.
   * @param authorization the header of that name
   * @param address as for `handle`
   * @throws ApiError 401, after a while; 429
   */
  async admit(authorization: string | undefined, address: string): Promise<void> {
    await this.#checked(networkOf(address), () => authenticatePair(pairInBasic(authorization), this.#parts.keys));
  }

  /** The key of a pair that somebody signs in to the console with. @throws ApiError 401, after a while; 429 */
  keyOf(pair: ApiKeyPair, address: string): Promise<ApiKey> {
    return this.#checked(networkOf(address), () => authenticatePair(pair, this.#parts.keys));
  }

  /** @throws ApiError 401, after a while; 429 */
  #authenticate(params: RequestParams, network: string): Promise<SignedRequest> {
    const { clock, keys } = this.#parts;
    return this.#checked(network, isKeyFirst => authenticate(params, keys, clock.wallTime(), { isKeyFirst }));
  }

  /** Holds back networks of which many checks have failed. @throws ApiError 401, after a while; 429 */
  async #checked<T>(network: string, check: (isKeyFirst: boolean) => T): Promise<T> {
    const { clock } = this.#parts;
    const waitMs = heldBackMs(this.#failures.get(network), clock.now());
    try {
      return check(waitMs === undefined);
    } catch (error) {
      this.#noteFailure(network);
      // Those with a right signature are not held back: others may fail at the same address.
      if (waitMs === undefined) throw tooManyFailures();
      if (waitMs > 0) await delay(clock, waitMs);
      throw error;
    }
  }

  async #answer(
    command: string,
    params: RequestParams,
    request: SignedRequest,
    address: string,
  ): Promise<readonly string[]> {
    if (command === '') throw new ApiError(431, 'Unable to execute API command due to missing parameter command');
    if (!isCommandName(command)) throw unknownCommand(command);
    const { key } = request;
    if (!mayCall(key, command)) {
      this.#tell(command, key, address, `its role is ${key.role}`);
      throw notAllowed(key, command);
    }
    return this.#carryOut(command, params, request, address);
  }

  async #carryOut<N extends CommandName>(
    command: N,
    params: RequestParams,
    request: SignedRequest,
    address: string,
  ): Promise<readonly string[]> {
    const { clock, handlers } = this.#parts;
    const given = validated(command, params);
    if (changesSomething(command)) await this.#note(command, request, address);
    const response = await handlers(command, given, request.key);
    return runInTurns(jsonInSteps(envelope(command, response)), clock);
  }

  /**
   * Has a request be carried out once, whichever server it comes to. One that never expires may come again, as in CloudStack.
   * @throws ApiError 401, StoreError
   */
  async #note(command: CommandName, { key, digest, expires }: SignedRequest, address: string): Promise<void> {
    const { clock, store } = this.#parts;
    if (expires === undefined) return;
    if (await store.noteRequest(digest, expires - clock.wallTime() + CLOCKS_DIFFER_MS)) return;
    this.#tell(command, key, address, 'it was sent before');
    throw refusal(
      `this request was sent before, and ${command} is carried out once for each; another expires makes another request`,
    );
  }

  /** Tells operators of a request with a right signature that is refused. */
  #tell(command: CommandName, { name }: ApiKey, address: string, why: string): void {
    this.#refusals.tell({
      key: [networkOf(address), name, command, why],
      message: 'A request is refused',
      fields: { command, key: name, address, reason: why },
      event: {
        type: 'API.REFUSED',
        level: 'WARN',
        description: `${command} with the API key ${name} from ${address} is refused: ${why}`,
        username: name,
      },
    });
  }

  #noteFailure(network: string): void {
    const failures = failedAgain(this.#failures.get(network), this.#parts.clock.now());
    // The network that has failed last comes last.
    this.#failures.delete(network);
    this.#failures.set(network, failures);
    for (const oldest of this.#failures.keys()) {
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

function tooManyFailures(): ApiError {
  return new ApiError(429, 'too many requests with a wrong key or signature: wait a minute');
}

/** CloudStack's code for it, and the beginning of its text. It is no failure to sign, and is not counted as one. */
function notAllowed({ name, role }: ApiKey, command: CommandName): ApiError {
  const text = 'The user is not allowed to request the API command';
  return new ApiError(432, `${text} ${command}: the API key ${name} has the role ${role}, and operator is needed`);
}

function unknownCommand(command: string): ApiError {
  const near = nearestKey(command, Object.keys(API));
  return new ApiError(432, `Unknown API command: ${command}${near ? `; did you mean ${near}?` : ''}`);
}
