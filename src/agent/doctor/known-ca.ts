import { reasonOf } from '../../lib/errors.js';
import { datesOf } from './certificate-dates.js';
import type { Check } from './check.js';

/** Whether cloud.ca.crt, the CA that the agent trusts, can be used and is in date. */
export const knownCa: Check = {
  name: 'known CA',
  async *run({ knownCa: { path, bundle, error }, settings, clock }) {
    if (error === 'none' && settings?.enrolmentToken !== undefined) {
      yield { level: 'ok', what: path, found: 'none yet: enrollment.token names the CA' };
    } else if (error === 'none') {
      yield {
        level: 'warn',
        what: path,
        found: 'there is none: the agent will trust the first CA that it sees',
        remedy: "copy the CA's certificate here beforehand",
      };
    } else if (error !== undefined) {
      yield {
        level: 'error',
        what: path,
        found: reasonOf(error),
        remedy: 'replace it by the CA certificate in PEM, or remove it to pin the next one',
      };
    }
    for (const certificate of bundle) yield datesOf(path, certificate, clock.wallTime());
  },
};
