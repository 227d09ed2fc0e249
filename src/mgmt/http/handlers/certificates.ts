import type { Params, Response } from '../../../api/types.js';
import type { HostCertificate } from '../../security/host-certificates.js';
import { invalidParameter } from '../api-error.js';
import { dated } from './fields.js';
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
  { caBundlePem }: HandlerParts,
  { provider }: Params<'listCaCertificate'>,
): Promise<Response<'listCaCertificate'>> {
  checkProvider('listCaCertificate', provider);
  return { certificate: caBundlePem };
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
