import { systemClock } from '../lib/clock.js';
import { systemRandom } from '../lib/random.js';
import { temporaryCertificate } from '../mgmt/security/temporary-certificate.js';

/**
 * A certificate that is valid for a day and that nobody has signed, for a `FakeServer`. An agent without a CA trusts it at
 * its first contact. Texts are PEM.
 * @example
 * const server = new FakeServer('127.0.0.1', secureContext(await testCertificate()));
 */
export function testCertificate(): Promise<{ cert: string; key: string }> {
  return temporaryCertificate({ clock: systemClock, random: systemRandom });
}
