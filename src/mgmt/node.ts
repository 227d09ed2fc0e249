import { hostname } from 'node:os';
import { canonicalAddress, formatHostPort } from '../lib/address.js';
import type { Clock } from '../lib/clock.js';
import { ConfigError, type FatalError, reasonOf } from '../lib/errors.js';
import { firstAddress } from '../lib/interfaces.js';
import type { Log } from '../lib/logger.js';
import type { Random } from '../lib/random.js';
import { ManagementServer } from './agents/agent-server.js';
import { listen } from './agents/listener.js';
import { openDataDir } from './cluster/data-dir.js';
import { EventLog } from './cluster/events.js';
import { Membership } from './cluster/membership.js';
import { takesAgents } from './cluster/server-state.js';
import { type Configuration, type ParameterName, readConfiguration } from './config/parameters.js';
import type { MgmtSettings } from './config/settings.js';
import { LinkFactsWriter } from './hosts/link-facts-writer.js';
import type { Administration } from './http/administration.js';
import { Api } from './http/api.js';
import { handlersFor } from './http/handlers/index.js';
import { type HttpServer, httpServer, listenHttp } from './http/http-server.js';
import { hostJobs } from './jobs/host-jobs.js';
import { JobRunner } from './jobs/job-runner.js';
import { moveAgentsAway, type ServerJobParts, serverJobs } from './jobs/server-jobs.js';
import { keyOfDbUrl, openStore } from './open-store.js';
import { openApiKeys, writeIni } from './security/api-keys.js';
import { openCa } from './security/ca.js';
import { loadCertificateFiles } from './security/certificate-files.js';
import { openSealingKey, type SealingKey, sealUnder } from './security/sealing-key.js';
import { type CertificateSource, ServerCertificate } from './security/server-certificate.js';
import type { Store } from './store/store.js';
import { StoreHealth } from './store/store-health.js';

export interface NodeOptions {
  readonly settings: MgmtSettings;
  /** Initial values of the global configuration. */
  readonly initial: ReadonlyMap<ParameterName, string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The process must end: another one has this server's place. */
  onFatal(error: FatalError): void;
  /** An operator wants this server to end, in good order. */
  onShutdown(): void;
}

/** One management server with all its parts: agents' port, HTTP API, its row among the others', its jobs. */
export interface Node {
  stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void>;
  reloadCredentials(): void;
  /** The process dies: synchronous, never throws. */
  abandon(): void;
}

/**
 * Starts all of it, from the folder to the sockets; what has been started is undone when a later part fails.
 * @throws ConfigError, FatalError, StoreError
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  const undo: (() => unknown)[] = [];
  try {
    return await assemble(options, undo);
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

async function assemble(options: NodeOptions, undo: (() => unknown)[]): Promise<Node> {
  const { settings, clock, random, log } = options;
  const { lock, nodeId: msid, token } = await openDataDir(settings.dataDir, settings.nodeId, random);
  undo.push(() => lock.releaseSync());
  const store = await openStore(settings.dbUrl, { clock, random, log });
  undo.push(() => store.close());
  const keyFile =
    settings.keyFile === undefined
      ? sealUnder(keyOfDbUrl(settings.dbUrl), 'the password in db.url (no key.file is given)')
      : await openSealingKey(settings.keyFile, { log });
  const address = settings.nodeIp ?? canonicalAddress(firstAddress());
  const configuration = await initialConfiguration(store, options.initial, address, log);
  const credentials = await openCredentials(settings, store, keyFile, { address, msid }, options);
  undo.push(() => credentials.stop());

  const health = new StoreHealth(log);
  const env = { clock, log, health, msid };
  const events = new EventLog(store, health, env);
  const membership = new Membership(store, {
    ...env,
    random,
    address,
    // Several servers of one machine have addresses of their own, and one host name.
    name: /^(127\.|::1$)/.test(address) ? address : hostname(),
    dataDirToken: token,
    intervalMs: configuration.values['cluster.heartbeat.interval'],
    thresholdMs: configuration.values['cluster.heartbeat.threshold'],
    onState: state =>
      events.add({ type: 'SERVER.STATE', level: 'INFO', description: `Management server ${address} is ${state}` }),
    onAvoided: () => server.listsChanged(),
    onForeign: error => options.onFatal(error),
    onServerDown: ({ serviceIp, ageMs }) =>
      events.add({
        type: 'SERVER.DOWN',
        level: 'ERROR',
        description: `Management server ${serviceIp} is down: silent for ${Math.round(ageMs / 1000)} s`,
      }),
  });
  const server = new ManagementServer({
    ...env,
    random,
    store,
    configuration,
    events,
    peers: {
      get takesAgents() {
        return takesAgents(membership.state);
      },
      get avoided() {
        return membership.avoided;
      },
      isUp: other => membership.servers.some(({ msid: one, state }) => one === other && state !== 'Down'),
    },
    secureContext: () => credentials.context,
  });
  const stopping = new AbortController();
  undo.push(() => stopping.abort());
  const jobsWorld: ServerJobParts = {
    clock,
    log,
    events,
    server,
    membership,
    address,
    drains: {},
    stopping: stopping.signal,
    configuration: () => server.configuration,
    onShutdown: () => options.onShutdown(),
  };
  const work = { ...hostJobs({ clock, attaches: server.attaches, store }), ...serverJobs(jobsWorld) };
  const jobs = new JobRunner(store, { ...env, work });
  const facts = new LinkFactsWriter(store, env, () => server.linkFacts);

  let isStopping = false;
  const administration: Administration = {
    clock,
    msid,
    store,
    events,
    configuration: () => server.configuration,
    ownLinks: () => server.linkFacts,
    async startJob({ cmd, params, targetMsid, hostId }) {
      const job = { cmd, params: JSON.stringify(params), targetMsid, hostId, createdBy: address };
      const row = await store.createJob(job);
      if (targetMsid === null || targetMsid === msid) void jobs.look();
      return row;
    },
    configurationChanged: () => server.poll(),
    stateChanged: async () => void (await membership.refresh()),
  };
  // The sockets first: a server that cannot have them leaves no trace among the others. It serves when it has started.
  const listener = await listen(server, { address: settings.bindAddress, port: settings.port }, clock);
  undo.push(() => listener.close());
  const { keys, isNew } = await openApiKeys(store, keyFile);
  const http = httpServer({
    api: new Api({ clock, log, keys, handlers: handlersFor(administration) }),
    notReady: () => {
      if (isStopping) return 'stopping';
      return takesAgents(membership.state) ? undefined : membership.state;
    },
  });
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
  await membership.join();
  undo.push(() => membership.leave());
  await server.start();
  undo.push(() => server.stop('now'));
  jobs.start();
  facts.start();
  if (membership.state === 'PreparingForMaintenance') {
    // It was killed in the midst of it.
    await administration.startJob({ cmd: 'drain', params: { purpose: 'maintenance' }, targetMsid: msid, hostId: null });
  }
  events.add({ type: 'SERVER.UP', level: 'INFO', description: `Management server ${address} has started` });
  log.info('Listening for agents', { address: listener.address, port: listener.port, msid, node: address });

  return {
    async stop(signal) {
      log.info('Stopping', { signal, agents: server.attaches.size });
      isStopping = true;
      if (signal === 'SIGTERM') await moveAgentsAway(jobsWorld);
      stopping.abort();
      jobs.stop();
      facts.stop();
      credentials.stop();
      const closed = Promise.all([listener.close(), http.close()]);
      await server.stop(signal === 'SIGTERM' ? 'orderly' : 'now');
      await closed;
      events.add({ type: 'SERVER.DOWN', level: 'INFO', description: `Management server ${address} was stopped` });
      await events.close();
      await membership.leave().catch(error => log.warn('The others will notice late', { reason: reasonOf(error) }));
      await store.close();
      await lock.release();
      log.info('Stopped');
    },
    reloadCredentials: () => void credentials.reload(),
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

async function openCredentials(
  { tls }: MgmtSettings,
  store: Store,
  keyFile: SealingKey,
  self: { readonly address: string; readonly msid: number },
  { clock, random, log }: NodeOptions,
): Promise<ServerCertificate> {
  if (tls !== undefined) {
    const source: CertificateSource = { kind: 'files', obtain: () => loadCertificateFiles(tls, { clock }) };
    return ServerCertificate.open(source, clock, log);
  }
  const ca = await openCa(store, keyFile, { clock, random });
  const source: CertificateSource = {
    kind: 'issued',
    obtain: () => ca.issueServerCertificate({ addresses: [self.address], msid: self.msid }),
  };
  return ServerCertificate.open(source, clock, log);
}
