import { PEER_TEXT_LENGTH } from '../../src/lib/text/peer-text.js';

/** Words of our own around what a peer says. */
const AROUND = 400;

/** The texts within a value that are longer than a peer's may be, or have what cannot be seen. */
export function unfitTexts(value: unknown): string[] {
  if (typeof value === 'string') {
    const isFit = value.length <= PEER_TEXT_LENGTH + AROUND && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value);
    return isFit ? [] : [value.slice(0, 80)];
  }
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(unfitTexts) : [];
}
