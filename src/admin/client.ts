import { responseName } from '../api/envelope.js';
import { sign } from '../api/signature.js';
import { reasonOf } from '../lib/errors.js';
import type { Credentials } from './credentials.js';

/** The server answered, and says no. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  /** CloudStack's `errorcode`. */
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** No answer that could be understood. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

export type ApiAnswer = Readonly<Record<string, unknown>>;

/** A call with the credentials bound to it. */
export type ApiCall = (command: string, params?: Readonly<Record<string, string>>) => Promise<ApiAnswer>;

/** The objects of a list's answer, which has none when nothing was found. */
export function rowsOf(value: unknown): readonly ApiAnswer[] {
  return Array.isArray(value) ? (value as ApiAnswer[]) : [];
}

const VALID_FOR_MS = 10 * 60_000;
const TIMEOUT_MS = 90_000;

/**
 * One call of the HTTP API.
 * @returns what is inside the envelope
 * @throws ApiFailure, Unreachable
 */
export async function call(
  { endpoint, key, secret }: Credentials,
  command: string,
  params: ReadonlyMap<string, string>,
  wallTime: number,
): Promise<ApiAnswer> {
  const request = new Map([
    ...params,
    ['command', command],
    ['response', 'json'],
    ['apiKey', key],
    ['signatureVersion', '3'],
    ['expires', `${new Date(wallTime + VALID_FOR_MS).toISOString().slice(0, 19)}+0000`],
  ]);
  request.set('signature', sign(request, secret));
  let text: string;
  let status: number;
  try {
    const body = new URLSearchParams([...request]);
    const response = await fetch(endpoint, { method: 'POST', body, signal: AbortSignal.timeout(TIMEOUT_MS) });
    status = response.status;
    text = await response.text();
  } catch (error) {
    throw new Unreachable(
      `no answer from ${endpoint}: ${rootReason(error)}; another server takes the same key: --endpoint http://ADDRESS:PORT/client/api`,
      { cause: error },
    );
  }
  const envelope = parse(text);
  const answer = envelope?.[responseName(command)] ?? envelope?.errorresponse;
  if (typeof answer !== 'object' || answer === null)
    throw new Unreachable(`${endpoint} answered ${status}, and it is not CloudStack's API`);
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

/** fetch says only that it failed; its cause says why. */
function rootReason(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause === undefined ? reasonOf(error) : reasonOf(cause);
}

/** CloudStack's sentence about a bad value, without what one has typed oneself. */
function plain(errorText: string): string {
  const parts =
    /^Unable to execute API command \S+ due to invalid value\. Invalid parameter (\S+) value=(.*) due to (.*)$/s.exec(
      errorText,
    );
  return parts === null ? errorText : `${parts[1]}=${parts[2]}: ${parts[3]}`;
}
