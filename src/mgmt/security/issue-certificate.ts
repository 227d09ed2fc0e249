import { isIP } from 'node:net';
import { canonicalAddress } from '../../lib/address.js';
import type { Clock } from '../../lib/clock.js';
import type { CertificateKind, NewCertificate, Store } from '../store/store.js';
import { retryWhileAway } from '../store/store-health.js';
import type { Issued, Issuing } from './ca.js';
import type { CertificateRequest } from './certificate-request.js';

/** A host as its certificate is to name it. */
export interface CertifiedHost {
  readonly id: number;
  readonly uuid: string;
  readonly guid: string;
  readonly name: string;
  /** Of Muster's agents: the certificate names the host. Of others it has the addresses. */
  readonly isMuster: boolean;
  /** As the agent gives it. */
  readonly privateIpAddress: string | null;
  /** From which the agent's link comes. */
  readonly linkAddress: string;
}

/** For how long a certificate is issued, and with which bundle it is handed out. */
export interface IssueTerms {
  readonly validityDays: number;
  /** `CaBundle.generation` */
  readonly bundle: number;
}

export interface IssueParts {
  readonly ca: Issuing;
  readonly clock: Clock;
  readonly store: Pick<Store, 'addCertificate'>;
}

/** Issues the certificate of a host, and writes it down. @throws StoreError; then nobody has it */
export async function issueForHost(
  { ca, clock, store }: IssueParts,
  request: CertificateRequest,
  host: CertifiedHost,
  { validityDays, bundle }: IssueTerms,
): Promise<Issued> {
  const { uuid, name } = host;
  const issued = host.isMuster
    ? await ca.issueHostCertificate(request, { uuid, name, validityDays })
    : await ca.issueAddressCertificate(request, { ...addressesOf(host), name, validityDays });
  const kind = host.isMuster ? 'host' : 'address';
  await store.addCertificate(rowOf(issued, { kind, bundle, now: clock.wallTime(), host }));
  return issued;
}

interface RowTerms {
  readonly kind: CertificateKind;
  /** @default 0: no bundle comes with it */
  readonly bundle?: number;
  readonly now: number;
  readonly host?: Pick<CertifiedHost, 'id' | 'guid'>;
}

export interface NoteInstalledParts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'certificatesInstalled'>;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
}

/**
 * Notes that the agent of a host has confirmed its certificate, however long the store is away.
 * @throws StoreError, and the reason of `stopping`
 */
export function noteInstalled({ store, ...waiting }: NoteInstalledParts, { serial }: Issued): Promise<void> {
  return retryWhileAway(waiting, () => store.certificatesInstalled([serial], waiting.clock.wallTime()));
}

/** The row of a certificate that was issued now. */
export function rowOf(
  { serial, cn, keyFingerprint, issuerFingerprint, notBefore, notAfter }: Issued,
  { kind, bundle = 0, now, host }: RowTerms,
): NewCertificate {
  const owner = { hostId: host?.id ?? null, guid: host?.guid ?? null };
  return { serial, kind, ...owner, cn, keyFingerprint, issuerFingerprint, bundle, notBefore, notAfter, created: now };
}

/**
 * CloudStack's: the private address as an address and as a name, then the host's name. The address that its link comes
 * from, where that is another one, would not be admitted otherwise.
 */
function addressesOf({ privateIpAddress, linkAddress, name }: CertifiedHost) {
  const own = ipOf(privateIpAddress);
  const link = ipOf(linkAddress);
  const addresses = [...new Set([own, link].filter(address => address !== undefined))];
  const hostName = nameOf(name);
  return { addresses, names: [...addresses.slice(0, 1), ...(hostName === undefined ? [] : [hostName])] };
}

function ipOf(text: string | null): string | undefined {
  return text !== null && isIP(text) !== 0 ? canonicalAddress(text) : undefined;
}

/** A DNS name is ASCII; a host's name may be anything. */
function nameOf(text: string): string | undefined {
  return /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(text) ? text : undefined;
}
