import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { parseMoment } from '../../api/moment.js';
import { isSignedWith, param, type RequestParams, signatureDigest } from '../../api/signature.js';
import type { ApiKey, ApiKeyPair, ApiKeys } from '../security/api-keys.js';
import { ApiError } from './api-error.js';

/** CloudStack's text. The reason follows it. */
const REFUSED = 'unable to verify user credentials and/or request signature';
/** In place of the secret of a key that there is not. */
const NO_SECRET = randomBytes(64).toString('base64url');

/** A request with a right signature. */
export interface SignedRequest {
  readonly key: ApiKey;
  /** SHA-256 of its signature, hex. */
  readonly digest: string;
  /** Until when it is good, in milliseconds since 1970; undefined: it does not expire. */
  readonly expires: number | undefined;
}

export interface AuthenticationOptions {
  /**
   * Works the signature out only when the key exists, since it costs milliseconds: for requests of an address of which
   * many have failed. The time of the refusal then tells whether a key exists.
   * @default false
   */
  readonly isKeyFirst?: boolean;
}

/**
 * Checks that the request was signed with one of the keys, and has not expired.
 * @param wallTime milliseconds since 1970
 * @throws ApiError 401
 */
export function authenticate(
  params: RequestParams,
  keys: Pick<ApiKeys, 'find'>,
  wallTime: number,
  { isKeyFirst = false }: AuthenticationOptions = {},
): SignedRequest {
  const apiKey = param(params, 'apiKey');
  if (apiKey === undefined) throw refusal('apiKey is missing');
  if (param(params, 'signature') === undefined) throw refusal('signature is missing');
  const key = keys.find(apiKey);
  // The same text, after the same time, for a wrong key and a wrong signature: nobody can find out which keys exist.
  const isSigned = !(isKeyFirst && key === undefined) && isSignedWith(params, key?.secretKey ?? NO_SECRET);
  if (key === undefined || !isSigned) throw refusal('the key or the signature is wrong');
  return { key, digest: signatureDigest(params), expires: expiryOf(params, wallTime) };
}

/**
 * The key and the secret that HTTP Basic carries.
 * @param authorization the header of that name
 * @throws ApiError 401: there is none
 */
export function pairInBasic(authorization: string | undefined): ApiKeyPair {
  const [, encoded] = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization ?? '') ?? [];
  if (encoded === undefined) throw refusal('HTTP Basic with an API key and its secret is needed');
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const at = text.indexOf(':');
  return { apiKey: text.slice(0, Math.max(0, at)), secretKey: text.slice(at + 1) };
}

/** The key of this pair. @throws ApiError 401 */
export function authenticatePair({ apiKey, secretKey }: ApiKeyPair, keys: Pick<ApiKeys, 'find'>): ApiKey {
  const key = keys.find(apiKey);
  // The same text, after the same time, as for a signature.
  const isRight = timingSafeEqual(digestOf(secretKey), digestOf(key?.secretKey ?? NO_SECRET));
  if (key === undefined || !isRight) throw refusal('the key or the secret is wrong');
  return key;
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** A request of a session: its cookie goes to this server alone, and it does not expire by itself. */
export function ofSession(key: ApiKey): SignedRequest {
  return { key, digest: '', expires: undefined };
}

/** @throws ApiError 401: it has expired */
function expiryOf(params: RequestParams, wallTime: number): number | undefined {
  if (param(params, 'signatureVersion') !== '3') return undefined;
  const expires = param(params, 'expires');
  if (expires === undefined) throw refusal('signatureVersion 3 needs expires');
  const moment = parseMoment(expires);
  if (moment === undefined) throw refusal('expires is no date: 2026-11-22T09:00:00+0000 is expected');
  if (moment <= wallTime) throw refusal(`the request expired at ${expires}: is the client's clock right?`);
  return moment;
}

/** What a request with a wrong key or signature, or one that is no longer good, is told. */
export function refusal(why: string): ApiError {
  return new ApiError(401, `${REFUSED}: ${why}`);
}
