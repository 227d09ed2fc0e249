import type { X509Certificate } from 'node:crypto';
import { peerText } from '../../lib/text/peer-text.js';

const HOST = 'muster:host:';
const SERVER = 'muster:server:';

/** The uuid of the host that Muster's CA has issued this certificate to; undefined for any other certificate. */
export function hostUuidOf(certificate: X509Certificate): string | undefined {
  return uriNames(certificate)
    .find(name => name.startsWith(HOST))
    ?.slice(HOST.length);
}

/** Whether Muster's CA has issued this certificate to a management server. */
export function namesServer(certificate: X509Certificate): boolean {
  return uriNames(certificate).some(name => name.startsWith(SERVER));
}

/**
 * The URIs among the alternative names. Node joins all names by `, ` and writes those in which that would be ambiguous as
 * JSON strings.
 */
function uriNames({ subjectAltName = '' }: X509Certificate): readonly string[] {
  const names: string[] = [];
  for (const [, kind, value = ''] of subjectAltName.matchAll(/(?:^|, )([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)/gy)) {
    if (kind === 'URI') names.push(value);
  }
  return names;
}

/** Whom a certificate names, for a person to read. Its issuer may be unknown, and have written anything. */
export function subjectOf(certificate: X509Certificate): string {
  return distinguishedName(certificate.subject);
}

/** Likewise, who has issued it. */
export function issuerOf(certificate: X509Certificate): string {
  return distinguishedName(certificate.issuer);
}

function distinguishedName(lines: string): string {
  return peerText(lines.replaceAll('\n', ', '));
}
