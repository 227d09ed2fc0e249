import { hostname } from 'node:os';
import { canonicalAddress, formatHostPort } from '../lib/address.js';
import type { Clock } from '../lib/clock.js';
import { ConfigError, type FatalError, reasonOf } from '../lib/errors.js';
import { firstAddress } from '../lib/interfaces.js';
import type { Log } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import { tcpAgentsPort } from './agents/agents-port.js';
import { openDataDir } from './cluster/data-dir.js';
import { composeNode, type ManagementNode } from './compose-node.js';
import { type Configuration, type ParameterName, readConfiguration } from './config/parameters.js';
import type { MgmtSettings } from './config/settings.js';
import { type HttpServer, httpServer, listenHttp } from './http/http-server.js';
import { keyOfDbUrl, openStore } from './open-store.js';
import { openApiKeys, writeIni } from './security/api-keys.js';
import { openCa } from './security/ca.js';
import { loadCertificateFiles } from './security/certificate-files.js';
import { openSealingKey, type SealingKey, sealUnder } from './security/sealing-key.js';
import { type CertificateSource, ServerCertificate } from './security/server-certificate.js';
import type { Store } from './store/store.js';

export interface NodeOptions {
  readonly settings: MgmtSettings;
  /** Initial values of the global configuration. */
  readonly initial: ReadonlyMap<ParameterName, string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
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
  const { settings, clock, random, log } = options;
  const { lock, nodeId: msid, token } = await openDataDir(settings.dataDir, settings.nodeId, random);
  undo.push(() => lock.releaseSync());
  const store = await openStore(settings.dbUrl, { clock, random, log });
  undo.push(() => store.close());
  const sealingKey =
    settings.keyFile === undefined
      ? sealUnder(keyOfDbUrl(settings.dbUrl), 'the password in db.url (no key.file is given)')
      : await openSealingKey(settings.keyFile, { log });
  const address = settings.nodeIp ?? canonicalAddress(firstAddress());
  const configuration = await initialConfiguration(store, options.initial, address, log);
  const certificate = await openCertificate(settings, store, sealingKey, { address, msid }, options);
  undo.push(() => certificate.stop());
  const { keys, isNew } = await openApiKeys(store, sealingKey);

  const node = composeNode({
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
  const http = httpServer({ api: node.api, notReady: () => node.notReady() });
  undo.push(() => http.close());
  let apiPort: number | undefined;
  try {
    apiPort = await openApi(http, settings, log);
  } finally {
    // Also when that has failed: the pair is in the store, and no later start would write it down.
    if (isNew) {
      const host = /^(0\.0\.0\.0|::)$/.test(settings.apiAddress) ? address : settings.apiAddress;
      const endpoint = `http://${formatHostPort(host, apiPort ?? settings.apiPort)}/client/api`;
      const path = await writeIni(settings.dataDir, endpoint, keys);
      log.info('Wrote the key pair of the HTTP API', { file: path });
    }
  }
  await node.start();

  return {
    node,
    async stop(signal) {
      log.info('Stopping', { signal, agents: node.agents.registry.size });
      if (signal === 'SIGTERM') await node.drain();
      certificate.stop();
      const closed = http.close();
      await node.stop(signal === 'SIGTERM' ? 'orderly' : 'now');
      await closed;
      await store.close();
      await lock.release();
      log.info('Stopped');
    },
    reloadCertificate: () => void certificate.reload(),
    abandon: () => lock.releaseSync(),
  };
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

/** Writes the initial values that the store has none for, and says where the store's own stand. */
async function initialConfiguration(
  store: Store,
  initial: ReadonlyMap<ParameterName, string>,
  address: string,
  log: Log,
): Promise<Configuration> {
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
