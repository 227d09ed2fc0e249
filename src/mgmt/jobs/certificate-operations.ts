import { isIP } from 'node:net';
import { canonicalAddress } from '../../lib/address.js';
import { invalidArgument, refusedOperation } from '../../lib/operation-error.js';
import { peerText } from '../../lib/text/peer-text.js';
import type { Configuration } from '../config/parameters.js';
import { CertificateRequestError, readCertificateRequest } from '../security/certificate-request.js';
import { canonicalSerial } from '../security/revocations.js';
import type { JobRow, Store } from '../store/store.js';
import { hostByUuid } from './host-operations.js';
import { STARTED_WITHIN_MS } from './job-outcome.js';
import type { StartJob } from './job-request.js';

export interface CertificateOperationParts {
  readonly store: Pick<Store, 'findHosts' | 'hostCertificates'>;
  readonly startJob: StartJob;
  configuration(): Configuration;
}

export interface ProvisionArguments {
  /** UUID. */
  readonly hostId: string;
  /** Whether the link of a CloudStack agent is ended afterwards. @default true */
  readonly reconnect?: boolean | undefined;
  /** Also where the host's certificate was revoked. @default false */
  readonly forced?: boolean | undefined;
}

/**
 * Has the server that has the host give its agent a new certificate.
 * @throws OperationError ARGUMENT_INVALID (`hostId`), OPERATION_REFUSED; StoreError
 */
export async function provisionCertificate(
  { store, startJob }: CertificateOperationParts,
  { hostId, reconnect = true, forced = false }: ProvisionArguments,
): Promise<JobRow> {
  const host = await hostByUuid(store, hostId);
  if (host.status !== 'Up' || host.msid === null) {
    throw refusedOperation(`host ${host.name} is not Up: a certificate goes over its link`);
  }
  const [certificate] = await store.hostCertificates([host.id]);
  if (certificate !== undefined && certificate.revoked !== null && !forced) {
    throw refusedOperation(`the certificate of host ${host.name} was revoked; forced=true gives it a new one`);
  }
  const params = { id: host.uuid, reconnect };
  const expiresInMs = STARTED_WITHIN_MS;
  return startJob({ cmd: 'provisionCertificate', params, targetMsid: host.msid, hostId: host.id, expiresInMs });
}

export interface IssueArguments {
  /** PEM. */
  readonly csr: string;
  /** DNS names, separated by commas. */
  readonly domain?: string | undefined;
  /** IP addresses, separated by commas. */
  readonly ipaddress?: string | undefined;
  /** Days. @default ca.framework.cert.validity.period */
  readonly duration?: number | undefined;
}

const NAMES = 16;
const MOST_DAYS = 3_650;

/**
 * Issues a certificate for a request, by CloudStack's profile.
 * @throws OperationError ARGUMENT_INVALID (`csr`, `domain`, `ipaddress`, `duration`); StoreError
 */
export async function issueCertificate(
  { startJob, configuration }: CertificateOperationParts,
  { csr, domain, ipaddress, duration = configuration().values['ca.framework.cert.validity.period'] }: IssueArguments,
): Promise<JobRow> {
  try {
    await readCertificateRequest(csr);
  } catch (error) {
    if (error instanceof CertificateRequestError) throw invalidArgument('csr', 'PEM', error.message);
    throw error;
  }
  if (duration < 1 || duration > MOST_DAYS) {
    throw invalidArgument('duration', String(duration), `1 to ${MOST_DAYS} days are allowed`);
  }
  const params = {
    csr,
    domain: entriesOf('domain', domain, isDnsName, 'DNS names').join(','),
    ipaddress: entriesOf('ipaddress', ipaddress, text => isIP(text) !== 0, 'IP addresses').join(','),
    duration,
  };
  if (params.domain === '' && params.ipaddress === '') {
    throw invalidArgument('domain', '', 'a certificate is for a DNS name or an IP address at least');
  }
  return startJob({ cmd: 'issueCertificate', params, targetMsid: null, hostId: null });
}

export interface RevokeArguments {
  /** Hex. */
  readonly serial: string;
  /** The name that it was issued to, for people. */
  readonly cn?: string | undefined;
}

/**
 * Revokes a certificate, whoever has issued it: every server refuses it from then on, and closes the links that have it.
 * @throws OperationError ARGUMENT_INVALID (`serial`); StoreError
 */
export async function revokeCertificate(
  { startJob }: CertificateOperationParts,
  { serial, cn = '' }: RevokeArguments,
): Promise<JobRow> {
  const canonical = canonicalSerial(serial);
  if (!/^[0-9a-f]{1,40}$/.test(canonical)) {
    throw invalidArgument('serial', peerText(serial), 'a serial number is written in hex, at most 40 digits');
  }
  const params = { serial: canonical, cn: peerText(cn) };
  return startJob({ cmd: 'revokeCertificate', params, targetMsid: null, hostId: null });
}

function entriesOf(
  argument: string,
  text: string | undefined,
  isAllowed: (entry: string) => boolean,
  what: string,
): readonly string[] {
  if (text === undefined || text.trim() === '') return [];
  const entries = text.split(',').map(entry => entry.trim());
  if (entries.length > NAMES || !entries.every(isAllowed)) {
    throw invalidArgument(argument, peerText(text), `up to ${NAMES} ${what}, separated by commas, are allowed`);
  }
  return entries.map(canonicalAddress);
}

function isDnsName(text: string): boolean {
  return (
    text.length <= 253 &&
    /^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(text)
  );
}
