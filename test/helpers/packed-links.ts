import { runAtOnce } from '../../src/lib/interruptible.js';
import { type LinkFact, packLinkFacts, unpackLinkFacts } from '../../src/mgmt/hosts/link-facts.js';

/** The row that a server writes of its links. */
export function packedLinks(facts: readonly LinkFact[]): Uint8Array {
  return runAtOnce(packLinkFacts(facts));
}

export function unpackedLinks(row: Uint8Array): LinkFact[] {
  return runAtOnce(unpackLinkFacts(row));
}
