import { hostname } from 'node:os';
import { dirname } from 'node:path';
import type { SecureContext } from 'node:tls';
import { errorEnvelope } from '../api/envelope.js';
import { canonicalAddress, formatHostPort } from '../lib/address.js';
import { type Clock, systemClock } from '../lib/clock.js';
import { ConfigError, FatalError, reasonOf } from '../lib/errors.js';
import { clearTemporaries } from '../lib/files/atomic-file.js';
import { firstAddress } from '../lib/interfaces.js';
import type { Log } from '../lib/logger.js';
import { type Random, systemRandom } from '../lib/random.js';
import { retryWhile } from '../lib/retry.js';
import { endInOrder } from '../program/end-in-order.js';
import { tcpAgentsPort } from './agents/agents-port.js';
import { openDataDir } from './cluster/data-dir.js';
import { tcpServerDialer } from './cluster/links/server-dialer.js';
import { composeNode, type ManagementNode } from './compose-node.js';
import { type Configuration, type ParameterName, readConfiguration } from './config/parameters.js';
import { type MgmtSettings, notListening } from './config/settings.js';
import type { ApiReply } from './http/api.js';
import { type HttpServer, httpServer, listenHttp } from './http/http-server.js';
import { dbUrlOf, isRemoteStore, openStore } from './open-store.js';
import { openSecretKey } from './secret-keys.js';
import { ApiKeys } from './security/api-keys.js';
import type { Ca } from './security/ca.js';
import { loadApiCertificateFiles, loadCertificateFiles } from './security/certificate-files.js';
import { ClusterCa } from './security/cluster-ca.js';
import { loadGivenCa } from './security/given-ca.js';
import { iniState, writeCa, writeIni } from './security/ini-file.js';
import { rowOf } from './security/issue-certificate.js';
import type { SealingKey } from './security/sealing-key.js';
import { apiSecureContext, type CertificateSource, ServerCertificate } from './security/server-certificate.js';
import { temporaryCertificate } from './security/temporary-certificate.js';
import type { Store } from './store/store.js';
import { isAway, retryWhileAway } from './store/store-health.js';

/** How a management server is started. `readSettings` makes `settings` and `initial`. */
export interface NodeOptions {
  /** What `readSettings` has read. */
  readonly settings: MgmtSettings;
  /** Initial values of the global configuration, by name. A value that the store has already wins, and is logged. */
  readonly initial: ReadonlyMap<ParameterName, string>;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default systemRandom */
  readonly random?: Random;
  /** Where the server logs. */
  readonly log: Log;
  /** Aborts a start that is under way: `startNode` then rejects with the signal's reason. @default never */
  readonly stopping?: AbortSignal;
  /** Called when the process must end: SERVER_ROW_TAKEN, another one has this server's row. */
  onFatal(error: FatalError): void;
  /** Called when an operator wants this server to end: call `RunningNode.stop('SIGTERM')`. */
  onShutdown(): void;
}

/** A management server that runs, with its files and sockets. */
export interface RunningNode {
  /** Its agents and its operations. */
  readonly node: ManagementNode;
  /**
   * Ends it in good order, and releases its files. Never called twice.
   * @param signal `SIGTERM` moves the agents to other servers first, for up to
   *   `management.server.shutdown.drain.timeout` seconds; `SIGINT` closes their links at once
   */
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** Reads the certificate files again, or has a new certificate issued. Links that are open keep the old one. */
  reloadCertificate(): void;
  /** Releases the lock of `data.dir`, for a process that ends without `stop`. Synchronous; never throws. */
  abandon(): void;
}

/**
 * Starts a management server as `node dist/mgmt.js` does, with its files and sockets. It returns once the server takes
 * agents. A database behind a network that is away is waited for. When a part fails, those that were started are stopped.
 * @example
 * const { settings, initial } = readSettings(new Map(), new Map([['db.url', 'sqlite:data/muster.db']]));
 * const running = await startNode({
 *   settings,
 *   initial,
 *   log: silentLog,
 *   onFatal: error => console.error(error.message),
 *   onShutdown: () => void running.stop('SIGTERM'),
 * });
 * for (const attache of running.node.agents.registry) console.log(attache.host.name);
 * await running.stop('SIGTERM');
 * @throws ConfigError when a setting cannot be used, or the database refuses user or password
 * @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED, STORE_UNUSABLE, STORE_TOO_NEW, KEY_FILE_UNUSABLE,
 *   SERVER_ROW_TAKEN
 * @throws StoreError when the store refuses a value or is damaged
 */
export async function startNode({
  clock = systemClock,
  random = systemRandom,
  ...options
}: NodeOptions): Promise<RunningNode> {
  const undo: (() => unknown)[] = [];
  try {
    return await start({ ...options, clock, random }, undo);
  } catch (error) {
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch {
        // The first error is the one to be told.
      }
    }
    throw error;
  }
}

type StartOptions = NodeOptions & Required<Pick<NodeOptions, 'clock' | 'random'>>;

async function start(options: StartOptions, undo: (() => unknown)[]): Promise<RunningNode> {
  const { clock, random, log, stopping = new AbortController().signal } = options;
  const settings = { ...options.settings, dbUrl: await dbUrlOf(options.settings) };
  const { lock, nodeId: msid, token } = await openDataDir(settings.dataDir, settings.nodeId, random);
  undo.push(() => lock.releaseSync());
  await clearTemporaries(settings.dataDir, clock.wallTime());
  if (settings.keyFile !== undefined) await clearTemporaries(dirname(settings.keyFile), clock.wallTime());
  const address = settings.nodeIp ?? canonicalAddress(firstAddress());
  const unreached = notListening(settings.bindAddress, address);
  if (unreached !== undefined) {
    log.warn('Agents cannot reach this server by its address', { 'cluster.node.IP': address, reason: unreached });
  }

  // The API's port first: /healthz says that the process lives, and /readyz that it is not ready.
  let node: ManagementNode | undefined;
  const apiTls = await openApiTls(settings, options);
  undo.push(() => apiTls?.stop());
  const http = httpServer({
    clock,
    ...(apiTls !== undefined && { secureContext: () => apiTls.context() }),
    api: { handle: async (params, from) => (isServing(node) ? node.api.handle(params, from) : STARTING) },
    notReady: () => (node === undefined ? 'starting' : node.notReady()),
  });
  undo.push(() => http.close());
  const apiPort = await openApi(http, settings, log);

  const waiting = { clock, stopping };
  const store = await openStoreWhenThere({ ...options, settings }, stopping);
  undo.push(() => store.close());
  const sealingKey = await retryWhileAway(waiting, () => openSecretKey({ settings, store, log }));
  const configuration = await retryWhileAway(waiting, () => initialConfiguration(store, options.initial, address, log));
  const ca = await retryWhileAway(waiting, () => openCa(settings, store, sealingKey, options));
  const certificate = await retryWhileAway(waiting, () =>
    openCertificate(settings, { ca, store, address, msid }, options),
  );
  undo.push(() => certificate.stop());
  const certificateOfCa = await retryWhileAway(waiting, () =>
    openServerCertificate(settings, certificate, { ca, store, address, msid }, options),
  );
  undo.push(() => certificateOfCa.stop());
  apiTls?.use(certificate);
  ca.onChange(() => {
    log.info('The CAs have changed', { issuing: ca.fingerprint, trusted: ca.signers.length });
    for (const one of new Set([certificate, certificateOfCa])) void one.reload();
    // Also beside a file that is there: by it the operator's clients verify.
    if (settings.apiTls === 'server') {
      writeCa(settings.dataDir, ca.bundle.pem).catch(error =>
        log.error('Cannot write the certificates of the CA', { folder: settings.dataDir, reason: reasonOf(error) }),
      );
    }
  });
  const apiKeys = await retryWhileAway(waiting, () => ApiKeys.open({ clock, random, log, store, sealingKey }));
  await writeIniOnce(settings, apiKeys, { address, apiPort, caPem: ca.bundle.pem, log });

  const composed = composeNode({
    clock,
    random,
    log,
    store,
    msid,
    address,
    // Several servers of one machine have addresses of their own, and one host name.
    name: /^(127\.|::1$)/.test(address) ? address : hostname(),
    dataDirToken: token,
    configuration,
    agentsPort: tcpAgentsPort({ address: settings.bindAddress, port: settings.port }, clock),
    packetMaxBytes: settings.packetMaxBytes,
    secureContext: () => certificate.context,
    serverContext: () => certificateOfCa.context,
    serverDialer: tcpServerDialer(),
    ca,
    apiKeys,
    onFatal: error => options.onFatal(error),
    onShutdown: () => options.onShutdown(),
  });
  node = composed;
  stopping.throwIfAborted();
  const giveUp = () => void composed.stop('now');
  stopping.addEventListener('abort', giveUp, { once: true });
  try {
    await composed.start();
    undo.push(() => composed.stop('now'));
    stopping.throwIfAborted();
  } finally {
    stopping.removeEventListener('abort', giveUp);
  }

  return {
    node: composed,
    async stop(signal) {
      log.info('Stopping', { signal, agents: composed.agents.registry.size });
      if (signal === 'SIGTERM') {
        await composed.drain().catch(error => log.error('The drain has failed', { reason: reasonOf(error) }));
      }
      certificate.stop();
      certificateOfCa.stop();
      apiTls?.stop();
      const closed = http.close();
      // Its failure is told below, in its turn.
      closed.catch(() => {});
      await endInOrder(
        [
          ['the server', () => composed.stop(signal === 'SIGTERM' ? 'orderly' : 'now')],
          ['the API', () => closed],
          ['the store', () => store.close()],
          ['the lock', () => lock.release()],
        ],
        { clock, log },
      );
      log.info('Stopped');
    },
    reloadCertificate() {
      void certificate.reload().then(() => (certificateOfCa === certificate ? undefined : certificateOfCa.reload()));
      apiTls?.reload();
    },
    abandon: () => lock.releaseSync(),
  };
}

/** What the API answers before the server serves. */
const STARTING: ApiReply = {
  status: 503,
  body: [errorEnvelope('errorresponse', { code: 503, csCode: 9999, message: 'this management server is starting' })],
  isSigned: false,
};

function isServing(node: ManagementNode | undefined): node is ManagementNode {
  return node !== undefined && node.notReady() !== 'starting';
}

/** A database behind a network may be away when the server starts: it waits. @throws ConfigError, FatalError */
async function openStoreWhenThere(
  { settings, clock, random, log }: StartOptions,
  stopping: AbortSignal,
): Promise<Store> {
  let isReported = false;
  return retryWhile(
    { clock, stopping },
    () => openStore(settings.dbUrl, { clock, random, log }),
    error => {
      const mayComeBack = isRemoteStore(settings.dbUrl) && error instanceof FatalError && isAway(error.cause);
      if (mayComeBack && !isReported) {
        log.error('The store is away; this server waits for it', { reason: reasonOf(error) });
        isReported = true;
      }
      return mayComeBack;
    },
  );
}

/** The TLS of the API's port, which is open before the store with the CA is. */
interface ApiTls {
  context(): SecureContext;
  /** Takes the server's own certificate from now on, unless the operator has given one for the API. */
  use(certificate: ServerCertificate): void;
  reload(): void;
  stop(): void;
}

/** @returns undefined for plain HTTP @throws ConfigError */
async function openApiTls({ apiTls }: MgmtSettings, { clock, random, log }: StartOptions): Promise<ApiTls | undefined> {
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

/** Whenever `data.dir` has none: the oldest key of an operator. A start that was killed may have made it and not written it. */
async function writeIniOnce(
  { dataDir, apiAddress, apiPort: configuredPort, apiTls }: MgmtSettings,
  apiKeys: ApiKeys,
  { address, apiPort, caPem, log }: IniParts,
): Promise<void> {
  // Also beside a file that is there: by it the operator's other clients verify.
  if (apiTls === 'server') await writeCa(dataDir, caPem);
  const key = apiKeys.all.find(({ role }) => role === 'operator');
  const state = await iniState(dataDir, apiKeys.all);
  if (state === 'stale') {
    log.warn('cloudstack.ini in data.dir has a key that the cluster does not know: delete it, and restart', {
      dataDir,
    });
  }
  if (key === undefined || state !== 'none') return;
  const host = isAnyAddress(apiAddress) ? address : apiAddress;
  const endpoint = `${apiTls === 'plain' ? 'http' : 'https'}://${formatHostPort(host, apiPort ?? configuredPort)}/client/api`;
  const file = await writeIni(dataDir, { endpoint, ...key, isVerifiedByCa: apiTls === 'server' });
  log.info('Wrote the key pair of the HTTP API', { file, key: key.name });
}

interface IniParts {
  readonly address: string;
  readonly apiPort: number | undefined;
  /** The CA by which the server's own certificate is verified. */
  readonly caPem: string;
  readonly log: Log;
}

function isAnyAddress(address: string): boolean {
  return /^(0\.0\.0\.0|::)$/.test(address);
}

/**
 * @returns the port; undefined when the default one is taken: agents need no API, and another server of this machine has it
 * @throws FatalError when the operator named it
 */
async function openApi(http: HttpServer, settings: MgmtSettings, log: Log): Promise<number | undefined> {
  const { apiAddress: address, apiPort, isApiDefault } = settings;
  try {
    const port = await listenHttp(http, address, apiPort);
    log.info('Listening for operators', { address, port });
    return port;
  } catch (error) {
    if (!isApiDefault) throw error;
    log.error('This server has no HTTP API: set api.address and api.port', { reason: reasonOf(error) });
    return undefined;
  }
}

/**
 * Writes the initial values that the store has none for, and says where the store's own stand.
 * @throws ConfigError when initial values cannot be right together, or with those of the store
 */
async function initialConfiguration(
  store: Store,
  initial: ReadonlyMap<ParameterName, string>,
  address: string,
  log: Log,
): Promise<Configuration> {
  const stored = await store.configuration();
  const intended = readConfiguration({ ...stored, values: new Map([...initial, ...stored.values]) });
  const conflict = intended.invalid.find(({ name }) => initial.has(name) && !stored.values.has(name));
  if (conflict !== undefined) throw new ConfigError(conflict.name, conflict.text, conflict.reason);
  const standing = await store.initialiseConfiguration(new Map([['host', address], ...initial]));
  for (const [name, value] of initial) {
    const stands = standing.get(name);
    if (stands !== undefined) {
      log.warn('The value given is not used: the store has another one, which stands', { name, given: value, stands });
    }
  }
  const { configuration, invalid } = readConfiguration(await store.configuration());
  const [wrong] = invalid;
  if (wrong !== undefined) throw new ConfigError(`${wrong.name} (in the store)`, wrong.text, wrong.reason);
  if (!configuration.values.host.includes(address)) {
    log.warn('This server is not in host: agents are sent to the others only', {
      'cluster.node.IP': address,
      host: configuration.values.host,
    });
  }
  return configuration;
}

/**
 * The operator's own CA, or that of the store. Agents that get a certificate of it trust the CAs of `tls.ca` as well.
 * @throws ConfigError; FatalError KEY_FILE_UNUSABLE; StoreError
 */
async function openCa(
  settings: MgmtSettings,
  store: Store,
  sealingKey: SealingKey,
  { clock, random, log }: StartOptions,
): Promise<Ca> {
  const parts = { clock, random };
  const given = settings.ca && (await loadGivenCa(settings.ca, parts));
  for (const warning of given?.warnings ?? []) log.warn(warning);
  const alsoTrusted = settings.tls && (await loadCertificateFiles(settings.tls, parts)).caPem;
  return ClusterCa.open({ ...parts, store, sealingKey, given: given?.ca, alsoTrusted });
}

interface OwnCertificateParts {
  readonly ca: Ca;
  readonly store: Store;
  readonly address: string;
  readonly msid: number;
}

/** What agents are shown: the operator's own certificate, or one of the CA. */
async function openCertificate(
  settings: MgmtSettings,
  parts: OwnCertificateParts,
  { clock, log }: StartOptions,
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
async function openServerCertificate(
  settings: MgmtSettings,
  shown: ServerCertificate,
  parts: OwnCertificateParts,
  { clock, log }: StartOptions,
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
