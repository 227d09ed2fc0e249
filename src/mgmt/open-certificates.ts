import { hostname } from 'node:os';
import type { SecureContext } from 'node:tls';
import { isAnyAddress } from '../lib/address.js';
import type { Clock } from '../lib/clock.js';
import type { Log } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import type { MgmtSettings } from './config/settings.js';
import type { Ca } from './security/ca.js';
import { loadApiCertificateFiles, loadCertificateFiles } from './security/certificate-files.js';
import { ClusterCa } from './security/cluster-ca.js';
import { loadGivenCa } from './security/given-ca.js';
import { rowOf } from './security/issue-certificate.js';
import type { SealingKey } from './security/sealing-key.js';
import { apiSecureContext, type CertificateSource, ServerCertificate } from './security/server-certificate.js';
import { temporaryCertificate } from './security/temporary-certificate.js';
import type { Store } from './store/store.js';

interface OpenParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The TLS of the API's port, which is open before the store with the CA is. */
export interface ApiTls {
  context(): SecureContext;
  /** Takes the server's own certificate from now on, unless the operator has given one for the API. */
  use(certificate: ServerCertificate): void;
  reload(): void;
  stop(): void;
}

/** @returns undefined for plain HTTP @throws ConfigError */
export async function openApiTls(
  { apiTls }: MgmtSettings,
  { clock, random, log }: OpenParts,
): Promise<ApiTls | undefined> {
  if (apiTls === 'plain') return undefined;
  if (apiTls === 'server') {
    const temporary = apiSecureContext(await temporaryCertificate({ clock, random }));
    let own: ServerCertificate | undefined;
    return {
      context: () => own?.apiContext ?? temporary,
      use: certificate => {
        own = certificate;
      },
      reload() {},
      stop() {},
    };
  }
  const obtain = () => loadApiCertificateFiles(apiTls, { clock });
  const given = await ServerCertificate.open({ setting: 'api.tls.cert', obtain }, clock, log);
  return {
    context: () => given.apiContext,
    use() {},
    reload: () => void given.reload(),
    stop: () => given.stop(),
  };
}

/**
 * The operator's own CA, or that of the store. Agents that get a certificate of it trust the CAs of `tls.ca` as well.
 * @throws ConfigError; FatalError KEY_FILE_UNUSABLE; StoreError
 */
export async function openCa(
  settings: MgmtSettings,
  store: Store,
  sealingKey: SealingKey,
  { clock, random, log }: OpenParts,
): Promise<Ca> {
  const parts = { clock, random };
  const given = settings.ca && (await loadGivenCa(settings.ca, parts));
  for (const warning of given?.warnings ?? []) log.warn(warning);
  const alsoTrusted = settings.tls && (await loadCertificateFiles(settings.tls, parts)).caPem;
  return ClusterCa.open({ ...parts, store, sealingKey, given: given?.ca, alsoTrusted });
}

/** Whom a certificate of the CA is for, and where it is entered. */
export interface OwnCertificateParts {
  readonly ca: Ca;
  readonly store: Store;
  readonly address: string;
  readonly msid: number;
}

/** What agents are shown: the operator's own certificate, or one of the CA. */
export async function openCertificate(
  settings: MgmtSettings,
  parts: OwnCertificateParts,
  { clock, log }: OpenParts,
): Promise<ServerCertificate> {
  const { tls } = settings;
  if (tls === undefined) return ServerCertificate.open(issuedCertificate(settings, parts, clock), clock, log);
  const source: CertificateSource = {
    setting: 'tls.cert',
    obtain: async () => ({ ...(await loadCertificateFiles(tls, { clock })), clientCaPem: parts.ca.signersPem }),
  };
  return ServerCertificate.open(source, clock, log);
}

/** What other servers are shown: a certificate of the CA in any case. @param shown what agents are shown */
export async function openServerCertificate(
  settings: MgmtSettings,
  shown: ServerCertificate,
  parts: OwnCertificateParts,
  { clock, log }: OpenParts,
): Promise<ServerCertificate> {
  if (settings.tls === undefined) return shown;
  return ServerCertificate.open(issuedCertificate(settings, parts, clock), clock, log);
}

function issuedCertificate(
  { apiAddress }: MgmtSettings,
  { ca, store, address, msid }: OwnCertificateParts,
  clock: Clock,
): CertificateSource {
  // The API may have another address than agents dial. A server that listens on all is also called from its own machine.
  const ofApi = isAnyAddress(apiAddress) ? ['127.0.0.1', '::1', 'localhost'] : [apiAddress];
  const addresses = [...new Set([address, ...ofApi, hostname()])];
  return {
    setting: undefined,
    async obtain() {
      const issued = await ca.issueServerCertificate({ addresses, msid });
      await store.addCertificate(rowOf(issued, { kind: 'server', now: clock.wallTime() }));
      return { ...issued, clientCaPem: ca.signersPem };
    },
  };
}
