import { codeOf, reasonOf } from '../../lib/errors.js';

const NEEDS_CERTIFICATE =
  'the server demands a client certificate, and this agent has none that it accepts ' +
  '(a CloudStack server does so while ca.plugin.root.auth.strictness is true)';

/** Why a dial has failed, in words that say what to do where the system's own do not. */
export function plainReason(error: unknown): string {
  const alert = error instanceof Error ? (codeOf(error.cause) ?? '') : '';
  // CloudStack's server answers an empty list of certificates by bad_certificate, TLS 1.3 has an alert of its own.
  if (/ALERT_(BAD_CERTIFICATE|NO_CERTIFICATE|CERTIFICATE_REQUIRED)$/.test(alert)) return NEEDS_CERTIFICATE;
  // OpenSSL's servers answer it by handshake_failure, which has other causes as well.
  if (/ALERT_HANDSHAKE_FAILURE$/.test(alert)) {
    return `the server refuses the TLS handshake; it may demand a client certificate (${reasonOf(error)})`;
  }
  return reasonOf(error);
}

/** Whether the machine is up and nothing listens there: every address has refused the TCP connection. */
export function isConnectionRefused(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isConnectionRefused);
  return codeOf(error) === 'ECONNREFUSED';
}
