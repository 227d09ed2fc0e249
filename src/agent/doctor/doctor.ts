import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Check, Finding } from './check.js';
import { hosts } from './hosts.js';
import { knownCa } from './known-ca.js';
import { ownCertificate } from './own-certificate.js';
import { propertiesFile } from './properties-file.js';
import { readContext } from './read-context.js';
import { settings } from './settings.js';

export type { Finding } from './check.js';

/** In the order in which they run and report. */
const CHECKS: readonly Check[] = [propertiesFile, settings, knownCa, ownCertificate, hosts];

/**
 * Looks at the agent of a folder: its files, its certificates, and every host of its list. Changes nothing.
 * @param folder the one of agent.properties
 * @returns the findings, each as soon as it is known
 */
export async function* diagnose(folder: string, { clock }: { readonly clock: Clock }): AsyncGenerator<Finding> {
  const context = await readContext(folder, clock);
  for (const { name, run } of CHECKS) {
    try {
      yield* run(context);
    } catch (error) {
      throw new Error(`the check of ${name} failed: ${reasonOf(error)}`, { cause: error });
    }
  }
}
