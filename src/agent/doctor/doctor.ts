import { untilAborted } from '../../lib/abort.js';
import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Check } from './check.js';
import type { HostDials } from './dial-hosts.js';
import type { Finding } from './finding.js';
import { hosts } from './hosts.js';
import { knownCa } from './known-ca.js';
import { ownCertificate } from './own-certificate.js';
import { propertiesFile } from './properties-file.js';
import { type GivenSettings, readContext } from './read-context.js';
import { settings } from './settings.js';

/** In the order in which they run and report. */
const CHECKS: readonly Check[] = [propertiesFile, settings, knownCa, ownCertificate, hosts];

export interface DiagnoseParts {
  readonly clock: Clock;
  /** Which hosts are dialled. @default those that the files name, with the certificates there */
  readonly dials?: HostDials;
  /** @default none */
  readonly given?: GivenSettings;
}

/**
 * Looks at the agent of a folder: its files, its certificates, and every host of its list. Changes nothing.
 * @param folder the one of agent.properties
 * @returns the findings, each as soon as it is known
 * @throws the reason of the dials' signal, when it aborts before the files are read
 */
export async function* diagnose(
  folder: string,
  { clock, dials, given = new Map() }: DiagnoseParts,
): AsyncGenerator<Finding> {
  // A file may never be read.
  const context = await untilAborted(readContext(folder, clock, given), dials?.signal);
  for (const { name, run } of CHECKS) {
    try {
      yield* run({ ...context, ...(dials && { dials }) });
    } catch (error) {
      throw new Error(`the check of ${name} failed: ${reasonOf(error)}`, { cause: error });
    }
  }
}
