import { ERROR_RESPONSE, responseName } from '../api/envelope.js';
import { shortErrorText } from '../api/error-text.js';
import { dateText } from '../api/moment.js';
import { sign } from '../api/signature.js';
import { withinLimit } from '../lib/abort.js';
import type { Clock } from '../lib/clock.js';
import { codeOf, reasonOf } from '../lib/errors.js';
import type { Random } from '../lib/random.js';
import type { ApiKeyPair } from './api-key-file.js';
import { type PostAnswer, post } from './http-post.js';

/** The server answered with an error. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  /** CloudStack's `errorcode`. */
  readonly code: number;
  /** The server could not carry the call out now, such as without its store: nothing is wrong with the call. */
  readonly isInternal: boolean;

  constructor(code: number, text: string, isInternal = false) {
    super(text);
    this.code = code;
    this.isInternal = isInternal;
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

/** CloudStack's `cserrorcode`. */
const INTERNAL = 4250;
const VALID_FOR_MS = 10 * 60_000;
const TIMEOUT_MS = 90_000;

/** What a call works with. */
export interface CallParts {
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
}

/**
 * One call of the HTTP API, signed with the key pair.
 * @throws ApiFailure, Unreachable
 */
export async function call(
  { endpoint, key, secret, ca }: ApiKeyPair,
  command: string,
  params: ReadonlyMap<string, string>,
  { clock, random }: CallParts,
): Promise<ApiAnswer> {
  const request = new Map([
    ...params,
    ['command', command],
    ['response', 'json'],
    ['apiKey', key],
    ['signatureVersion', '3'],
    ['expires', dateText(clock.wallTime() + VALID_FOR_MS)],
    // Two equal calls within a second are two requests. Servers ignore it.
    ['nonce', random.uuid()],
  ]);
  request.set('signature', sign(request, secret));
  const form = new URLSearchParams([...request]);
  const ask = (signal: AbortSignal) => post(endpoint, form, { ca: ca?.pem, signal });
  const late = () => {
    throw new Error(`none within ${TIMEOUT_MS / 1_000} s`);
  };
  let reply: PostAnswer;
  try {
    reply = await withinLimit(clock, TIMEOUT_MS, ask, late);
  } catch (error) {
    throw new Unreachable(whyUnreachable(error, endpoint, ca?.source), { cause: error });
  }
  const { status, text } = reply;
  const envelope = parse(text);
  const answer = envelope?.[responseName(command)] ?? envelope?.[ERROR_RESPONSE];
  if (typeof answer !== 'object' || answer === null) {
    throw new Unreachable(`${endpoint} answered ${status}, and it is not CloudStack's API`);
  }
  if (typeof answer.errorcode === 'number') {
    throw new ApiFailure(answer.errorcode, shortErrorText(String(answer.errortext)), answer.cserrorcode === INTERNAL);
  }
  return answer;
}

function parse(text: string): Record<string, ApiAnswer> | undefined {
  try {
    return JSON.parse(text) as Record<string, ApiAnswer>;
  } catch {
    return undefined;
  }
}

/** Certificates that do not verify, by OpenSSL's names. */
const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
]);

/** @param caSource the file with the CA; undefined: those of the system */
function whyUnreachable(error: unknown, endpoint: string, caSource: string | undefined): string {
  const code = codeOf(error) ?? '';
  const reason = reasonOf(error);
  if (code === 'EPROTO' && /wrong version number|packet length too long/i.test(reason)) {
    return `${endpoint} does not speak HTTPS: is http:// meant?`;
  }
  if (UNTRUSTED.has(code)) {
    const own =
      code === 'DEPTH_ZERO_SELF_SIGNED_CERT' ? '; a server that is starting shows one that nobody has signed' : '';
    const by = caSource ?? 'the certificates that this system trusts; verify= in the ini file names the CA';
    return `the certificate of ${endpoint} does not verify by ${by}: ${reason}${own}`;
  }
  if (/^(ERR_TLS_CERT_ALTNAME_INVALID|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/.test(code)) {
    return `the certificate of ${endpoint}: ${reason}`;
  }
  const scheme = new URL(endpoint).protocol;
  const what = code === 'ECONNRESET' ? `it closed the connection (${reason}), as the agents' port does` : reason;
  return `no answer from ${endpoint}: ${what}; another server takes the same key: --endpoint ${scheme}//ADDRESS:PORT/client/api`;
}
