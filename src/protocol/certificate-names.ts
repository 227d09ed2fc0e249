import type { X509Certificate } from 'node:crypto';
import { peerText } from '../lib/text/peer-text.js';

/** How hosts and servers stand in the certificates of Muster's CA, as a URI. */
export const HOST_URI = 'muster:host:';
export const SERVER_URI = 'muster:server:';

/** The uuid of the host that Muster's CA has issued this certificate to; undefined for any other certificate. */
export function hostUuidOf(certificate: X509Certificate): string | undefined {
  return uriNames(certificate)
    .find(name => name.startsWith(HOST_URI))
    ?.slice(HOST_URI.length);
}

/** Whether Muster's CA has issued this certificate to a management server. */
export function namesServer(certificate: X509Certificate): boolean {
  return uriNames(certificate).some(name => name.startsWith(SERVER_URI));
}

/** The msid of the management server that Muster's CA has issued this certificate to; undefined: it names none, or several. */
export function msidOf(certificate: X509Certificate): number | undefined {
  const [name, ...others] = uriNames(certificate).filter(uri => uri.startsWith(SERVER_URI));
  const text = name?.slice(SERVER_URI.length) ?? '';
  return others.length === 0 && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

/** The addresses among the alternative names, and the DNS names, of which CloudStack makes an address as well. */
export function addressesIn(certificate: X509Certificate): readonly string[] {
  return alternativeNames(certificate, ['IP Address', 'DNS']);
}

function uriNames(certificate: X509Certificate): readonly string[] {
  return alternativeNames(certificate, ['URI']);
}

/**
 * The alternative names of some kinds. Node joins all names by `, ` and writes those in which that would be ambiguous as
 * JSON strings.
 */
function alternativeNames({ subjectAltName = '' }: X509Certificate, kinds: readonly string[]): readonly string[] {
  const names: string[] = [];
  for (const [, kind = '', value = ''] of subjectAltName.matchAll(/(?:^|, )([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)/gy)) {
    if (kinds.includes(kind)) names.push(value);
  }
  return names;
}

/** Whom a certificate names, for a person to read. It may be a stranger's, who has written what he likes. */
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
