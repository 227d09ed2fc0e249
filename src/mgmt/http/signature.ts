import { createHmac, timingSafeEqual } from 'node:crypto';

/** The parameters of a request, from query and form together; of a repeated one the first counts. Names as sent. */
export type RequestParams = ReadonlyMap<string, string>;

/** Clients differ in which of these they encode before they sign; every way must verify. */
const DEBATED = ['~', '*', '[', ']'];

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

/** Every text that a client may have signed, CloudStack's own way first. */
function signedTexts(params: RequestParams): string[] {
  const entries = [...params].filter(([name]) => name.toLowerCase() !== 'signature');
  const used = DEBATED.filter(character => entries.some(([, value]) => value.includes(character)));
  const texts = new Set<string>();
  for (const sorted of [byCodePoint(entries, name => name), byCodePoint(entries, name => name.toLowerCase())]) {
    for (const raw of subsets(used)) {
      texts.add(
        sorted
          .map(([name, value]) => `${name}=${formEncoded(value, raw)}`)
          .join('&')
          .toLowerCase(),
      );
    }
  }
  return [...texts];
}

/** CloudStack's way, `*` raw, comes first. */
function subsets(characters: readonly string[]): string[][] {
  const all: string[][] = [[]];
  for (const character of characters) all.push(...all.map(set => [...set, character]));
  const isOwn = (set: string[]) => set.join('') === (characters.includes('*') ? '*' : '');
  return [...all.filter(isOwn), ...all.filter(set => !isOwn(set))];
}

/** Letters, digits and `. - _` as they are; all else as UTF-8 escapes; `raw` as they are, too. */
function formEncoded(value: string, raw: readonly string[]): string {
  return encodeURIComponent(value).replace(/[!'()*~]|%5B|%5D/g, found => {
    const character = decodeURIComponent(found);
    if (raw.includes(character)) return character;
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

function byCodePoint(entries: [string, string][], key: (name: string) => string): [string, string][] {
  return [...entries].sort(([a], [b]) => Buffer.compare(Buffer.from(key(a)), Buffer.from(key(b))));
}
