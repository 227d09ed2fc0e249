import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../../lib/errors.js';
import { bundleIn } from '../trust.js';
import { datesOf } from './certificate-dates.js';
import type { Check } from './check.js';

/**
 * Whether cloud.crt, the agent's own certificate, is in date and has its private key. Without the file, no findings.
 */
export const ownCertificate: Check = {
  name: 'own certificate',
  async *run({ folder, clock }) {
    const path = join(folder, 'cloud.crt');
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) return;
    try {
      for (const certificate of bundleIn(text, path)) yield datesOf(path, certificate, clock.wallTime());
    } catch (error) {
      yield {
        level: 'error',
        what: path,
        found: reasonOf(error),
        remedy: 'remove cloud.crt and cloud.key to be given new ones',
      };
    }
    const key = join(folder, 'cloud.key');
    const stats = await stat(key).catch(() => undefined);
    if (stats === undefined) {
      yield {
        level: 'error',
        what: key,
        found: 'there is none beside cloud.crt',
        remedy: 'remove cloud.crt to be given both anew',
      };
    } else if ((stats.mode & 0o077) !== 0) {
      yield { level: 'warn', what: key, found: 'others can read it', remedy: `chmod 600 ${key}` };
    }
  },
};
