// What an operator does before an agent comes for the first time.
import { findApiKeyPair } from '#dist/admin/api-key-file.js';
import { call } from '#dist/admin/client.js';
import { systemClock } from '#dist/lib/clock.js';
import { systemRandom } from '#dist/lib/random.js';

export interface EnrolmentTokenOptions {
  /** How many agents may use it. @default 1 */
  readonly uses?: number;
  /** In the place of the one in the file. */
  readonly endpoint?: string;
}

/**
 * Makes a token for `enrollment.token`, for an hour.
 * @param ini the `cloudstack.ini` that a server has written
 * @throws UsageError, ApiFailure, Unreachable
 */
export async function enrolmentToken(ini: string, { uses = 1, endpoint }: EnrolmentTokenOptions = {}): Promise<string> {
  const pair = await findApiKeyPair({ config: ini, endpoint, environment: {}, home: '' });
  const params = new Map([
    ['uses', String(uses)],
    ['validity', '1'],
  ]);
  const { enrollmenttoken } = await call(pair, 'createEnrollmentToken', params, {
    clock: systemClock,
    random: systemRandom,
  });
  return (enrollmenttoken as { readonly token: string }).token;
}
