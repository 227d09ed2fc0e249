import { join } from 'node:path';
import { isUnconfirmed } from '../trust/install.js';
import { ownCertificateOf } from '../trust/own-certificate.js';
import { datesOf } from './certificate-dates.js';
import type { Check } from './check.js';

/**
 * Whether cloud.crt, the agent's own certificate, is in date and has its private key. Without the file, no findings but that
 * of a token.
 */
export const ownCertificate: Check = {
  name: 'own certificate',
  async *run({ folder, certificates, settings, clock }) {
    const path = join(folder, 'cloud.crt');
    const read = ownCertificateOf(certificates);
    if (read === undefined && settings?.enrolmentToken !== undefined) {
      yield { level: 'ok', what: path, found: 'none yet: the first server gives it, for enrollment.token' };
    }
    if (read === undefined) return;
    if ('unusable' in read) {
      const { file, why, remedy } = read.unusable;
      yield { level: 'error', what: join(folder, file), found: why, remedy };
      return;
    }
    for (const certificate of read.own.chain) yield datesOf(path, certificate, clock.wallTime());
    if (isUnconfirmed(certificates)) {
      yield {
        level: 'warn',
        what: path,
        found: 'new, and no server has accepted it yet',
        remedy: 'see below whether a server does; if none does, the agent goes back to the former one by itself',
      };
    }
  },
};
