import { runAtOnce } from '../../src/lib/interruptible.js';
import { type LinkStatus, packLinkStatus, unpackLinkStatus } from '../../src/mgmt/hosts/link-status.js';

/** The row that a server writes of its links. */
export function packedLinks(links: readonly LinkStatus[]): Uint8Array {
  return runAtOnce(packLinkStatus(links));
}

export function unpackedLinks(row: Uint8Array): LinkStatus[] {
  return runAtOnce(unpackLinkStatus(row));
}
