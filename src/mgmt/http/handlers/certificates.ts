import { dateText } from '../../../api/moment.js';
import type { Params, Response, ResponseObject } from '../../../api/types.js';
import { certificatesIn } from '../../../lib/pem.js';
import { subjectOf } from '../../../protocol/certificate-names.js';
import type { Authority } from '../../jobs/authority-operations.js';
import type { HostCertificate } from '../../security/host-certificates.js';
import { dated } from '../answers/fields.js';
import { invalidParameter } from '../api-error.js';
import type { HandlerParts } from './handler.js';

/** CloudStack's name of the CA that a management server is itself. */
const PROVIDER = { name: 'root', description: "The CA of the management servers, as CloudStack's default provider" };

export async function listCAProviders(
  _parts: HandlerParts,
  { name = PROVIDER.name }: Params<'listCAProviders'>,
): Promise<Response<'listCAProviders'>> {
  const items = name === PROVIDER.name ? [PROVIDER] : [];
  return { count: items.length, items };
}

export async function listCaCertificate(
  { ca }: HandlerParts,
  { provider }: Params<'listCaCertificate'>,
): Promise<Response<'listCaCertificate'>> {
  checkProvider('listCaCertificate', provider);
  return { certificate: ca.bundle.pem };
}

export async function listCertificateAuthorities({
  operations,
}: HandlerParts): Promise<Response<'listCertificateAuthorities'>> {
  const authorities = await operations.listAuthorities();
  return { count: authorities.length, items: authorities.map(authorityObject) };
}

export async function introduceCertificateAuthority(
  { operations }: HandlerParts,
  params: Params<'introduceCertificateAuthority'>,
): Promise<Response<'introduceCertificateAuthority'>> {
  return authorityObject(await operations.introduceAuthority(params));
}

export async function switchCertificateAuthority(
  { operations }: HandlerParts,
  params: Params<'switchCertificateAuthority'>,
): Promise<Response<'switchCertificateAuthority'>> {
  return authorityObject(await operations.switchAuthority(params));
}

export async function dropCertificateAuthority(
  { operations }: HandlerParts,
  params: Params<'dropCertificateAuthority'>,
): Promise<Response<'dropCertificateAuthority'>> {
  await operations.dropAuthority(params);
  return {
    success: true,
    displaytext: 'the CA is dropped: servers trust it no longer, and agents are given a bundle without it',
  };
}

function authorityObject({ row, behind }: Authority): ResponseObject<'listCertificateAuthorities'> {
  const [certificate] = certificatesIn(row.chainPem);
  return {
    fingerprint: row.fingerprint,
    name: certificate === undefined ? '' : subjectOf(certificate),
    state: row.state,
    isgiven: row.secret === null,
    created: dateText(row.created),
    changed: dateText(row.changed),
    ends: dateText(certificate === undefined ? 0 : Date.parse(certificate.validTo)),
    hostsbehind: behind?.count,
    hostsbehindup: behind?.up,
    hostsbehindnames: behind?.names,
  };
}

export async function issueCertificate(
  { operations }: HandlerParts,
  { csr, domain, ipaddress, duration, provider }: Params<'issueCertificate'>,
): Promise<Response<'issueCertificate'>> {
  checkProvider('issueCertificate', provider);
  const job = await operations.issueCertificate({ csr, domain, ipaddress, duration });
  return { jobid: job.uuid };
}

export async function provisionCertificate(
  { operations }: HandlerParts,
  { hostid, reconnect, forced, provider }: Params<'provisionCertificate'>,
): Promise<Response<'provisionCertificate'>> {
  checkProvider('provisionCertificate', provider);
  const job = await operations.provisionCertificate({ hostId: hostid, reconnect, forced });
  return { jobid: job.uuid, id: hostid };
}

export async function revokeCertificate(
  { operations }: HandlerParts,
  { serial, cn, provider }: Params<'revokeCertificate'>,
): Promise<Response<'revokeCertificate'>> {
  checkProvider('revokeCertificate', provider);
  const job = await operations.revokeCertificate({ serial, cn });
  return { jobid: job.uuid };
}

/** What the API shows of a host's certificate. `undefined`: the store is away. */
export function certificateFields(certificate: HostCertificate | undefined) {
  return {
    certificatestate: certificate?.state,
    certificateserial: certificate?.serial,
    certificateends: dated(certificate?.ends),
    certificaterenews: dated(certificate?.renews),
  };
}

/** @throws ApiError 431 */
function checkProvider(command: string, provider: string | undefined): void {
  if (provider === undefined || provider === PROVIDER.name) return;
  throw invalidParameter(command, 'provider', provider, `the only provider is ${PROVIDER.name}`);
}
