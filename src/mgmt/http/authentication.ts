import { createHash, timingSafeEqual } from 'node:crypto';
import { parseMoment } from '../../api/moment.js';
import { isSignedWith, param, type RequestParams } from '../../api/signature.js';
import type { ApiKeys } from '../security/api-keys.js';
import { ApiError } from './api-error.js';

/** CloudStack's text. The reason follows it. */
const REFUSED = 'unable to verify user credentials and/or request signature';

export interface AuthenticationOptions {
  /**
   * Works the signature out only when the key exists, since it costs milliseconds: for requests of an address of which
   * many have failed. The time of the refusal then tells whether a key exists.
   * @default false
   */
  readonly isKeyFirst?: boolean;
}

/**
 * Checks that the request was signed with the key pair, and has not expired.
 * @param wallTime milliseconds since 1970
 * @throws ApiError 401
 */
export function authenticate(
  params: RequestParams,
  keys: ApiKeys,
  wallTime: number,
  { isKeyFirst = false }: AuthenticationOptions = {},
): void {
  const apiKey = param(params, 'apiKey');
  if (apiKey === undefined) throw refusal('apiKey is missing');
  if (param(params, 'signature') === undefined) throw refusal('signature is missing');
  // The same text for a wrong key and a wrong signature, so that nobody can find out which keys exist.
  const isKnown = isSameText(apiKey, keys.apiKey);
  if ((isKeyFirst && !isKnown) || !isSignedWith(params, keys.secretKey) || !isKnown)
    throw refusal('the key or the signature is wrong');
  if (param(params, 'signatureVersion') !== '3') return;
  const expires = param(params, 'expires');
  if (expires === undefined) throw refusal('signatureVersion 3 needs expires');
  const moment = parseMoment(expires);
  if (moment === undefined) throw refusal('expires is no date: 2026-11-22T09:00:00+0000 is expected');
  if (moment <= wallTime) throw refusal(`the request expired at ${expires}: is the client's clock right?`);
}

function refusal(why: string): ApiError {
  return new ApiError(401, `${REFUSED}: ${why}`);
}

function isSameText(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
