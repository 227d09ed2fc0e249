import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { errorEnvelope } from '../api/envelope.js';
import { canonicalAddress, formatHostPort } from '../lib/address.js';
import { clearTemporaries } from '../lib/atomic-file.js';
import { type Clock, delay } from '../lib/clock.js';
import { ConfigError, FatalError, reasonOf } from '../lib/errors.js';
import { firstAddress } from '../lib/interfaces.js';
import type { Log } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import { endInOrder } from '../program/end-in-order.js';
import { tcpAgentsPort } from './agents/agents-port.js';
import { openDataDir } from './cluster/data-dir.js';
import { composeNode, type ManagementNode } from './compose-node.js';
import { type Configuration, type ParameterName, readConfiguration } from './config/parameters.js';
import type { MgmtSettings } from './config/settings.js';
import type { ApiReply } from './http/api.js';
import { type HttpServer, httpServer, listenHttp } from './http/http-server.js';
import { keyOfDbUrl, openStore } from './open-store.js';
import { type ApiKeys, hasIni, openApiKeys, writeIni } from './security/api-keys.js';
import { openCa } from './security/ca.js';
import { loadCertificateFiles } from './security/certificate-files.js';
import { openSealingKey, type SealingKey, sealUnder } from './security/sealing-key.js';
import { type CertificateSource, ServerCertificate } from './security/server-certificate.js';
import type { Store } from './store/store.js';
import { isAway, retryWhileAway } from './store/store-health.js';

export interface NodeOptions {
  readonly settings: MgmtSettings;
  /** Initial values of the global configuration. */
  readonly initial: ReadonlyMap<ParameterName, string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Gives up a start that is under way. @default never */
  readonly stopping?: AbortSignal;
  /** The process must end: another one has this server's row. */
  onFatal(error: FatalError): void;
  /** An operator wants this server to end, in good order. */
  onShutdown(): void;
}

/** A management server that runs, with its files and sockets. */
export interface RunningNode {
  readonly node: ManagementNode;
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  reloadCertificate(): void;
  /** The process dies: synchronous, never throws. */
  abandon(): void;
}

/**
 * Starts all of it, from the folder to the sockets; what has been started is undone when a later part fails.
 * @throws ConfigError, FatalError, StoreError
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const undo: (() => unknown)[] = [];
  try {
    return await start(options, undo);
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

async function start(options: NodeOptions, undo: (() => unknown)[]): Promise<RunningNode> {
  const { settings, clock, random, log, stopping = new AbortController().signal } = options;
  const { lock, nodeId: msid, token } = await openDataDir(settings.dataDir, settings.nodeId, random);
  undo.push(() => lock.releaseSync());
  await clearTemporaries(settings.dataDir, clock.wallTime());
  if (settings.keyFile !== undefined) await clearTemporaries(dirname(settings.keyFile), clock.wallTime());
  const address = settings.nodeIp ?? canonicalAddress(firstAddress());

  // The API's port first: whoever looks sees that the process lives, and that it is not ready.
  let node: ManagementNode | undefined;
  const http = httpServer({
    api: { handle: async (params, from) => (isServing(node) ? node.api.handle(params, from) : STARTING) },
    notReady: () => (node === undefined ? 'starting' : node.notReady()),
  });
  undo.push(() => http.close());
  const apiPort = await openApi(http, settings, log);

  const waiting = { clock, stopping };
  const store = await openStoreWhenThere(options, stopping);
  undo.push(() => store.close());
  const sealingKey =
    settings.keyFile === undefined
      ? sealUnder(keyOfDbUrl(settings.dbUrl), 'the password in db.url (no key.file is given)')
      : await openSealingKey(settings.keyFile, { log });
  const configuration = await retryWhileAway(waiting, () => initialConfiguration(store, options.initial, address, log));
  const certificate = await retryWhileAway(waiting, () =>
    openCertificate(settings, store, sealingKey, { address, msid }, options),
  );
  undo.push(() => certificate.stop());
  const keys = await retryWhileAway(waiting, () => openApiKeys(store, sealingKey));
  await writeIniOnce(settings, keys, { address, apiPort, log });

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
    secureContext: () => certificate.context,
    apiKeys: keys,
    onFatal: error => options.onFatal(error),
    onShutdown: () => options.onShutdown(),
  });
  node = composed;
  stopping.throwIfAborted();
  const giveUp = () => void composed.stop('now');
  stopping.addEventListener('abort', giveUp, { once: true });
  await composed.start();
  stopping.removeEventListener('abort', giveUp);

  return {
    node: composed,
    async stop(signal) {
      log.info('Stopping', { signal, agents: composed.agents.registry.size });
      if (signal === 'SIGTERM') {
        await composed.drain().catch(error => log.error('The drain has failed', { reason: reasonOf(error) }));
      }
      certificate.stop();
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
    reloadCertificate: () => void certificate.reload(),
    abandon: () => lock.releaseSync(),
  };
}

/** What the API answers before the server serves. */
const STARTING: ApiReply = {
  status: 503,
  body: errorEnvelope('errorresponse', { code: 503, csCode: 9999, message: 'this management server is starting' }),
};

function isServing(node: ManagementNode | undefined): node is ManagementNode {
  return node !== undefined && node.notReady() !== 'starting';
}

/** A database behind a network may be away when the server starts: it waits. @throws ConfigError, FatalError */
async function openStoreWhenThere(
  { settings, clock, random, log }: NodeOptions,
  stopping: AbortSignal,
): Promise<Store> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await openStore(settings.dbUrl, { clock, random, log });
    } catch (error) {
      const isThere = !(error instanceof FatalError && isAway(error.cause)) || settings.dbUrl.startsWith('sqlite:');
      if (isThere || stopping.aborted) throw error;
      if (isFirst) log.error('The store is away; this server waits for it', { reason: reasonOf(error) });
      await delay(clock, STORE_RETRY_MS, stopping);
      stopping.throwIfAborted();
    }
  }
}

const STORE_RETRY_MS = 2_000;

/** Whenever `data.dir` has none: a start that was killed may have made the pair and not written it down. */
async function writeIniOnce(
  { dataDir, apiAddress, apiPort: configuredPort }: MgmtSettings,
  keys: ApiKeys,
  { address, apiPort, log }: { readonly address: string; readonly apiPort: number | undefined; readonly log: Log },
): Promise<void> {
  if (await hasIni(dataDir)) return;
  const host = /^(0\.0\.0\.0|::)$/.test(apiAddress) ? address : apiAddress;
  const endpoint = `http://${formatHostPort(host, apiPort ?? configuredPort)}/client/api`;
  log.info('Wrote the key pair of the HTTP API', { file: await writeIni(dataDir, endpoint, keys) });
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

async function openCertificate(
  { tls }: MgmtSettings,
  store: Store,
  sealingKey: SealingKey,
  self: { readonly address: string; readonly msid: number },
  { clock, random, log }: NodeOptions,
): Promise<ServerCertificate> {
  if (tls !== undefined) {
    const source: CertificateSource = { kind: 'files', obtain: () => loadCertificateFiles(tls, { clock }) };
    return ServerCertificate.open(source, clock, log);
  }
  const ca = await openCa(store, sealingKey, { clock, random });
  const source: CertificateSource = {
    kind: 'issued',
    obtain: () => ca.issueServerCertificate({ addresses: [self.address], msid: self.msid }),
  };
  return ServerCertificate.open(source, clock, log);
}
