import type { SecureContext } from 'node:tls';
import { sharedAbortController } from '../lib/abort.js';
import { type Clock, systemClock } from '../lib/clock.js';
import { callOut, type Events } from '../lib/emitter.js';
import { type FatalError, reasonOf } from '../lib/errors.js';
import { filterInSteps, runInTurns } from '../lib/interruptible.js';
import { type Log, silentLog } from '../lib/logger.js';
import { type Random, systemRandom } from '../lib/random.js';
import { ConfirmAnswersCommand, LIMITS, type Message } from '../protocol/index.js';
import type { AgentsPort } from './agents/agents-port.js';
import { PortKeeper } from './agents/agents-port.js';
import { type Agents, composeAgents } from './agents/compose-agents.js';
import { Alerts } from './alerts/alerts.js';
import { httpPoster, type PostJson } from './alerts/webhook.js';
import { EventLog, type EventSink } from './cluster/events.js';
import type { ServerDialer } from './cluster/links/server-dialer.js';
import { ServerLinks } from './cluster/links/server-links.js';
import { Membership } from './cluster/membership.js';
import { carryOutCommands } from './commands/command-job.js';
import type { CommandRunParts } from './commands/command-run.js';
import { HostFinder } from './commands/host-finder.js';
import { takeKeptAnswers } from './commands/kept-answers.js';
import type { CommandOutcome } from './commands/outcome.js';
import { passOn } from './commands/pass-on.js';
import { ResourceFailures } from './commands/resource-failures.js';
import { Sender, type SendOptions } from './commands/sender.js';
import type { Configuration } from './config/parameters.js';
import type { HostEvents } from './hosts/host-presence.js';
import type { KnownHost } from './hosts/known-hosts.js';
import { LinkStatusWriter } from './hosts/link-status-writer.js';
import { type ManagedHost, managedHosts } from './hosts/managed-hosts.js';
import { PresentLinks } from './hosts/present-links.js';
import { Api } from './http/api.js';
import { Console } from './http/console/console.js';
import { handlersFor } from './http/handlers/index.js';
import { answersElsewhere } from './jobs/answers-elsewhere.js';
import { advanceAuthority } from './jobs/authority-operations.js';
import { certificateJobs } from './jobs/certificate-jobs.js';
import { CertificateRenewal } from './jobs/certificate-renewal.js';
import { drainBeforeStop } from './jobs/drain.js';
import { hostJobs } from './jobs/host-jobs.js';
import { newJob, type StartJob } from './jobs/job-request.js';
import { JobRunner, type JobWork } from './jobs/job-runner.js';
import { type Operations, operationsOf } from './jobs/operations.js';
import { OwnState } from './jobs/own-state.js';
import { Provisioner } from './jobs/provision.js';
import type { ServerJobParts } from './jobs/server-job-parts.js';
import { serverJobs } from './jobs/server-jobs.js';
import { type NodeReadings, type ServerMeters, SILENT_SERVER_METERS } from './metrics/server-metrics.js';
import { NodeLifecycle } from './node-lifecycle.js';
import type { ApiKeys } from './security/api-keys.js';
import type { Ca } from './security/ca.js';
import { readHostCertificates } from './security/host-certificates.js';
import { ServerReadings } from './server-readings.js';
import type { Store } from './store/store.js';
import { StoreHealth } from './store/store-health.js';

/** What one management server is made from. `startManagementServer` makes all of it from settings. */
export interface NodeParts {
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default systemRandom */
  readonly random?: Random;
  /** Where the server logs. @default silentLog */
  readonly log?: Log;
  /** What the servers of the cluster share. `stop` leaves it open. */
  readonly store: Store;
  /** What the server counts with: those of `PrometheusMetrics`. @default nothing is counted */
  readonly meters?: ServerMeters;
  /** The server's id, 1 to 2^48 − 1; another one for each server of the cluster. */
  readonly msid: number;
  /** The server's address as it stands in `host`. */
  readonly address: string;
  /** The server's name, for people. */
  readonly name: string;
  /** Random, kept in `data.dir`: it distinguishes a restart from a second server with the same msid. */
  readonly dataDirToken: string;
  /** The store's configuration, as `readConfiguration` reads it. */
  readonly configuration: Configuration;
  /** Where agents connect. */
  readonly agentsPort: AgentsPort;
  /** Unpacked bytes of one packet of a Ready agent. @default 4 MiB */
  readonly packetMaxBytes?: number;
  /** The TLS context for the next agent: see `secureContext` of `muster`. */
  secureContext(): SecureContext;
  /** When the certificate ends that agents are shown, in milliseconds since 1970. @default it is not known */
  certificateEnds?(): number | undefined;
  /**
   * The TLS context for the next connection to or from another server: this server's certificate of `ca`, as
   * `issueServerCertificate` makes it for `msid`.
   */
  serverContext(): SecureContext;
  /** How the other servers' agents' ports are reached: `tcpServerDialer` of this package, by TCP. */
  readonly serverDialer: ServerDialer;
  /** Issues the certificates of agents; all servers of a cluster have the same one. `newCa` makes one. */
  readonly ca: Ca;
  /** The keys with which clients of the HTTP API sign. `start` has them read again and again, `stop` ends that. */
  readonly apiKeys: ApiKeys;
  /**
   * Which part of the time since the last call the event loop was busy, 0 to 1. Without it a server does not notice that it
   * is too slow for its agents. @default it always has time to spare
   */
  readonly loopUtilization?: () => number;
  /** How alerts are posted to webhooks. @default by HTTP and HTTPS */
  readonly postJson?: PostJson;
  /** Called when this server must end: SERVER_ROW_TAKEN, another process has its row. What it throws, or rejects with, is logged. */
  onFatal(error: FatalError): void;
  /** Called when an operator wants this server to end: call `drain`, then `stop`. What it throws, or rejects with, is logged. */
  onShutdown(): void;
}

/** One management server: its agents, its row among the others', its jobs, its API. */
export interface ManagementNode {
  /** The connected agents: `agents.registry` has an `Attache` for each, which sends it requests. */
  readonly agents: Agents;
  /** This server's state, and what is known of the other servers. */
  readonly membership: Membership;
  /** The jobs that this server carries out. */
  readonly jobs: JobRunner;
  /** What operators can ask of the cluster: the HTTP API and programs call them. */
  readonly operations: Operations;
  /** The HTTP API without its port. */
  readonly api: Api;
  /** What the console in a browser needs beside the API. */
  readonly console: Console;
  /** The links to the other servers. */
  readonly serverLinks: ServerLinks;
  /**
   * Sends commands in one packet to the agent of a host, whichever server has it, and tells what became of them. To a
   * CloudStack agent nothing is sent twice.
   * @param hostId as in `Attache.host`
   * @example
   * const outcome = await node.send(7, [CheckHealthCommand.encode({})], { wait: 20 });
   * if (outcome.kind === 'answered') console.log(outcome.messages[0]?.fields.result);
   * @throws ProtocolError BODY_TOO_LARGE, BODY_JSON; TypeError: the messages cannot be written
   */
  send(hostId: number, messages: readonly Message[], options?: SendOptions): Promise<CommandOutcome>;
  /** All hosts of the cluster as this server knows them, by id. What other servers do is known after 2 s. */
  hosts(): readonly ManagedHost[];
  /** When hosts come to this server, and leave it. */
  readonly events: Events<HostEvents>;
  /** The port where agents connect; undefined while it is closed. */
  readonly port: number | undefined;
  /** Why agents and operators should use another server now; undefined when it serves. */
  notReady(): string | undefined;
  /** What the gauges of `docs/metrics.md` show now; those of the process are not among them. */
  readings(): Promise<NodeReadings>;
  /**
   * Joins the cluster, opens the agents' port, and serves. It waits for a store that is away. When a part fails, those
   * that were started are stopped.
   * @throws FatalError PORT_IN_USE, ADDRESS_NOT_AVAILABLE, LISTEN_FAILED, SERVER_ROW_TAKEN; StoreError
   */
  start(): Promise<void>;
  /** Moves the agents to other servers, for up to `management.server.shutdown.drain.timeout` seconds. Never rejects. */
  drain(): Promise<void>;
  /**
   * Ends all links, and leaves the cluster; a start that is under way rejects. Never rejects. Idempotent.
   * @param how `orderly`: links end by FIN, behind what is queued; `now`: at once
   */
  stop(how: 'orderly' | 'now'): Promise<void>;
}

/**
 * Puts one management server together from its parts. Production, tests and simulation all call it. Nothing is started
 * before `start`.
 * @example
 * const node = composeNode({
 *   store,
 *   msid: 1,
 *   address: '192.0.2.1',
 *   name: 'ms1',
 *   dataDirToken: systemRandom.uuid(),
 *   configuration: readConfiguration(await store.configuration()).configuration,
 *   agentsPort: tcpAgentsPort({ address: '192.0.2.1', port: 8250 }),
 *   secureContext: () => context,
 *   serverContext: () => serverContext,
 *   serverDialer: tcpServerDialer(),
 *   ca: await newCa({ clock: systemClock, random: systemRandom }),
 *   apiKeys: await ApiKeys.open({ ...parts, store, sealingKey: sealUnder(randomBytes(32), 'a key of this program') }),
 *   onFatal: error => console.error(error.message),
 *   onShutdown: () => void node.drain().then(() => node.stop('orderly')),
 * });
 * await node.start();
 */
export function composeNode(parts: NodeParts): ManagementNode {
  const { clock = systemClock, random = systemRandom, log = silentLog } = parts;
  const { store, msid, address, configuration, agentsPort, ca, meters = SILENT_SERVER_METERS } = parts;
  const callBack = (callback: 'onFatal' | 'onShutdown', call: () => unknown) =>
    void callOut(call, error =>
      log.error('A callback of the program has failed', { callback, reason: reasonOf(error) }),
    );
  const health = new StoreHealth(log);
  const shared = { clock, random, log, health, msid };
  const eventLog = new EventLog(store, health, shared);
  const events: EventSink = {
    add(event) {
      eventLog.add(event);
      alerts.note(event);
    },
  };
  const membership = new Membership(store, {
    ...shared,
    address,
    name: parts.name,
    dataDirToken: parts.dataDirToken,
    heartbeat() {
      const { values } = agents.lists.configuration;
      return { intervalMs: values['cluster.heartbeat.interval'], thresholdMs: values['cluster.heartbeat.threshold'] };
    },
    onState: state =>
      events.add({ type: 'SERVER.STATE', level: 'INFO', description: `Management server ${address} is ${state}` }),
    onAvoided: avoided => agents.lists.avoid(avoided),
    onForeign: error => callBack('onFatal', () => parts.onFatal(error)),
    onServerDown: ({ serviceIp, silentMs }) =>
      events.add({
        type: 'SERVER.DOWN',
        level: 'ERROR',
        description: `Management server ${serviceIp} is down: silent for ${Math.round(silentMs / 1000)} s`,
      }),
    onSharedAddress({ name, msid: other }) {
      log.error('Another living server has this address: each needs one of its own', { address, server: name, other });
      const description = `Two management servers have the address ${address}: ${msid} and ${other}`;
      events.add({ type: 'SERVER.STATE', level: 'ERROR', description });
    },
    servingPort: () => keeper.number,
  });
  const packetMaxBytes = parts.packetMaxBytes ?? LIMITS.packetBytes;
  const serverLinks: ServerLinks = new ServerLinks({
    ...shared,
    runId: membership.runId,
    dialer: parts.serverDialer,
    context: () => parts.serverContext(),
    judge: certificate => agents.peers.judgeServer(certificate),
    objectionTo: identity => agents.peers.objectionTo(identity),
    servers: () => membership.servers,
    refresh: () => membership.refresh(),
    isReachable: () => keeper.isOpen,
    refused: (from, why) => agents.peers.refused(from, why),
    handlers: {
      serve: (request, from, signals) => passOn(agents.registry, request, from, signals),
      onJobs: () => void jobs.look(),
    },
  });
  // Each command to an agent that is under way listens.
  const stopping = sharedAbortController();
  const agents = composeAgents({
    ...shared,
    meters,
    address,
    stopping: stopping.signal,
    store,
    security: { ca, store },
    events,
    configuration,
    packetMaxBytes,
    otherServers: serverLinks,
    secureContext: () => parts.secureContext(),
    takesAgents: () => keeper.isOpen,
    loopUtilization: parts.loopUtilization ?? (() => 0),
    others: () => membership.othersThatTakeAgents,
    lifeOf: other => membership.lifeOf(other),
    takeKeptAnswers: (hostId, kept) => takeKeptAnswers({ store, msid }, hostId, kept),
    answersElsewhere: host => answersElsewhere({ clock, store, startJob, stopping: stopping.signal }, host),
  });
  agents.lists.onChange(() => {
    membership.retime();
    lifecycle.warnOfStrangers();
  });
  const keeper = new PortKeeper({
    port: agentsPort,
    serve: (socket, remote) => void agents.server.serve(socket, remote),
    onClosed: () => agents.server.closeArriving(),
    onCannotOpen(reason) {
      log.error('The agents’ port cannot be opened again', { reason });
      const description = `Management server ${address} cannot open its agents' port: ${reason}`;
      events.add({ type: 'SERVER.STATE', level: 'ERROR', description });
    },
    onCannotClose: reason => log.warn('The agents’ port has failed to close', { reason }),
  });
  health.onReplaced(() => {
    const description = `Management server ${address}: the database file was deleted or replaced while it was in use`;
    events.add({ type: 'SERVER.STATE', level: 'ERROR', description });
  });
  const jobParts: ServerJobParts = {
    clock,
    log,
    meters,
    events,
    agents,
    membership,
    address,
    drains: {},
    stopping: stopping.signal,
    onShutdown: () => callBack('onShutdown', () => parts.onShutdown()),
  };
  const currentConfiguration = () => agents.lists.configuration;
  const provisioner = new Provisioner({
    ...{ clock, ca, store, stopping: stopping.signal },
    configuration: currentConfiguration,
  });
  const configurationChanged = () => agents.poller.poll();
  const renewal = new CertificateRenewal({
    ...{ ...shared, events, provisioner, store, ca, registry: agents.registry },
    configuration: currentConfiguration,
    advance: () => advanceAuthority({ clock, store, events, ca, configurationChanged }),
  });
  const alerts: Alerts = new Alerts({
    ...{ ...shared, address, store, postJson: parts.postJson ?? httpPoster(clock) },
    configuration: currentConfiguration,
    secretOf: keyName => parts.apiKeys.all.find(({ name }) => name === keyName)?.secretKey,
    async facts() {
      const isNowhere = ({ status }: KnownHost) => status === 'Disconnected' || status === 'Connecting';
      const nowhere = await runInTurns(filterInSteps(agents.knownHosts, isNowhere), clock);
      return {
        ownMsid: msid,
        servers: membership.servers,
        nowhere: new Map(nowhere.map(({ id, name }) => [id, name])),
        ending: renewal.ending,
      };
    },
  });
  const resourceFailures = new ResourceFailures({ ...shared, events, knownHosts: agents.knownHosts });
  const sender = new Sender({
    clock,
    meters,
    onResourceFailed: (hostId, answer) => resourceFailures.tell(hostId, answer),
    packetMaxBytes,
    hosts: new HostFinder({
      ...{ msid, store },
      registry: agents.registry,
      knownHosts: agents.knownHosts,
      lifeOf: other => membership.lifeOf(other),
    }),
    askHere: (request, signals) => passOn(agents.registry, request, msid, signals),
    askServer: (other, request, signals) => serverLinks.request(other, request, signals),
  });
  const commandRunParts: CommandRunParts = {
    ...{ clock, log, msid, store, sender, stopping: stopping.signal },
    serverOf: hostId => (agents.registry.get(hostId) ? msid : (agents.knownHosts.byId(hostId)?.msid ?? null)),
    confirm(hostId, commandId) {
      const attache = agents.registry.get(hostId);
      // An agent of another server offers what it keeps to that one, which finds it stored.
      if (attache?.isRepeatable !== true) return;
      attache.ask([ConfirmAnswersCommand.encode({ commandIds: [commandId] })]).catch(() => {});
    },
  };
  const work: Readonly<Record<string, JobWork>> = {
    ...certificateJobs({ clock, ca, store, registry: agents.registry, provisioner, stopping: stopping.signal }),
    ...hostJobs({
      ...{ clock, stopping: stopping.signal, store, sender },
      ...{ registry: agents.registry, notices: agents.notices, lists: agents.lists, propagation: agents.propagation },
    }),
    ...serverJobs(jobParts),
    sendCommand: (job, progress) => carryOutCommands(commandRunParts, job, progress),
  };
  const jobs = new JobRunner(store, { ...shared, events, work });
  const ownState = new OwnState(jobParts, jobs);
  const linkStatusWriter = new LinkStatusWriter(store, shared, () => agents.linkStatus());
  const tellOfJobs = (target: number) => {
    if (target === msid) void jobs.look();
    else serverLinks.tellOfJobs(target);
  };
  const startJob: StartJob = async (job, createdBy = address) => {
    const row = await store.createJob(newJob(job, createdBy));
    tellOfJobs(job.targetMsid ?? msid);
    return row;
  };
  const operationsFor = operationsOf({
    clock,
    store,
    stopping: stopping.signal,
    events,
    address,
    ca,
    apiKeys: parts.apiKeys,
    startJob,
    readServers: () => membership.readServers(),
    configuration: currentConfiguration,
    configurationChanged,
    listFor: host => agents.lists.listFor(host),
    tellOfJobs,
    jobMade: () => void jobs.look(),
    async stateChanged() {
      await membership.refresh();
      void jobs.look();
    },
  });
  const links = new PresentLinks({ clock, store, msid, ownLink: hostId => agents.registry.get(hostId)?.linkStatus });
  const handlers = handlersFor({
    clock,
    store,
    operationsFor,
    observe: rows => membership.observe(rows),
    presentLinks: () => links.read(),
    hostCertificates: ids => readHostCertificates({ clock, store, ca, configuration: currentConfiguration }, ids),
    ca,
    own: {
      msid,
      isNeeded: () => health.away,
      hosts: () => runInTurns(agents.ownView(), clock),
      links: () => links.own(),
      servers: () => membership.servers,
      survivors: () => readings.survivors(),
    },
  });
  const api = new Api({ clock, log, keys: parts.apiKeys, handlers, store, events });
  const console = new Console({
    ...{ clock, log, keys: parts.apiKeys, handlers, api, store },
    canary() {
      const { canary } = currentConfiguration();
      return canary && { id: canary.id, begun: canary.begun, createdby: canary.createdBy };
    },
  });
  const lifecycle = new NodeLifecycle({
    ...{ clock, log, msid, address, stopping, health, events, eventLog, membership, agents, keeper, jobs, alerts },
    ...{ linkStatusWriter, renewal, ownState, serverLinks, sender, console, apiKeys: parts.apiKeys },
    drain: () => drainBeforeStop(jobParts),
  });

  const readings = new ServerReadings({
    ...{ clock, msid, address, agents, membership, sender, health, ca },
    drains: jobParts.drains,
    certificateEnds: () => parts.certificateEnds?.(),
    isReady: () => lifecycle.notReady() === undefined,
  });

  return {
    agents,
    membership,
    jobs,
    operations: operationsFor(),
    api,
    console,
    serverLinks,
    send: (hostId, messages, options) => sender.send(hostId, messages, options),
    hosts: () =>
      managedHosts({
        msid,
        knownHosts: agents.knownHosts,
        hasLink: hostId => agents.registry.get(hostId) !== undefined,
        addressOf: other =>
          other === msid ? address : membership.servers.find(server => server.msid === other)?.serviceIp,
      }),
    events: agents.presence.events,
    get port() {
      return keeper.number;
    },
    notReady: () => lifecycle.notReady(),
    readings: () => readings.read(),
    start: () => lifecycle.start(),
    drain: () => lifecycle.drain(),
    stop: how => lifecycle.stop(how),
  };
}
