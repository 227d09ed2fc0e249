import type { X509Certificate } from 'node:crypto';

/** The longest chain, both ends included. */
const MOST_CERTIFICATES = 8;

/**
 * The way from a certificate to one of the anchors: each is signed by the next. Dates do not count.
 * @param others certificates that may be on the way
 * @returns undefined when there is no way
 */
export function chainTo(
  leaf: X509Certificate,
  others: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
): readonly X509Certificate[] | undefined {
  const chain = [leaf];
  for (let at = leaf; chain.length <= MOST_CERTIFICATES; ) {
    if (includes(anchors, at)) return chain;
    const issuer = [...anchors, ...others].find(other => !includes(chain, other) && isIssuer(other, at));
    if (issuer === undefined) return undefined;
    chain.push(issuer);
    at = issuer;
  }
  return undefined;
}

/** Whether each certificate is signed by the one behind it. */
export function isSignedInOrder(certificates: readonly X509Certificate[]): boolean {
  return certificates.every((one, index) => {
    const next = certificates[index + 1];
    return next === undefined || (one.checkIssued(next) && one.verify(next.publicKey));
  });
}

/** Whether one certificate has signed another, and may. */
export function isIssuer(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

export function includes(certificates: readonly X509Certificate[], certificate: X509Certificate): boolean {
  return certificates.some(other => other.raw.equals(certificate.raw));
}

/** In every objection to a certificate whose time has not come. */
export const NOT_YET_VALID = 'is not valid before';

/**
 * Why a certificate cannot be used at this time; undefined when it can.
 * @param what names the certificate, as the subject of a sentence
 * @param wallTime milliseconds since 1970
 */
export function objectionToDates(
  what: string,
  { validFrom, validTo }: Pick<X509Certificate, 'validFrom' | 'validTo'>,
  wallTime: number,
): string | undefined {
  if (wallTime < Date.parse(validFrom)) {
    const now = new Date(wallTime).toISOString();
    return `${what} ${NOT_YET_VALID} ${validFrom}: this machine's clock says ${now}; one of the two clocks is wrong`;
  }
  return wallTime > Date.parse(validTo) ? `${what} is not in date: it ended ${validTo}` : undefined;
}
