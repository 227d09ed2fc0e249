import { createHmac, timingSafeEqual } from 'node:crypto';

/** A session of the console, as its token says. */
export interface SessionClaim {
  /** The id of the API key that signed in. */
  readonly keyId: string;
  /** The session's own id. */
  readonly id: string;
  /** Until when it is good, in milliseconds since 1970. */
  readonly ends: number;
}

/** What was read of a token that nobody has checked yet. */
export interface UncheckedToken {
  readonly claim: SessionClaim;
  readonly mac: string;
}

/** What is authenticated begins with this, so that no other text under the same secret can be a token. */
const PURPOSE = 'muster console session';
const LONGEST = 512;

/** The token of a session: its claim, authenticated with the secret of the key that it belongs to. */
export function sessionToken(claim: SessionClaim, secretKey: string): string {
  return `${claim.keyId}.${claim.id}.${claim.ends}.${macOf(claim, secretKey)}`;
}

/** @returns undefined when it is no token */
export function readSessionToken(text: string): UncheckedToken | undefined {
  if (text.length > LONGEST) return undefined;
  const parts = /^([\w-]+)\.([\w-]+)\.(\d{1,15})\.([\w-]+)$/.exec(text);
  if (parts === null) return undefined;
  const [, keyId = '', id = '', ends = '', mac = ''] = parts;
  return { claim: { keyId, id, ends: Number(ends) }, mac };
}

/** Whether a token was made with this secret, and is still good. The comparison takes constant time. */
export function isGoodToken({ claim, mac }: UncheckedToken, secretKey: string, wallTime: number): boolean {
  const expected = Buffer.from(macOf(claim, secretKey));
  const given = Buffer.from(mac);
  return expected.length === given.length && timingSafeEqual(expected, given) && wallTime < claim.ends;
}

function macOf({ keyId, id, ends }: SessionClaim, secretKey: string): string {
  return createHmac('sha256', secretKey).update(`${PURPOSE}\n${keyId}\n${id}\n${ends}`).digest('base64url');
}
