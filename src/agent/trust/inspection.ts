import type { X509Certificate } from 'node:crypto';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock.js';
import { pemOf } from '../../lib/pem.js';
import { issuerOf, subjectOf } from '../../protocol/certificate-names.js';
import { secureContext } from '../../protocol/index.js';
import { isCaOfToken } from './enrolment.js';
import { objectionTo, objectionToFirstContact, presentedBy } from './judge.js';
import type { OwnCertificate } from './own-certificate.js';

/** How a server is looked at as a dial of the agent would see it, without consequences: no CA is pinned. */
export interface Inspection {
  /** Certificate, key and CA for the handshake. */
  readonly context: SecureContext;
  /** A certificate is presented when the server asks for one. */
  readonly hasCertificate: boolean;
  /** Who the server says it is, and what speaks against it. Without a known CA and a token nothing does. */
  judge(peer: TLSSocket): Inspected;
}

export interface Inspected {
  /** Of its certificate. */
  readonly peer: string;
  readonly objection: string | undefined;
  /** A known CA, or the token, vouches for it. */
  readonly isVouchedFor: boolean;
}

export interface InspectionParts {
  readonly clock: Pick<Clock, 'wallTime'>;
  /** The certificates of `cloud.ca.crt`; empty without one. */
  readonly bundle: readonly X509Certificate[];
  readonly own:
    | (Pick<OwnCertificate, 'certPem' | 'keyPem'> & { readonly chain: readonly X509Certificate[] })
    | undefined;
  /** The setting `enrollment.token`. */
  readonly token: string | undefined;
}

export function inspectionOf({ clock, bundle, own, token }: InspectionParts): Inspection {
  const known = { bundle, own: () => own?.chain ?? [] };
  return {
    context: secureContext({ ca: pemOf(bundle), ...(own && { cert: own.certPem, key: own.keyPem }) }),
    hasCertificate: own !== undefined,
    judge(peer) {
      const presented = presentedBy(peer);
      const [leaf] = presented.chain;
      const byBundle = () => (bundle.length === 0 ? undefined : objectionTo(presented, known, clock.wallTime()));
      const byToken = (token: string) =>
        objectionToFirstContact(presented.chain, certificate => isCaOfToken(token, certificate), clock.wallTime());
      const isByToken = token !== undefined && own === undefined;
      const objection = isByToken ? byToken(token) : byBundle();
      return {
        peer: leaf === undefined ? 'none' : `${subjectOf(leaf)}, by ${issuerOf(leaf)}`,
        objection,
        isVouchedFor: objection === undefined && (isByToken || bundle.length > 0),
      };
    },
  };
}
