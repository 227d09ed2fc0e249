/** Characters that are kept of a text that a peer has sent. */
export const PEER_TEXT_LENGTH = 255;

/** What would break a line of a log or of a page. */
const BREAKS = /[\t\n\v\f\r\u0085\p{Zl}\p{Zp}]+/gu;
/**
 * A control character; a format character, which could hide or turn round what stands beside it; half a surrogate pair.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}]/gu;

/**
 * The one way for a peer's text into a reason, a log field, a row, an event or a page. Line breaks and tabs
 * become blanks, other control characters and format characters are left out, and the rest is cut. What it returns, the
 * store can keep.
 * @param length in UTF-16 code units
 */
export function peerText(text: string, length: number = PEER_TEXT_LENGTH): string {
  // Cut first, so that the work is bounded too. A pair that is cut in two leaves a lone surrogate, which goes.
  const cut = text.slice(0, length);
  return cut.replace(BREAKS, ' ').replace(INVISIBLE, '');
}

/** That of a field which is to be a text, such as `details` of an answer. @returns undefined when it is anything else */
export function peerTextIn(field: unknown): string | undefined {
  return typeof field === 'string' ? peerText(field) : undefined;
}
