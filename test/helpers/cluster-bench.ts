import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Test } from 'tap';
import './listed-crypto.js';
import { Agent } from '../../src/agent/agent.js';
import { AgentProperties, readProperties } from '../../src/agent/agent-properties.js';
import { readyLink } from '../../src/agent/agent-state.js';
import { type Dialer, type Wire, wireOver } from '../../src/agent/dial/dialer.js';
import { builtInResource } from '../../src/agent/resources/built-in.js';
import { readSettings } from '../../src/agent/settings.js';
import { Trust } from '../../src/agent/trust/trust.js';
import { silentLog } from '../../src/lib/logger.js';
import { systemRandom } from '../../src/lib/random.js';
import { PrometheusMetrics } from '../../src/metrics/prometheus.js';
import type { AgentServer } from '../../src/mgmt/agents/agent-server.js';
import type { AgentsPort } from '../../src/mgmt/agents/agents-port.js';
import { serverWireOver } from '../../src/mgmt/cluster/links/server-dialer.js';
import type { Membership } from '../../src/mgmt/cluster/membership.js';
import { composeNode, type ManagementNode } from '../../src/mgmt/compose-node.js';
import { type Configuration, readConfiguration } from '../../src/mgmt/config/parameters.js';
import { meteredStore } from '../../src/mgmt/metrics/metered-store.js';
import { NODE_METRICS } from '../../src/mgmt/metrics/server-metrics.js';
import type { ApiKeys } from '../../src/mgmt/security/api-keys.js';
import type { Ca } from '../../src/mgmt/security/ca.js';
import { ClusterCa } from '../../src/mgmt/security/cluster-ca.js';
import { rowOf } from '../../src/mgmt/security/issue-certificate.js';
import { newCa } from '../../src/mgmt/security/new-ca.js';
import { sealUnder } from '../../src/mgmt/security/sealing-key.js';
import { ServerCertificate } from '../../src/mgmt/security/server-certificate.js';
import type { JobRow, ServerRow, Store } from '../../src/mgmt/store/store.js';
import { type RemoteEnd, secureContext } from '../../src/protocol/index.js';
import { FakeClock, settle } from '../../src/testing/fake-clock.js';
import { KEYS, openKeys, type Reply, signed } from './api-bench.js';
import { openEmptyStore } from './empty-store.js';
import { NOT_STRICT } from './not-strict.js';
import { RecordingLog } from './recording-log.js';
import { samplesIn } from './samples.js';
import { scratchFolder } from './scratch.js';
import { seededRandom } from './seeded-random.js';
import { StoreFaults } from './store-faults.js';
import { until } from './until.js';

/** The CA of all clusters, at the moment in which they start. */
export const ca = await newCa({ clock: new FakeClock(), random: systemRandom });
const { chainPem, keyPem } = await ca.issueServerCertificate({ addresses: ['192.0.2.1'], msid: 1 });
/** What agents are shown; other servers are shown the server's own certificate. */
const context = secureContext({ cert: chainPem, key: keyPem });
let serial = 0;

/** Management servers with all that makes them a cluster, and agents, in one process: one store, one clock, no sockets. */
export class Cluster {
  readonly clock: FakeClock;
  readonly store: Store;
  /** The database. */
  readonly file: string;
  readonly nodes = new Map<string, ClusterNode>();
  readonly agents: ClusterAgent[] = [];
  /** The servers share the CA of the store, which may change. Otherwise all clusters have the same one. */
  readonly hasCaInStore: boolean;
  readonly serverLines: ServerLine[] = [];
  /** What the servers have posted to webhooks, and which of them. */
  readonly posts: { readonly from: string; readonly url: string; readonly body: Readonly<Record<string, unknown>> }[] =
    [];
  /** Servers that no server can dial. */
  readonly unreachable = new Set<string>();

  constructor(clock: FakeClock, store: Store, file: string, hasCaInStore = false) {
    this.hasCaInStore = hasCaInStore;
    this.clock = clock;
    this.store = store;
    this.file = file;
  }

  node(address: string): ClusterNode {
    const node = this.nodes.get(address);
    if (node === undefined) throw new Error(`there is no server ${address}`);
    return node;
  }

  /** Starts a server, or starts it again from the same folder. @param msid another one is that of a new folder */
  async start(address: string, msid = msidOf(address)): Promise<ClusterNode> {
    const node = await this.passes(ClusterNode.make(this, address, msid));
    this.nodes.set(address, node);
    await this.passes(node.start());
    return node;
  }

  /** Time goes on until the work is done. */
  async passes<T>(work: Promise<T>, withinMs = 60_000): Promise<T> {
    let isOver = false;
    const ended = work.finally(() => {
      isOver = true;
    });
    ended.catch(() => {});
    const end = this.clock.now() + withinMs;
    await settle();
    while (!isOver && this.clock.now() < end) await this.clock.advanceToNext(end - this.clock.now());
    await until(() => isOver);
    return ended;
  }

  /** Time goes on until `holds`. @param watch looks at each step on the way */
  async comes(holds: () => boolean, withinMs = 120_000, watch = () => {}): Promise<void> {
    const end = this.clock.now() + withinMs;
    await settle();
    while (!holds() && this.clock.now() < end) {
      watch();
      await this.clock.advanceToNext(end - this.clock.now());
      watch();
    }
    if (!holds()) throw new Error(`after ${withinMs} ms it has not come to this: ${holds}\n${this.picture()}`);
  }

  async goesOn(ms: number, watch = () => {}): Promise<void> {
    const end = this.clock.now() + ms;
    do {
      await this.clock.advanceToNext(end - this.clock.now());
      watch();
    } while (this.clock.now() < end);
  }

  /** @param token with it they have no CA yet, and enrol */
  async addAgents(count: number, host: string, token?: string): Promise<readonly ClusterAgent[]> {
    const added: ClusterAgent[] = [];
    for (let i = 0; i < count; i++) {
      const agent = await ClusterAgent.make(this, this.agents.length, host, { token });
      this.agents.push(agent);
      added.push(agent);
      agent.agent.start();
    }
    await this.comes(() => added.every(({ host }) => host !== undefined));
    return added;
  }

  /** A process that has ended is started again, from its files. */
  async restart(agent: ClusterAgent): Promise<ClusterAgent> {
    const again = await ClusterAgent.open(this, this.agents.indexOf(agent), agent.folder);
    this.agents[this.agents.indexOf(agent)] = again;
    again.agent.start();
    return again;
  }

  /** On how many agents each server sits. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.nodes].map(([address, { node }]) => [address, node.agents.registry.size]));
  }

  async row(address: string): Promise<ServerRow> {
    const row = (await this.store.servers()).find(({ serviceIp }) => serviceIp === address);
    if (row === undefined) throw new Error(`no row for ${address}`);
    return row;
  }

  async job(uuid: string): Promise<JobRow | undefined> {
    return this.store.job(uuid);
  }

  /** The network between two servers fails for a moment. */
  cutServers(one: string, other: string): void {
    for (const { from, to, end } of this.serverLines) {
      if ((from === one && to === other) || (from === other && to === one)) end();
    }
  }

  picture(): string {
    const agents = this.agents.map(({ agent, host }) => `${agent.state.phase.kind} ${host}`);
    return `${JSON.stringify(this.counts())} ${agents.join(', ')}`;
  }

  async end(): Promise<void> {
    for (const agent of this.agents) await agent.stop();
    for (const node of this.nodes.values()) if (node.isRunning) await this.passes(node.stop('SIGINT'));
    for (const { folder } of this.agents) rmSync(folder, { recursive: true });
  }
}

/** A real node over a port, a clock and a store of the test's own. */
export class ClusterNode {
  readonly address: string;
  readonly msid: number;
  readonly log: RecordingLog;
  readonly node: ManagementNode;
  readonly port: MemoryPort;
  readonly faults: StoreFaults;
  readonly metrics = new PrometheusMetrics(NODE_METRICS);
  /** What it shows to other servers; a test may give it another one. */
  serverCertificate: ServerCertificateOf;
  /** The process has asked to be ended. */
  wasToldToStop = false;
  /** What the program does that the server is a part of. */
  onShutdown: () => void = () => {
    this.wasToldToStop = true;
  };
  onFatal: () => void = () => {};
  isRunning = false;
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster, address: string, configuration: Configuration, parts: OpenedParts) {
    this.serverCertificate = parts.serverCertificate;
    this.#cluster = cluster;
    const { msid } = parts;
    this.address = address;
    this.msid = msid;
    this.log = parts.log;
    this.faults = parts.faults;
    this.port = new MemoryPort();
    this.node = composeNode({
      clock: cluster.clock,
      random: seededRandom(++serial),
      log: this.log,
      store: meteredStore(parts.store, { clock: cluster.clock, meters: this.metrics.meters }),
      meters: this.metrics.meters,
      msid,
      address,
      name: `ms-${msid}`,
      dataDirToken: `token-${msid}`,
      configuration,
      agentsPort: this.port,
      secureContext: () => parts.certificate?.context ?? context,
      serverContext: () => parts.certificate?.context ?? this.serverCertificate.context,
      serverDialer: {
        async connect(to, port) {
          if (cluster.unreachable.has(to)) throw refused(to, port);
          const { socket, end } = joined(cluster, to, port, { address, port: 50_000 });
          cluster.serverLines.push({ from: address, to, end, isOpen: () => !socket.destroyed });
          return serverWireOver(socket, { address: to, port });
        },
      },
      ca: parts.ca,
      apiKeys: parts.apiKeys,
      async postJson(url, body) {
        cluster.posts.push({ from: address, url, body: JSON.parse(body) });
      },
      onFatal: () => this.onFatal(),
      onShutdown: () => this.onShutdown(),
    });
  }

  /** As a process does it: reads the configuration, then puts the node together. */
  static async make(cluster: Cluster, address: string, msid = msidOf(address)): Promise<ClusterNode> {
    const faults = new StoreFaults();
    const store = faults.over(cluster.store);
    const { configuration } = readConfiguration(await store.configuration());
    const log = new RecordingLog();
    const apiKeys = await openKeys({ clock: cluster.clock, log, store });
    const serverCertificate = await serverCertificateOf(msid);
    const own = cluster.hasCaInStore ? await caInStore(cluster, store, { address, msid, log }) : { ca };
    const opened = { msid, store, faults, log, apiKeys, serverCertificate, ...own };
    return new ClusterNode(cluster, address, configuration, opened);
  }

  get membership(): Membership {
    return this.node.membership;
  }

  get server(): AgentServer {
    return this.node.agents.server;
  }

  get state(): string {
    return this.membership.state;
  }

  /** While it is set, the store is away for this server. */
  get outage(): boolean {
    return this.faults.isAway;
  }

  set outage(isAway: boolean) {
    this.faults.isAway = isAway;
  }

  async start(): Promise<void> {
    await this.node.start();
    this.isRunning = true;
  }

  async stop(signal: 'SIGTERM' | 'SIGINT'): Promise<void> {
    if (signal === 'SIGTERM') await this.node.drain();
    this.isRunning = false;
    await this.node.stop(signal === 'SIGTERM' ? 'orderly' : 'now');
  }

  /** As kill -9 does: links end, and the store hears nothing. */
  async kill(): Promise<void> {
    this.outage = true;
    await this.stop('SIGINT');
  }

  /** What `/metrics` shows, by name and labels as Prometheus writes them. */
  async shown(): Promise<ReadonlyMap<string, number>> {
    return samplesIn(await this.metrics.text(await this.#cluster.passes(this.node.readings())));
  }

  /** A signed request to this server. */
  async call(command: string, params: Readonly<Record<string, string | number>> = {}): Promise<Reply> {
    const handled = this.node.api.handle(
      signed({ command, ...params }, KEYS, this.#cluster.clock.wallTime()),
      '198.51.100.1',
    );
    const { status, body, isSigned } = await this.#cluster.passes(handled);
    const [[name, inside] = ['', undefined]] = Object.entries(JSON.parse(body.join('')));
    return { status, name, body: inside, isSigned };
  }
}

interface ServerCertificateOf {
  readonly context: SecureContext;
  readonly serial: string;
}

/** A server's certificate of the clusters' CA. */
export async function serverCertificateOf(msid: number): Promise<ServerCertificateOf> {
  const { chainPem, keyPem, serial } = await ca.issueServerCertificate({ addresses: ['192.0.2.1'], msid });
  return { context: secureContext({ cert: chainPem, key: keyPem }), serial };
}

/** A connection between two servers. */
interface ServerLine {
  readonly from: string;
  readonly to: string;
  isOpen(): boolean;
  end(): void;
}

interface OpenedParts {
  readonly serverCertificate: ServerCertificateOf;
  readonly msid: number;
  readonly store: Store;
  readonly faults: StoreFaults;
  readonly log: RecordingLog;
  readonly apiKeys: ApiKeys;
  readonly ca: Ca;
  readonly certificate?: ServerCertificate;
}

/** As `startManagementServer` does it. */
async function caInStore(
  { clock }: Cluster,
  store: Store,
  { address, msid, log }: { readonly address: string; readonly msid: number; readonly log: RecordingLog },
) {
  const sealingKey = sealUnder(new Uint8Array(32).fill(7), 'key.file=muster.key');
  const ca = await ClusterCa.open({ clock, random: systemRandom, store, sealingKey });
  const source = {
    setting: undefined,
    async obtain() {
      const issued = await ca.issueServerCertificate({ addresses: [address], msid });
      await store.addCertificate(rowOf(issued, { kind: 'server', now: clock.wallTime() }));
      return { ...issued, clientCaPem: ca.signersPem };
    },
  };
  const certificate = await ServerCertificate.open(source, clock, log);
  ca.onChange(() => void certificate.reload());
  return { ca, certificate };
}

function msidOf(address: string): number {
  return 1000 + Number(address.slice(address.lastIndexOf('.') + 1));
}

/** Stands for the agents' TCP port. */
export class MemoryPort implements AgentsPort {
  /** What is done with a connection; undefined: the port is closed. */
  serve: ((socket: Duplex, remote: RemoteEnd) => void) | undefined;

  async open(serve: (socket: Duplex, remote: RemoteEnd) => void): Promise<RemoteEnd> {
    this.serve = serve;
    return { address: '0.0.0.0', port: 8250 };
  }

  async close(): Promise<void> {
    this.serve = undefined;
  }
}

export interface ClusterAgentOptions {
  readonly guid?: string;
  readonly token?: string | undefined;
  readonly files?: Readonly<Record<string, string>>;
}

/** A real agent, with its file. */
export class ClusterAgent {
  readonly agent: Agent;
  readonly log: RecordingLog;
  readonly folder: string;
  readonly guid: string;
  isStopped = false;

  private constructor(agent: Agent, log: RecordingLog, folder: string, guid: string) {
    this.agent = agent;
    this.log = log;
    this.folder = folder;
    this.guid = guid;
  }

  /**
   * @param guid another agent's, for a clone of its machine
   * @param files beside agent.properties
   */
  static async make(
    cluster: Cluster,
    index: number,
    host: string,
    { guid = `agent-${index}`, token, files = {} }: ClusterAgentOptions = {},
  ): Promise<ClusterAgent> {
    const folder = scratchFolder('muster-cluster-');
    const enrolment = token === undefined ? '' : `enrollment.token=${token}\n`;
    writeFileSync(join(folder, 'agent.properties'), `guid=${guid}\n${enrolment}host=${host}\n`);
    const known = token === undefined ? { 'cloud.ca.crt': ca.bundle.pem, ...files } : files;
    for (const [name, text] of Object.entries(known)) writeFileSync(join(folder, name), text, { mode: 0o600 });
    return ClusterAgent.open(cluster, index, folder);
  }

  /** From the files of a folder. */
  static async open(cluster: Cluster, index: number, folder: string): Promise<ClusterAgent> {
    const { clock } = cluster;
    const log = new RecordingLog();
    const path = join(folder, 'agent.properties');
    const { document } = await readProperties(path);
    const settings = readSettings(key => document.get(key));
    const guid = document.get('guid') ?? '';
    const trust = new Trust({ folder, clock, log, token: settings.enrolmentToken });
    await trust.load();
    const agent = new Agent({
      settings,
      properties: new AgentProperties(path, document, clock, log),
      guid,
      resource: builtInResource('R'),
      trust,
      folder,
      dialer: new ClusterDialer(cluster, `198.51.100.${index + 1}`),
      clock,
      random: seededRandom(++serial),
      log,
    });
    return new ClusterAgent(agent, log, folder, guid);
  }

  /** Its process ends in good order. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.agent.stop();
  }

  /** A file of its folder. */
  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  /** Where its Ready link leads, as the agent sees it. */
  get host(): string | undefined {
    return readyLink(this.agent.state)?.host;
  }
}

/** To the server with this address, if it runs. */
class ClusterDialer implements Dialer {
  readonly #cluster: Cluster;
  readonly #from: string;
  #port = 40_000;

  constructor(cluster: Cluster, from: string) {
    this.#cluster = cluster;
    this.#from = from;
  }

  async addresses(host: string): Promise<readonly string[]> {
    return [host];
  }

  async connect(address: string, port: number): Promise<Wire> {
    const local = { address: this.#from, port: this.#port++ };
    const { socket } = joined(this.#cluster, address, port, local);
    return wireOver(socket, { local, remote: { address, port } });
  }
}

function refused(address: string, port: number): Error {
  return Object.assign(new Error(`connect ECONNREFUSED ${address}:${port}`), { code: 'ECONNREFUSED' });
}

/** A connection to a server's port. @throws Error ECONNREFUSED: the port is closed */
export function joined(
  cluster: Cluster,
  address: string,
  port: number,
  local: RemoteEnd,
): { socket: Duplex; end(): void } {
  const serve = cluster.nodes.get(address)?.port.serve;
  if (serve === undefined) throw refused(address, port);
  const [socket, serverSide] = duplexPair();
  for (const [end, other] of [
    [socket, serverSide],
    [serverSide, socket],
  ] as const) {
    end.on('error', () => {});
    end.on('close', () => other.destroy());
  }
  serve(serverSide, local);
  return { socket, end: () => socket.destroy() };
}

/** Servers that are Up, and know each other to be. Agents need no certificate, unless `configuration` says so. */
export async function startCluster(
  t: Test,
  addresses: readonly string[],
  configuration: Readonly<Record<string, string>> = {},
  hasCaInStore = false,
): Promise<Cluster> {
  const clock = new FakeClock();
  const folder = scratchFolder('muster-store-');
  const file = join(folder, 'muster.db');
  const store = await openEmptyStore(file, { clock, random: seededRandom(++serial), log: silentLog });
  await store.initialiseConfiguration(
    new Map(Object.entries({ host: addresses.join(','), ...NOT_STRICT, ...configuration })),
  );
  const cluster = new Cluster(clock, store, file, hasCaInStore);
  t.teardown(async () => {
    await cluster.end();
    await store.close();
    rmSync(folder, { recursive: true });
  });
  for (const address of addresses) await cluster.start(address);
  // Two heartbeats: each knows of all.
  await cluster.goesOn(3_100);
  return cluster;
}
