import { codeOf, reasonOf } from '../../lib/errors.js';

const NEEDS_CERTIFICATE =
  'the server demands a client certificate, and this agent has none (ca.plugin.root.auth.strictness is true there): ' +
  'for a CloudStack server, put the cloud.crt, cloud.key and cloud.ca.crt of this host beside agent.properties, or run ' +
  'provisionCertificate for it while the strictness is false; for a Muster server, set enrollment.token';
const NOT_ACCEPTED =
  'the server does not accept the certificate of this agent, cloud.crt: it is revoked, expired, of another CA, or has not ' +
  'the address of this machine; have the server issue another one';

/** What may be wrong when a server ends a dial without a word. A server of Muster says why in its log alone. */
export const MAY_REFUSE_CERTIFICATE =
  'it may not accept the certificate of this agent: if its log says so, have createEnrollmentToken make a token for the ' +
  'guid of this agent, write it into agent.properties as enrollment.token, and send this process SIGHUP, or restart it';

/**
 * Why a dial has failed, in words that say what to do where the system's own do not.
 * @param hasCertificate whether the agent presents one
 */
export function plainReason(error: unknown, hasCertificate: boolean): string {
  const alert = error instanceof Error ? (codeOf(error.cause) ?? '') : '';
  if (hasCertificate && /ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$/.test(alert)) {
    return `${NOT_ACCEPTED} (${reasonOf(error)})`;
  }
  // CloudStack's server answers an empty list of certificates by bad_certificate, TLS 1.3 has an alert of its own.
  if (/ALERT_(BAD_CERTIFICATE|NO_CERTIFICATE|CERTIFICATE_REQUIRED)$/.test(alert)) return NEEDS_CERTIFICATE;
  // OpenSSL's servers answer it by handshake_failure, which has other causes as well.
  if (/ALERT_HANDSHAKE_FAILURE$/.test(alert)) {
    const perhaps = hasCertificate ? 'not accept the certificate of this agent' : 'demand a client certificate';
    return `the server refuses the TLS handshake; it may ${perhaps} (${reasonOf(error)})`;
  }
  if (hasCertificate && codeOf(error) === 'HANDSHAKE_CLOSED') return `${reasonOf(error)}: ${MAY_REFUSE_CERTIFICATE}`;
  return reasonOf(error);
}

/** Whether the machine is up and nothing listens there: every address has refused the TCP connection. */
export function isConnectionRefused(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isConnectionRefused);
  return codeOf(error) === 'ECONNREFUSED';
}
