import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorEnvelope } from '../api/envelope.js';
import { canonicalAddress, formatHostPort, isAnyAddress } from '../lib/address.js';
import { type Clock, systemClock } from '../lib/clock.js';
import type { Events } from '../lib/emitter.js';
import { ConfigError, FatalError, reasonOf } from '../lib/errors.js';
import { clearTemporaries } from '../lib/files/atomic-file.js';
import { firstAddress } from '../lib/interfaces.js';
import { type Log, type LogOptions, openLog } from '../lib/logger.js';
import { type Random, systemRandom } from '../lib/random.js';
import { retryWhile } from '../lib/retry.js';
import { loopUtilization } from '../metrics/loop-utilization.js';
import type { MetricsSource } from '../metrics/metrics-port.js';
import { ProcessMetrics } from '../metrics/process-metrics.js';
import { PrometheusMetrics } from '../metrics/prometheus.js';
import { endInOrder } from '../program/end-in-order.js';
import type { Message } from '../protocol/index.js';
import { tcpAgentsPort } from './agents/agents-port.js';
import { openDataDir } from './cluster/data-dir.js';
import { tcpServerDialer } from './cluster/links/server-dialer.js';
import type { CommandOutcome } from './commands/outcome.js';
import type { SendOptions } from './commands/sender.js';
import { composeNode, type ManagementNode } from './compose-node.js';
import { type Configuration, type ParameterName, readConfiguration } from './config/parameters.js';
import { type MgmtSettings, notListening } from './config/settings.js';
import type { HostEvents } from './hosts/host-presence.js';
import type { ManagedHost } from './hosts/managed-hosts.js';
import type { ApiReply } from './http/api.js';
import { type HttpServer, httpServer, listenHttp } from './http/http-server.js';
import { metricsPage } from './http/metrics-page.js';
import { meteredStore } from './metrics/metered-store.js';
import { SERVER_METRICS } from './metrics/server-metrics.js';
import { type MgmtFileOptions, readMgmtFile } from './mgmt-file.js';
import { openApiTls, openCa, openCertificate, openServerCertificate } from './open-certificates.js';
import { dbUrlOf, isRemoteStore, openStore } from './open-store.js';
import { openSecretKey } from './secret-keys.js';
import { ApiKeys } from './security/api-keys.js';
import { iniState, writeCa, writeIni } from './security/ini-file.js';
import type { Store } from './store/store.js';
import { isAway, retryWhileAway } from './store/store-health.js';

/** How a management server is started. All of it has defaults. */
export interface ManagementServerOptions extends MgmtFileOptions {
  /** Where log lines go. @default as the settings `log.level`, `log.format` and `log.file` say */
  readonly log?: Log;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default systemRandom */
  readonly random?: Random;
  /** Aborts a start that is under way: `startManagementServer` then rejects with the signal's reason. @default never */
  readonly stopping?: AbortSignal;
  /**
   * Called when the server must end: SERVER_ROW_TAKEN, another process has its row. It is in the log, and so is what this
   * throws, or rejects with.
   * @default `stop('SIGINT')`
   */
  onFatal?(error: FatalError): void;
  /** Called when an operator wants this server to end. What it throws, or rejects with, is logged. @default `stop('SIGTERM')` */
  onShutdown?(): void;
}

/** A management server that runs in this process, with its files and sockets. */
export interface ManagementServer extends Events<HostEvents> {
  /** The rest of it: what operators can ask (`node.operations`), its agents, its row among the others'. */
  readonly node: ManagementNode;
  /** The port where agents connect; undefined while it is closed, as in maintenance. */
  readonly port: number | undefined;
  /** The port of the HTTP API; undefined when another server of this machine has the default one. */
  readonly apiPort: number | undefined;
  /**
   * Sends commands in one packet to the agent of a host, whichever server has it, and tells what became of them. To a
   * CloudStack agent nothing is sent twice.
   * @param hostId `id` of one of `hosts()`
   * @example
   * const outcome = await server.send(7, [CheckHealthCommand.encode({})], { wait: 20 });
   * if (outcome.kind === 'answered') console.log(outcome.messages[0]?.fields.result);
   * @throws ProtocolError BODY_TOO_LARGE, BODY_JSON; TypeError: the messages cannot be written
   */
  send(hostId: number, messages: readonly Message[], options?: SendOptions): Promise<CommandOutcome>;
  /** All hosts of the cluster as this server knows them, by id. What other servers do is known after 2 s. */
  hosts(): readonly ManagedHost[];
  /**
   * Ends it in good order, and releases its files. The first call counts; the others wait for it.
   * @param signal `SIGTERM` moves the agents to other servers first, for up to
   *   `management.server.shutdown.drain.timeout` seconds; `SIGINT` closes their links at once. @default 'SIGTERM'
   */
  stop(signal?: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /**
   * Opens the log file again, and reads the certificate files again, or has a new certificate issued. Links that are open
   * keep the old one.
   */
  reload(): void;
  /** Releases the lock of `data.dir`, for a process that ends without `stop`. Synchronous; never throws. */
  abandon(): void;
}

/**
 * Starts a management server as `node dist/mgmt.js FILE key=value …` does, in this process. It returns once the server
 * takes agents. A database behind a network that is away is waited for. When a part fails, those that were started are
 * stopped.
 * @example
 * const server = await startManagementServer({ overrides: { 'db.url': 'sqlite:data/muster.db' } });
 * server.on('ready', ({ id, name }) => console.log(`${name} is host ${id}`));
 * // …
 * await server.stop();
 * @throws ConfigError when a setting cannot be used, a file cannot be read, the log cannot be written, or the database
 *   refuses user or password
 * @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED, STORE_UNUSABLE, STORE_TOO_NEW, KEY_FILE_UNUSABLE,
 *   SERVER_ROW_TAKEN
 * @throws StoreError when the store refuses a value or is damaged
 */
export async function startManagementServer(options: ManagementServerOptions = {}): Promise<ManagementServer> {
  const { clock = systemClock, random = systemRandom, stopping = new AbortController().signal } = options;
  const { settings, initial, warnings } = await readMgmtFile(options);
  const { log, reopenLog, closeLog } = await logOf(options.log, settings.log, clock);
  const undo: (() => unknown)[] = [closeLog];
  let ending: Promise<void> | undefined;
  let started: Started | undefined;
  const stop = (signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM') => {
    ending ??= (async () => {
      await started?.stop(signal);
      await closeLog();
    })();
    return ending;
  };
  try {
    for (const { text, file } of warnings) log.warn(text, { file });
    const given = { settings, initial, clock, random, log, stopping };
    started = await start(
      {
        ...given,
        onFatal(error) {
          log.error(error.message, { code: error.code });
          return options.onFatal ? options.onFatal(error) : stop('SIGINT');
        },
        onShutdown: () => (options.onShutdown ? options.onShutdown() : stop('SIGTERM')),
      },
      undo,
    );
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
  const { node, apiPort, reloadCertificate, abandon } = started;
  return {
    node,
    apiPort,
    get port() {
      return node.port;
    },
    send: (hostId, messages, sendOptions) => node.send(hostId, messages, sendOptions),
    hosts: () => node.hosts(),
    on: (name, listener) => node.events.on(name, listener),
    stop,
    reload() {
      reopenLog();
      reloadCertificate();
    },
    abandon,
  };
}

/** The caller's log, which the caller closes, or one of our own. */
async function logOf(given: Log | undefined, options: LogOptions, clock: Clock) {
  if (given !== undefined) return { log: given, reopenLog() {}, async closeLog() {} };
  const log = await openLog(options, clock);
  return { log, reopenLog: () => log.reopen(), closeLog: () => log.close() };
}

interface StartParts {
  readonly settings: MgmtSettings;
  readonly initial: ReadonlyMap<ParameterName, string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly stopping: AbortSignal;
  onFatal(error: FatalError): void;
  onShutdown(): void;
}

/** What runs, without its log. */
interface Started {
  readonly node: ManagementNode;
  readonly apiPort: number | undefined;
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  reloadCertificate(): void;
  abandon(): void;
}

async function start(options: StartParts, undo: (() => unknown)[]): Promise<Started> {
  const { clock, random, log, stopping } = options;
  stopping.throwIfAborted();
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

  const metrics = new PrometheusMetrics(SERVER_METRICS);
  const processMetrics = new ProcessMetrics(clock);
  undo.push(() => processMetrics.stop());
  const sourceOf = ({ readings }: ManagementNode): MetricsSource => ({
    contentType: metrics.contentType,
    text: async () => metrics.text({ ...(await readings()), ...processMetrics.read() }),
  });
  // The API's port first: /healthz says that the process lives, and /readyz that it is not ready.
  let node: ManagementNode | undefined;
  const apiTls = await openApiTls(settings, options);
  undo.push(() => apiTls?.stop());
  const http = httpServer({
    clock,
    metrics: metricsPage(() => node && { api: node.api, source: sourceOf(node) }),
    ...(apiTls !== undefined && { secureContext: () => apiTls.context() }),
    api: { handle: async (params, from, key) => (isServing(node) ? node.api.handle(params, from, key) : STARTING) },
    console: { folder: CONSOLE_FOLDER, console: () => (isServing(node) ? node.console : undefined) },
    notReady: () => (node === undefined ? 'starting' : node.notReady()),
  });
  undo.push(() => http.close());
  const apiPort = await openApi(http, settings, log);

  /** A step for which the store is waited. None is begun after the order to stop. */
  const step = <T>(work: () => Promise<T>): Promise<T> => {
    stopping.throwIfAborted();
    return retryWhileAway({ clock, stopping }, work);
  };
  stopping.throwIfAborted();
  const opened = await openStoreWhenThere({ ...options, settings }, stopping);
  undo.push(() => opened.close());
  const store = meteredStore(opened, { clock, meters: metrics.meters });
  const sealingKey = await step(() => openSecretKey({ settings, store, log }));
  const configuration = await step(() => initialConfiguration(store, options.initial, address, log));
  const ca = await step(() => openCa(settings, store, sealingKey, options));
  const certificate = await step(() => openCertificate(settings, { ca, store, address, msid }, options));
  undo.push(() => certificate.stop());
  const certificateOfCa = await step(() =>
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
  const apiKeys = await step(() => ApiKeys.open({ clock, random, log, store, sealingKey }));
  await writeIniOnce(settings, apiKeys, { address, apiPort, caPem: ca.bundle.pem, log });

  const composed = composeNode({
    clock,
    random,
    log,
    store,
    meters: metrics.meters,
    loopUtilization: loopUtilization(),
    msid,
    address,
    // Several servers of one machine have addresses of their own, and one host name.
    name: /^(127\.|::1$)/.test(address) ? address : hostname(),
    dataDirToken: token,
    configuration,
    agentsPort: tcpAgentsPort({ address: settings.bindAddress, port: settings.port }, clock),
    packetMaxBytes: settings.packetMaxBytes,
    secureContext: () => certificate.context,
    certificateEnds: () => certificate.ends,
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
    apiPort,
    async stop(signal) {
      log.info('Stopping', { signal, agents: composed.agents.registry.size });
      if (signal === 'SIGTERM') await composed.drain();
      certificate.stop();
      certificateOfCa.stop();
      apiTls?.stop();
      processMetrics.stop();
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

/** The console's page, where the build has put it. */
const CONSOLE_FOLDER = fileURLToPath(new URL('../console/page', import.meta.url));

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
async function openStoreWhenThere({ settings, clock, random, log }: StartParts, stopping: AbortSignal): Promise<Store> {
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
