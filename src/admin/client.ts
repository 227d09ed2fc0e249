import { ERROR_RESPONSE, responseName } from '../api/envelope.js';
import { parseInvalidParameter } from '../api/error-text.js';
import { dateText } from '../api/moment.js';
import { sign } from '../api/signature.js';
import { withinLimit } from '../lib/abort.js';
import type { Clock } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { ApiKeyPair } from './api-key-file.js';

/** The server answered with an error. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  /** CloudStack's `errorcode`. */
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** No answer, or none of CloudStack's API. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** What is inside the envelope. The server may be of another version: no field is taken for granted. */
export type ApiAnswer = Readonly<Record<string, unknown>>;

/** One call of the API. @throws ApiFailure, Unreachable */
export type ApiCall = (command: string, params?: Readonly<Record<string, string>>) => Promise<ApiAnswer>;

/** The objects of a list's answer, which has none when nothing was found. */
export function rowsOf(value: unknown): readonly ApiAnswer[] {
  return Array.isArray(value) ? (value as ApiAnswer[]) : [];
}

const VALID_FOR_MS = 10 * 60_000;
const TIMEOUT_MS = 90_000;

/**
 * One call of the HTTP API, signed with the key pair.
 * @throws ApiFailure, Unreachable
 */
export async function call(
  { endpoint, key, secret }: ApiKeyPair,
  command: string,
  params: ReadonlyMap<string, string>,
  clock: Clock,
): Promise<ApiAnswer> {
  const request = new Map([
    ...params,
    ['command', command],
    ['response', 'json'],
    ['apiKey', key],
    ['signatureVersion', '3'],
    ['expires', dateText(clock.wallTime() + VALID_FOR_MS)],
  ]);
  request.set('signature', sign(request, secret));
  const post = async (signal: AbortSignal) => {
    const response = await fetch(endpoint, { method: 'POST', body: new URLSearchParams([...request]), signal });
    return { status: response.status, text: await response.text() };
  };
  const late = () => {
    throw new Error(`none within ${TIMEOUT_MS / 1_000} s`);
  };
  let reply: { readonly status: number; readonly text: string };
  try {
    reply = await withinLimit(clock, TIMEOUT_MS, post, late);
  } catch (error) {
    throw new Unreachable(
      `no answer from ${endpoint}: ${rootReason(error)}; another server takes the same key: --endpoint http://ADDRESS:PORT/client/api`,
      { cause: error },
    );
  }
  const { status, text } = reply;
  const envelope = parse(text);
  const answer = envelope?.[responseName(command)] ?? envelope?.[ERROR_RESPONSE];
  if (typeof answer !== 'object' || answer === null) {
    throw new Unreachable(`${endpoint} answered ${status}, and it is not CloudStack's API`);
  }
  if (typeof answer.errorcode === 'number') throw new ApiFailure(answer.errorcode, plain(String(answer.errortext)));
  return answer;
}

function parse(text: string): Record<string, ApiAnswer> | undefined {
  try {
    return JSON.parse(text) as Record<string, ApiAnswer>;
  } catch {
    return undefined;
  }
}

/** An error of `fetch` says only that it failed; its cause says why. */
function rootReason(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause === undefined ? reasonOf(error) : reasonOf(cause);
}

/** An invalid value in short: the user knows the command, and that it failed. */
function plain(errorText: string): string {
  const invalid = parseInvalidParameter(errorText);
  return invalid === undefined ? errorText : `${invalid.name}=${invalid.value}: ${invalid.why}`;
}
