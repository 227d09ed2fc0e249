import { X509Certificate } from 'node:crypto';
import type { Ca, CaParts } from './ca.js';
import { CA_NAME, makeRoot, rootIn } from './root.js';
import { signingCa } from './signing-ca.js';

/**
 * A CA that no store keeps, for programs that put a server together from parts of their own. It has no successor.
 * @example
 * const ca = await newCa({ clock: systemClock, random: systemRandom });
 */
export async function newCa(parts: CaParts): Promise<Ca> {
  const signing = signingCa(await rootIn(await makeRoot(CA_NAME, parts)), parts);
  return {
    ...signing,
    isCurrent: true,
    anchorFingerprint: signing.fingerprint,
    signers: [new X509Certificate(signing.chainPem)],
    signersPem: signing.chainPem,
    bundle: { pem: signing.chainPem, generation: 0 },
    successor: () => Promise.reject(new Error('this CA belongs to the program, and has no successor')),
    follow: async () => false,
    onChange() {},
  };
}
