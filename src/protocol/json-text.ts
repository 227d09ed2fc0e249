export const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export function isOpening(c: number): boolean {
  return c === 0x5b || c === 0x7b;
}

export function isClosing(c: number): boolean {
  return c === 0x5d || c === 0x7d;
}

/** Where the string that starts at `start` has its closing quote; the end of the text when it has none. */
export function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let first = at;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    // An odd number of backslashes escapes the quote.
    if ((at - first) % 2 === 0) return at;
  }
}

/**
 * Finds the fields of each entry in the text of a body, which is valid: `[{"<class>":{fields}}, …]`.
 * @returns the text of the fields, for each entry; of an entry that has its class twice, the last ones
 */
export function fieldsTexts(body: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  let end = 0;
  for (let at = 0; at < body.length; at++) {
    const c = body.charCodeAt(at);
    if (c === QUOTE) {
      at = endOfString(body, at);
    } else if (isOpening(c)) {
      if (depth === 2) start = at;
      depth++;
    } else if (isClosing(c)) {
      depth--;
      if (depth === 2) end = at + 1;
      else if (depth === 1) found.push(body.slice(start, end));
    }
  }
  return found;
}
