import type { SecureContext } from 'node:tls';
import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Interruptible } from '../../lib/interruptible.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import type { EventSink } from '../cluster/events.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Configuration } from '../config/parameters.js';
import { HostPresence } from '../hosts/host-presence.js';
import { HostReconciler } from '../hosts/host-reconciler.js';
import { KnownHosts } from '../hosts/known-hosts.js';
import type { LinkStatus } from '../hosts/link-status.js';
import { type KnownRow, ownView } from '../hosts/own-view.js';
import { Ownership } from '../hosts/ownership.js';
import type { ServerLife } from '../hosts/reconcile.js';
import { Zones } from '../hosts/zones.js';
import { AgentLists } from '../lists/agent-lists.js';
import { Propagation, storedList } from '../lists/propagation.js';
import type { ServerMeters } from '../metrics/server-metrics.js';
import type { Ca } from '../security/ca.js';
import { Revocations } from '../security/revocations.js';
import type { AgentStore } from '../store/agent-store.js';
import type { Store } from '../store/store.js';
import type { StoreHealth } from '../store/store-health.js';
import { Sweep } from '../store/sweep.js';
import { RecentMost } from './admission/recent-most.js';
import { spreadMs } from './admission/spread.js';
import { AgentServer, type OtherServers } from './agent-server.js';
import type { Attache } from './attache.js';
import { AttacheRegistry } from './attache-registry.js';
import type { KeptAnswer } from './conversation.js';
import { Enrolment } from './enrolment.js';
import { answersHealth, GuidGuard, type LinkElsewhere } from './guid-guard.js';
import { HealthMonitor } from './health-monitor.js';
import { Newcomers } from './newcomers.js';
import { PeerCertificates } from './peer-certificates.js';
import { Poller } from './poller.js';
import { PresentedCertificates } from './presented-certificates.js';
import { Registrar } from './registrar.js';
import { RemovalNotices } from './removal-notices.js';

export interface AgentsParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meters: ServerMeters;
  readonly msid: number;
  /** The server's address as it stands in `host`. */
  readonly address: string;
  readonly store: AgentStore;
  /** Certificates and tokens. */
  readonly security: { readonly ca: Ca; readonly store: SecurityStore };
  readonly health: StoreHealth;
  readonly events: EventSink;
  /** What the store's configuration is now; the poller reads on from there. */
  readonly configuration: Configuration;
  /** Unpacked bytes of one packet of a Ready agent. */
  readonly packetMaxBytes: number;
  /** Which part of the time since the last call the event loop was busy, 0 to 1. */
  loopUtilization(): number;
  /** Other servers that can take agents. */
  others(): number;
  /** The TLS context for the next connection. */
  secureContext(): SecureContext;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  /** Whether the agents' port is open. If not, a connection that still comes is closed at once. */
  takesAgents(): boolean;
  /** How another server looks from here: one that lives may have hosts, also while it drains. */
  lifeOf(msid: number): ServerLife;
  readonly otherServers: OtherServers;
  /** Writes what an agent has kept of commands. @returns the ids that it need not keep @throws StoreError */
  takeKeptAnswers(hostId: number, kept: readonly KeptAnswer[]): Promise<readonly string[]>;
  /** Has another server ask the link that it has of a host. @returns whether the agent has answered */
  answersElsewhere(host: LinkElsewhere): Promise<boolean>;
}

/** What the server needs of the store to judge who may come in. */
export type SecurityStore = Pick<
  Store,
  | 'enrollmentToken'
  | 'useEnrollmentToken'
  | 'addCertificate'
  | 'certificatesInstalled'
  | 'bindCertificate'
  | 'revocations'
>;

/** All that serves agents, and looks after them. */
export interface Agents {
  /** The agents that are connected. */
  readonly registry: AttacheRegistry;
  /** Tells agents whose hosts were removed not to come back. */
  readonly notices: RemovalNotices;
  /** Which host list each agent gets. */
  readonly lists: AgentLists;
  /** Takes connections. */
  readonly server: AgentServer;
  /** Reads what other servers have changed. */
  readonly poller: Poller;
  /** Tells agents of changed lists. */
  readonly propagation: Propagation<Attache>;
  /** Which hosts are this server’s in the store. */
  readonly ownership: Ownership;
  /** All hosts, as they were read last. */
  readonly knownHosts: KnownHosts;
  /** Tells when hosts come and leave. */
  readonly presence: HostPresence;
  /** Judges the certificates that agents present. */
  readonly peers: PeerCertificates;
  /** What is known of the Ready links, as of now. */
  linkStatus(): Iterable<LinkStatus>;
  /** The hosts as this server knows them without the store, by name. */
  ownView(): Interruptible<readonly KnownRow[]>;
  /** Reads what the store has, then serves. @throws StoreError */
  start(): Promise<void>;
  /** @param how `orderly`: links end by FIN, behind what is queued; `now`: at once */
  stop(how: 'orderly' | 'now'): Promise<void>;
}

const DAY_MS = 86_400_000;

/** Puts together what serves agents: the same for a whole node and for a test without cluster. */
export function composeAgents(parts: AgentsParts): Agents {
  const { clock, log, msid, store, health, configuration } = parts;
  const registry = new AttacheRegistry();
  const lists = new AgentLists({ store, health, log, configuration });
  const zones = new Zones(store);
  const knownHosts = new KnownHosts(store, (host, former) => {
    lists.learnAssignment(host);
    if (former && former.zoneId !== host.zoneId) lists.changeZone(host.id, former.zoneId, host.zoneId);
    reconciler.learn(host);
    presence.learn(host);
  });
  const presence = new HostPresence(msid, log, id => knownHosts.byId(id));
  const ownership = new Ownership(store, health, { clock, log, msid });
  const reconciler = new HostReconciler({
    ...parts,
    knownHosts,
    ownership,
    links: {
      linkOf: hostId => registry.linkOf(hostId),
      *readyHosts() {
        for (const { host } of registry) yield host.id;
      },
      async answers(hostId) {
        const attache = registry.get(hostId);
        return attache !== undefined && (await answersHealth(clock, attache));
      },
      close: (hostId, why) => registry.get(hostId)?.end(why, 'corrected'),
    },
  });
  const lookAgain = () => poller.poll();
  const guids = new GuidGuard({ ...parts, registry, knownHosts, lookAgain });
  const propagation = new Propagation<Attache>({
    clock,
    log,
    lists,
    agents: registry,
    onAcknowledged({ host, link }, list) {
      // A newer link of the host has said something newer.
      if (registry.get(host.id)?.link !== link) return;
      const msHostList = storedList(list);
      if (msHostList === null) return;
      ownership.listed(host.id, { msHostList, configurationVersion: list.configurationVersion });
    },
  });
  const notices = new RemovalNotices();
  const currentConfiguration = () => lists.configuration;
  const revocations = new Revocations(parts.security.store);
  const presented = new PresentedCertificates({ clock, store: parts.security.store });
  const peers = new PeerCertificates({
    ...parts,
    ...parts.security,
    revocations,
    configuration: currentConfiguration,
  });
  const registrar = new Registrar({
    ...parts,
    knownHosts,
    areMoreComing: () => server.underWay.handshake + server.underWay.new > 0,
    newHostsPerHour: () => lists.configuration.values['agent.new.hosts.per.address'],
    onReturned({ id, uuid, name }, removedId) {
      log.warn('A host that was removed has come back; it is a new host', {
        name,
        hostId: id,
        formerHostId: removedId,
      });
      const description = `Host ${name} was removed (as host ${removedId}) and has come back as a new host (${id})`;
      parts.events.add({ type: 'HOST.RETURN', level: 'WARN', description, hostUuid: uuid });
    },
  });
  const newcomers = new Newcomers({
    ...{ clock, health, lists, zones, knownHosts, lookAgain, guids, peers, registrar, registry, ownership },
    certificates: parts.security.store,
  });
  const connected = new RecentMost(MGMT_LIMITS.connectedRememberedMs);
  /** Hosts that servers have, or had a moment ago: others may be gone for good. */
  const recentlyConnected = () => connected.note(Math.max(registry.size, knownHosts.connected), clock.now());
  const server: AgentServer = new AgentServer({
    ...parts,
    notices,
    knownHosts,
    enrolment: new Enrolment({
      ...parts,
      ...parts.security,
      zones,
      knownHosts,
      configuration: currentConfiguration,
    }),
    peers,
    newcomers,
    lists,
    registry,
    ownership,
    registrar,
    presented,
    spreadMs() {
      // Those that are on their way are to be told as well how many there will be; the first one counts itself.
      const others = parts.others();
      const agents = Math.max(1, registry.size, Math.ceil(recentlyConnected() / (others + 1)));
      const algorithm = lists.configuration.values['indirect.agent.lb.algorithm'];
      return spreadMs({ agents, others, algorithm, rate: server.rate });
    },
    onReady(attache) {
      propagation.check(attache);
      presence.ready(attache.host);
    },
    onLost: ({ host }, reason) => presence.lost(host, reason),
  });
  const sweep = new Sweep({
    ...{ clock, log, what: 'moves' },
    deleteSome: () => {
      const { values } = lists.configuration;
      return store.deleteMoves({
        ageMs: values['host.moves.days'] * DAY_MS,
        keep: values['host.moves.count'],
      });
    },
  });
  const poller = new Poller({
    sweep,
    ...parts,
    lists,
    zones,
    knownHosts,
    presence,
    registry,
    ownership,
    reconciler,
    notices,
    revocations,
    ca: parts.security.ca,
    presented,
    server,
  });
  const monitor = new HealthMonitor({ clock, log, lists, registry });

  return {
    registry,
    notices,
    lists,
    server,
    poller,
    propagation,
    ownership,
    knownHosts,
    presence,
    peers,
    *linkStatus() {
      for (const attache of registry) yield attache.linkStatus;
    },
    ownView: () =>
      ownView({
        msid,
        knownHosts,
        hasLink: hostId => registry.get(hostId) !== undefined,
        listOf: host => storedList(registry.get(host.id)?.held ?? lists.listFor(host)),
      }),

    async start() {
      await poller.read();
      // Those of the process that was killed come back.
      recentlyConnected();
      const left = await ownership.releaseAll({ reason: 'the server was killed', cause: 'server-down' });
      if (left > 0) log.warn('This server did not stop in good order the last time', { hosts: left });
      poller.start();
      monitor.start();
      server.open();
    },

    async stop(how) {
      poller.stop();
      monitor.stop();
      propagation.stop();
      // One write for all hosts instead of one for each.
      ownership.stop();
      server.close(how);
      try {
        await ownership.releaseAll({ reason: 'the server stopped', cause: 'server-stopped' });
      } catch (error) {
        log.warn('The store still has agents on this server', { reason: reasonOf(error) });
      }
    },
  };
}
