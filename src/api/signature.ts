import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** The parameters of a request, of query and form together, by their names as sent. Of a repeated one the first counts. */
export type RequestParams = ReadonlyMap<string, string>;

/** Clients differ in which of these they encode before they sign. Encoded in lower case, as in the text that is signed. */
const ENCODED_BY_SOME = [
  ['~', '%7e'],
  ['*', '%2a'],
  ['[', '%5b'],
  [']', '%5d'],
] as const;
/**
 * Texts up to this length, in characters, are tried with and without each of them: in 16 ways. Of longer ones, which
 * anybody can send without a key, that would take too long.
 */
const VARIANTS_UP_TO = 16_384;

/**
 * Whether the request is signed with the secret: HMAC-SHA1, in Base64, over the sorted, encoded and lower-cased parameters
 * without `signature` itself. It is compared in constant time.
 */
export function isSignedWith(params: RequestParams, secret: string): boolean {
  const signature = param(params, 'signature');
  if (signature === undefined) return false;
  const given = Buffer.from(signature, 'base64');
  let isGood = false;
  // All of them, also after one that is right: the time must not tell which one it was.
  for (const text of signedTexts(params)) {
    const expected = createHmac('sha1', secret).update(text, 'utf8').digest();
    if (given.length === expected.length && timingSafeEqual(given, expected)) isGood = true;
  }
  return isGood;
}

/**
 * What is the same for every form in which a signature can be sent, and for every request that it fits: Base64 and the text
 * that is signed both allow several.
 * @returns SHA-256, hex
 */
export function signatureDigest(params: RequestParams): string {
  const bytes = Buffer.from(param(params, 'signature') ?? '', 'base64');
  return createHash('sha256').update(bytes).digest('hex');
}

/** A parameter, by its name in any case. */
export function param(params: RequestParams, name: string): string | undefined {
  const exact = params.get(name);
  if (exact !== undefined) return exact;
  const wanted = name.toLowerCase();
  for (const [key, value] of params) if (key.toLowerCase() === wanted) return value;
  return undefined;
}

/** The signature of a request, as a client makes it. @returns Base64 */
export function sign(params: RequestParams, secret: string): string {
  const [text = ''] = signedTexts(params);
  return createHmac('sha1', secret).update(text, 'utf8').digest('base64');
}

/**
 * Every text that a client may have signed, CloudStack's own first. Each value is encoded only once, since anybody can
 * send a long request: characters that some clients do not encode are put back into the encoded text.
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

/** CloudStack's encoding, with `*` as it is, comes first. Of a long text it is the only one. */
function variants(text: string): string[] {
  if (text.length > VARIANTS_UP_TO) return [text.replaceAll('%2a', '*')];
  let all = [text];
  for (const [character, encoded] of ENCODED_BY_SOME) {
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
