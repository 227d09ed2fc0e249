import { createHmac, timingSafeEqual } from 'node:crypto';

/** The parameters of a request, from query and form together; of a repeated one the first counts. Names as sent. */
export type RequestParams = ReadonlyMap<string, string>;

/** Clients differ in which of these they encode before they sign; every way must verify. In lower case, as it is signed. */
const DEBATED = [
  ['~', '%7e'],
  ['*', '%2a'],
  ['[', '%5b'],
  [']', '%5d'],
] as const;
/** Sixteen ways of a request that nobody has signed must not hold up the agents. */
const DEBATED_UP_TO = 16_384;

/**
 * The request's signature: HMAC-SHA1, Base64, over the sorted, encoded, lower-cased parameters, without `signature`
 * itself. Compared in constant time.
 */
export function isSignedWith(params: RequestParams, secret: string): boolean {
  const signature = param(params, 'signature');
  if (signature === undefined) return false;
  const given = Buffer.from(signature, 'base64');
  let isGood = false;
  // All of them, whichever fits: the time must not tell.
  for (const text of signedTexts(params)) {
    const expected = createHmac('sha1', secret).update(text, 'utf8').digest();
    if (given.length === expected.length && timingSafeEqual(given, expected)) isGood = true;
  }
  return isGood;
}

/** A parameter by its name in any case. */
export function param(params: RequestParams, name: string): string | undefined {
  const exact = params.get(name);
  if (exact !== undefined) return exact;
  const wanted = name.toLowerCase();
  for (const [key, value] of params) if (key.toLowerCase() === wanted) return value;
  return undefined;
}

/** Signs as a client does. @returns Base64 */
export function sign(params: RequestParams, secret: string): string {
  const [text = ''] = signedTexts(params);
  return createHmac('sha1', secret).update(text, 'utf8').digest('base64');
}

/**
 * Every text that a client may have signed, CloudStack's own way first. A request is encoded once, since anybody can send
 * a long one: what is debated is put back in the encoded text.
 */
function signedTexts(params: RequestParams): string[] {
  const entries = [...params].filter(([name]) => name.toLowerCase() !== 'signature');
  const encoded = entries.map(([name, value]): [string, string] => [name, formEncoded(value)]);
  const texts = new Set<string>();
  for (const sorted of [byCodePoint(encoded, name => name), byCodePoint(encoded, name => name.toLowerCase())]) {
    const joined = sorted.map(([name, value]) => `${name}=${value}`).join('&');
    texts.add(joined.toLowerCase());
  }
  return [...texts].flatMap(variants);
}

/** CloudStack's way, `*` raw, comes first; of what is very long it is the only one. */
function variants(text: string): string[] {
  if (text.length > DEBATED_UP_TO) return [text.replaceAll('%2a', '*')];
  let all = [text];
  for (const [character, encoded] of DEBATED) {
    if (!text.includes(encoded)) continue;
    const raw = all.map(one => one.replaceAll(encoded, character));
    all = character === '*' ? [...raw, ...all] : [...all, ...raw];
  }
  return all;
}

/** Letters, digits and `. - _` as they are; all else as UTF-8 escapes. */
function formEncoded(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*~]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function byCodePoint(entries: readonly [string, string][], key: (name: string) => string): [string, string][] {
  const keyed = entries.map(entry => ({ entry, bytes: Buffer.from(key(entry[0])) }));
  return keyed.sort((one, other) => Buffer.compare(one.bytes, other.bytes)).map(({ entry }) => entry);
}
