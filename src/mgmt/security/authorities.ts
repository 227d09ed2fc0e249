import type { AuthorityRow } from '../store/store.js';

/** What the CAs of the cluster are to one server. */
export interface AuthoritiesView {
  /** Which one this server signs with. */
  readonly signing: AuthorityRow;
  /** It is the one that the cluster issues with. */
  readonly isCurrent: boolean;
  /** All that count, the signing one first. */
  readonly trusted: readonly AuthorityRow[];
  /**
   * Which one vouches for the signing one: agents that have not heard of that are shown its cross certificate, and the
   * certificates of this one.
   */
  readonly voucher: AuthorityRow | undefined;
}

/**
 * Which CA a server signs with, and which it trusts. Pure. A server that is given one in files signs with that while it
 * counts: it may be introduced, and the others not switched yet, or the other way round.
 * @param given the fingerprint of the CA in this server's files
 * @returns undefined: this server can sign with none of them
 */
export function viewOf(rows: readonly AuthorityRow[], given: string | undefined): AuthoritiesView | undefined {
  const counting = rows.filter(({ state }) => state !== 'dropped');
  const issuing = counting.find(({ state }) => state === 'issuing');
  const kept = counting.filter(({ secret }) => secret !== null);
  const signing =
    given === undefined
      ? (kept.find(row => row === issuing) ?? kept.find(({ state }) => state === 'trusted'))
      : counting.find(({ fingerprint }) => fingerprint === given);
  if (signing === undefined) return undefined;
  const others = counting.filter(row => row !== signing);
  const older = others.find(({ generation }) => generation < signing.generation);
  return {
    signing,
    isCurrent: signing === issuing,
    trusted: [signing, ...others],
    voucher: signing.crossPem === null ? undefined : older,
  };
}
