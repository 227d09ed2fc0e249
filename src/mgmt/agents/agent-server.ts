import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import { isSameList } from '../../protocol/host-list.js';
import {
  acceptTls,
  CheckHealthCommand,
  LIMITS,
  type Link,
  MemoryBudget,
  type RemoteEnd,
  type Transport,
} from '../../protocol/index.js';
import type { EventSink } from '../cluster/events.js';
import { ConfigurationWatch } from '../config/configuration-watch.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Configuration } from '../config/parameters.js';
import { ContestedHosts } from '../hosts/contested-hosts.js';
import { HostWatch, type HostWatchListener } from '../hosts/host-watch.js';
import { type HostIdentity, KnownHosts } from '../hosts/known-hosts.js';
import type { LinkFact } from '../hosts/link-facts.js';
import { Ownership } from '../hosts/ownership.js';
import { Rings } from '../hosts/zone-hosts.js';
import { Zones } from '../hosts/zones.js';
import { type Wanted, wantedOf } from '../lists/agent-list.js';
import type { AlgorithmName } from '../lists/algorithms.js';
import { Assignments } from '../lists/assignments.js';
import { Propagation, storedList } from '../lists/propagation.js';
import type { AgentStore } from '../store/agent-store.js';
import type { StoreHealth } from '../store/store-health.js';
import type { Attache } from './attache.js';
import { AttacheRegistry } from './attache-registry.js';
import { converse } from './conversation.js';
import { GuidWatch } from './guid-watch.js';
import type { House } from './house.js';
import { Registrar } from './registrar.js';

export interface ManagementServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: AgentStore;
  readonly msid: number;
  readonly health: StoreHealth;
  /** What the store's configuration is now; the server reads on from there. */
  readonly configuration: Configuration;
  readonly events: EventSink;
  /** What the other servers are up to. */
  readonly peers: Peers;
  /** The TLS context for the next connection. */
  readonly secureContext: () => SecureContext;
}

/** This server among the others, as far as its agents are concerned. */
export interface Peers {
  /** False in maintenance, and on the way there: connections are closed at once. */
  readonly takesAgents: boolean;
  /** Addresses that agents are told not to dial, spelled as in `host`. */
  readonly avoided: readonly string[];
  /** Whether the server with this msid lives: it may have hosts, also while it drains. */
  isUp(msid: number): boolean;
}

/** How many packets were passed over, by reason. */
export type Ignored = Readonly<Record<Parameters<House['countIgnored']>[0], number>>;

/** A management server without its sockets: it serves whatever connection it is given, and looks after its agents. */
export class ManagementServer {
  readonly attaches = new AttacheRegistry();
  readonly #options: ManagementServerOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #health: StoreHealth;
  readonly #configuration: ConfigurationWatch;
  readonly #zones: Zones;
  readonly #known: KnownHosts;
  readonly #ownership: Ownership;
  readonly #guids: GuidWatch;
  readonly #hosts: HostWatch;
  readonly #sticky: Assignments;
  readonly #propagation: Propagation;
  readonly #store: AgentStore;
  /** Check intervals of clusters that have one of their own, seconds by cluster id. */
  #clusterIntervals: ReadonlyMap<number, number> = new Map();
  readonly #contested = new ContestedHosts();
  readonly #house: House;
  readonly #ignored = { 'not for this server': 0, 'before Startup': 0 };
  readonly #budget = new MemoryBudget(LIMITS.allPacketBytesBeforeReady);
  /** Connections that have not got as far as a Startup. */
  readonly #handshaking = new Set<Duplex>();
  readonly #links = new Set<Link>();
  /** Links whose peer has sent a Startup. */
  readonly #started = new Set<Link>();
  #newConnections = 0;
  #turnedAway = 0;
  #polling: Promise<void> = Promise.resolve();
  readonly #timers = new Set<Timer>();
  #hasStarted = false;
  #isStopping = false;

  constructor(options: ManagementServerOptions) {
    const { clock, random, log, store, msid, configuration, events, peers } = options;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#health = options.health;
    this.#configuration = new ConfigurationWatch(store, log, configuration);
    this.#zones = new Zones(store);
    this.#store = store;
    this.#sticky = new Assignments(store, this.#health, log);
    this.#known = new KnownHosts(store, this.#sticky);
    this.#ownership = new Ownership(store, this.#health, { clock, log, msid });
    this.#guids = new GuidWatch(clock, log, events);
    this.#hosts = new HostWatch(store, {
      onRemoved: host => this.#forget(host),
      onChanged: host => this.#compare(host),
    });
    this.#propagation = new Propagation({
      clock,
      log,
      attaches: this.attaches,
      wanted: attache => this.wanted(attache),
      onAcknowledged: (attache, wanted) => this.#acknowledged(attache, wanted),
    });
    const watch = this.#configuration;
    this.#house = {
      clock,
      random,
      log,
      msid,
      get configuration() {
        return watch.current;
      },
      get avoidMsList() {
        return peers.avoided;
      },
      wanted: host => this.#wanted(host),
      onReady: attache => this.#propagation.check(attache),
      attaches: this.attaches,
      zones: this.#zones,
      rings: new Rings(store),
      health: this.#health,
      registrar: new Registrar(store, this.#health, this.#known, clock),
      ownership: this.#ownership,
      guids: this.#guids,
      events,
      countIgnored: why => {
        this.#ignored[why]++;
      },
    };
  }

  /** What is known of the Ready links. */
  get linkFacts(): readonly LinkFact[] {
    return [...this.attaches].map(attache => attache.fact);
  }

  /** Links that have registered, or try to, and are not Ready yet. */
  get arriving(): number {
    return Math.max(0, this.#started.size - this.attaches.size);
  }

  /** For operators who rebalance: has one agent check its preferred host now. */
  get propagation(): Propagation {
    return this.#propagation;
  }

  /** What the agents are told depends on something that has changed, such as the state of another server. */
  listsChanged(): void {
    this.#propagation.changed();
  }

  get configuration(): Configuration {
    return this.#configuration.current;
  }

  get ignored(): Ignored {
    return { ...this.#ignored };
  }

  /** Connections that were closed at once, since too many were new. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /** Hosts whose latest state is not in the store yet. */
  get unwritten(): number {
    return this.#ownership.unwritten;
  }

  /** Learns what the store has, and starts to look after things. @throws StoreError */
  async start(): Promise<void> {
    await this.#readClusters();
    await this.#readOn();
    const left = await this.#ownership.releaseAll('the server was killed');
    if (left > 0) this.#log.warn('This server did not stop in good order the last time', { hosts: left });
    this.#pollLater();
    this.#lookLater();
    this.#hasStarted = true;
  }

  /** A connection that was just accepted; secured, it is served until its end. */
  async serve(socket: Duplex, remote: RemoteEnd): Promise<void> {
    if (!this.#hasStarted || this.#isStopping || !this.#options.peers.takesAgents || this.#isFull()) {
      // CloudStack does the same when it has enough to do: agents take it for a host that is down, and go on.
      this.#turnedAway++;
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#newConnections++;
    this.#handshaking.add(socket);
    let transport: Transport;
    try {
      transport = await acceptTls(socket, {
        clock: this.#clock,
        context: this.#options.secureContext(),
        handshakeTimeoutMs: this.configuration.values['agent.ssl.handshake.timeout'] * 1_000,
        remote,
        budget: this.#budget,
      });
    } catch (error) {
      this.#newConnections--;
      // Agents that probe, and scanners, do this all day.
      this.#log.debug('No TLS handshake', { address: remote.address, reason: reasonOf(error) });
      return;
    } finally {
      this.#handshaking.delete(socket);
    }
    if (this.#isStopping) {
      transport.destroy();
      return;
    }
    this.serveTransport(transport, () => {
      this.#newConnections--;
    });
  }

  /** A secured connection, from wherever it comes. */
  serveTransport(transport: Transport, onStarted?: () => void): void {
    const link = converse(transport, this.#house, {
      onStarted: started => {
        onStarted?.();
        if (!started.closed) this.#started.add(started);
      },
      onEnd: ended => {
        this.#links.delete(ended);
        this.#started.delete(ended);
      },
    });
    if (!link.closed) this.#links.add(link);
  }

  /**
   * @param how `orderly`: links end by FIN, behind what is queued; `now`: at once
   */
  async stop(how: 'orderly' | 'now'): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#propagation.stop();
    for (const socket of this.#handshaking) socket.destroy();
    // One write for all hosts instead of one for each.
    this.#ownership.stop();
    for (const link of [...this.#links]) {
      if (how === 'orderly') link.close('the server stops');
      else link.destroy('the server stops');
    }
    try {
      await this.#ownership.releaseAll('the server stopped');
    } catch (error) {
      this.#log.warn('The store still has agents on this server', { reason: reasonOf(error) });
    }
  }

  #isFull(): boolean {
    const limit = this.configuration.values['agent.max.concurrent.new.connections'] || MGMT_LIMITS.newConnections;
    return this.#newConnections >= limit;
  }

  #pollLater(): void {
    this.#after(MGMT_LIMITS.pollMs, () => void this.poll().finally(() => this.#pollLater()));
  }

  /** Reads at once what the next poll would. One after another: an earlier one's reading must not come in behind a later one's. */
  poll(): Promise<void> {
    this.#polling = this.#polling.then(() => this.#pollOnce());
    return this.#polling;
  }

  async #pollOnce(): Promise<void> {
    try {
      const readOn = () => this.#health.watch(() => this.#readOn());
      if (await this.#health.watch(() => this.#configuration.poll(readOn))) {
        await this.#readClusters();
        this.#propagation.changed();
      }
      await readOn();
      for (const hostId of this.#contested.due(this.#clock.now())) {
        this.attaches.get(hostId)?.link.close('another management server has the host');
      }
    } catch (error) {
      this.#log.debug('The store could not be polled', { reason: reasonOf(error) });
    }
  }

  async #readClusters(): Promise<void> {
    const clusters = await this.#store.clusters();
    this.#clusterIntervals = new Map(
      clusters.flatMap(({ id, checkIntervalSeconds }) =>
        checkIntervalSeconds === null ? [] : [[id, checkIntervalSeconds]],
      ),
    );
  }

  /**
   * What an agent is to be told about its servers.
   * @param algorithm in the place of the configured one, for a drain
   */
  wanted({ host, held }: Attache, algorithm?: AlgorithmName): Wanted {
    const wanted = this.#wanted(host, algorithm);
    // An equal shuffle in another order is the agent's own: whatever it is told, that stays.
    return held && isSameList(held, wanted) ? { ...wanted, hosts: held.hosts } : wanted;
  }

  #wanted({ id, zoneId, clusterId }: HostIdentity, algorithm?: AlgorithmName): Wanted {
    const configuration = algorithm
      ? { ...this.configuration, values: { ...this.configuration.values, 'indirect.agent.lb.algorithm': algorithm } }
      : this.configuration;
    const { values } = configuration;
    // Only where it is configured: a drain by it must leave nothing in the rows.
    const isSticky = this.configuration.values['indirect.agent.lb.algorithm'] === 'rendezvous';
    return wantedOf(
      { id },
      {
        configuration,
        avoid: this.#options.peers.avoided,
        ring: this.#house.rings.known(zoneId),
        preferred: isSticky
          ? this.#sticky.preferredOf(id, values.host, values['indirect.agent.lb.weights'])
          : undefined,
        clusterIntervalSeconds: clusterId === null ? undefined : this.#clusterIntervals.get(clusterId),
      },
    );
  }

  /** The store learns what the agent has. */
  #acknowledged(attache: Attache, wanted: Wanted): void {
    const { host } = attache;
    // A newer link of the agent's has said something newer.
    if (this.attaches.get(host.id) !== attache) return;
    const msHostList = storedList(wanted);
    if (msHostList === null) return;
    this.#ownership.listed(host.id, { msHostList, configurationVersion: wanted.configurationVersion });
  }

  /** Zones, hosts and rings: all that an agent needs to become Ready while the store is away. */
  async #readOn(): Promise<void> {
    const { zones } = this.configuration.values;
    await this.#zones.learn(zones);
    await this.#known.readOn();
    await this.#hosts.poll();
    for (const name of zones) {
      const zone = this.#zones.find(name, zones);
      if (zone !== undefined) await this.#house.rings.readOn(zone.id);
    }
  }

  /** Somebody has changed a row, perhaps this server itself. */
  #compare({ id, msid, epoch, preferred }: Parameters<HostWatchListener['onChanged']>[0]): void {
    const own = this.#ownership.epochOf(id);
    // Its place was computed anew, here or elsewhere.
    if (this.#sticky.learn(id, preferred)) this.#propagation.changed();
    if (this.attaches.get(id) === undefined || own === undefined || msid === this.#options.msid || epoch < own) {
      this.#contested.settle(id);
    } else if (msid !== null && this.#options.peers.isUp(msid)) {
      this.#contested.note(id, epoch, this.#clock.now());
    } else {
      // Nobody who lives has it, but for us: somebody thought that we did not.
      this.#ownership.again(id);
    }
  }

  #forget({ id, zoneId }: Parameters<HostWatchListener['onRemoved']>[0]): void {
    this.#known.forget(id);
    this.#sticky.forget(id);
    this.#house.rings.remove(zoneId, id);
    this.attaches.get(id)?.link.close('the host was removed');
  }

  #lookLater(): void {
    const intervalMs = this.configuration.values['ping.interval'] * 1_000;
    this.#after(intervalMs, () => {
      this.#look(intervalMs * this.configuration.values['ping.timeout']);
      this.#lookLater();
    });
  }

  /** Looks for agents that are behind with their pings. */
  #look(deadlineMs: number): void {
    for (const attache of this.attaches) {
      if (attache.note({ kind: 'look', deadlineMs }) === 'check health') void this.#checkHealth(attache);
    }
    this.#guids.forgetStale(guid => this.attaches.byGuid(guid) !== undefined);
  }

  async #checkHealth(attache: Attache): Promise<void> {
    const { host, guid } = attache;
    this.#log.warn('Agent is behind on its pings; asking for its health', { hostId: host.id, guid });
    let problem: string | undefined;
    try {
      const { messages } = await attache.ask([CheckHealthCommand.encode({ wait: MGMT_LIMITS.checkHealthSeconds })]);
      if (messages[0]?.fields.result !== true) problem = 'the agent says that it is not well';
    } catch (error) {
      problem = reasonOf(error);
    }
    const event =
      problem === undefined ? { kind: 'healthy' as const } : { kind: 'unhealthy' as const, reason: problem };
    if (attache.note(event) === 'disconnect') attache.link.close(`ping timeout: ${problem}`);
  }

  #after(delayMs: number, callback: () => void): void {
    if (this.#isStopping) return;
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }
}
