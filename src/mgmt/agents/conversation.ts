import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import type { Random } from '../../lib/random.js';
import { peerText, peerTextIn } from '../../lib/text/peer-text.js';
import { VERSION } from '../../lib/version.js';
import { type HostList, isSameList } from '../../protocol/host-list.js';
import {
  Answer,
  type CloseReason,
  describeClose,
  FLAG,
  KeptAnswersAnswer,
  KeptAnswersCommand,
  LIMITS,
  Link,
  type Message,
  type Packet,
  ReadyAnswer,
  ReadyCommand,
  SERVER_CAPABILITIES,
  StartupAnswer,
  type Transport,
} from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { isOlderLink } from '../hosts/claimant.js';
import type { KnownHosts, RegisteredHost } from '../hosts/known-hosts.js';
import type { Ownership } from '../hosts/ownership.js';
import type { AgentList } from '../lists/agent-list.js';
import type { AgentLists } from '../lists/agent-lists.js';
import { storedList } from '../lists/propagation.js';
import { ReadyTimes } from '../metrics/ready-times.js';
import type { ServerMeters } from '../metrics/server-metrics.js';
import type { PeerIdentity } from '../security/peer-identity.js';
import type { Arrival } from '../store/store.js';
import { type SpreadSource, ToldSpread } from './admission/told-spread.js';
import { arrivalOf } from './arrival.js';
import { Attache, answerTimeMs } from './attache.js';
import type { AttacheRegistry } from './attache-registry.js';
import type { Enrolment } from './enrolment.js';
import { answersBeforeStartup } from './handlers/before-startup.js';
import { handleRequest } from './handlers/index.js';
import type { Newcomer, Newcomers } from './newcomers.js';
import type { PeerCertificates } from './peer-certificates.js';
import type { PresentedCertificates } from './presented-certificates.js';
import type { Registrar } from './registrar.js';
import type { RemovalNotices } from './removal-notices.js';
import { hasToken, isStartup, readStartup, type Startup } from './startup.js';

/** What an agent has kept of one packet of commands. */
export type KeptAnswer = NonNullable<ReturnType<typeof KeptAnswersCommand.decode>['kept']>[number];

/** A connection after its TLS handshake. */
export interface Secured {
  readonly transport: Transport;
  /** Who the peer is by its certificate. */
  readonly identity: PeerIdentity;
  /** From its first byte to the end of the handshake. */
  readonly handshakeMs: number;
}

/** What every conversation with an agent needs. */
export interface ConversationParts extends SpreadSource {
  readonly clock: Clock;
  readonly meters: Pick<ServerMeters, 'readySeconds' | 'gapSeconds' | 'moves' | 'departures' | 'pingSeconds'>;
  readonly random: Random;
  readonly log: Log;
  readonly msid: number;
  /** Under which agents find this server. */
  readonly address: string;
  readonly knownHosts: Pick<KnownHosts, 'get'>;
  readonly newcomers: Pick<Newcomers, 'register' | 'left'>;
  readonly registrar: Pick<Registrar, 'forget'>;
  readonly enrolment: Pick<Enrolment, 'enrol'>;
  readonly peers: Pick<PeerCertificates, 'refused'>;
  readonly presented: Pick<PresentedCertificates, 'presented'>;
  readonly lists: AgentLists;
  readonly registry: AttacheRegistry;
  readonly notices: RemovalNotices;
  readonly ownership: Ownership;
  /** Unpacked bytes of one packet of a Ready agent. */
  readonly packetMaxBytes: number;
  /** The agent has answered Ready 2. */
  onReady(attache: Attache): void;
  /** The host has no link here any more. It may never have been Ready here. */
  onLost(attache: Attache, reason: string): void;
  /** Writes what an agent has kept of commands. @returns the ids that it need not keep @throws StoreError */
  takeKeptAnswers(hostId: number, kept: readonly KeptAnswer[]): Promise<readonly string[]>;
}

/**
 *   waiting ─Startup─▶ registering ─ids─▶ readying ─Ready 2 answered─▶ ready
 *      ▲                   │ refused
 *      └───────────────────┘
 */
type State =
  | { readonly kind: 'waiting'; readonly startupDue: Timer }
  | { readonly kind: 'registering' }
  | { readonly kind: 'readying'; readonly attache: Attache }
  | { readonly kind: 'ready'; readonly attache: Attache };

/** In the place of commands that cannot be read. */
const UNREADABLE: Message = { type: '', fields: {} };

const ON_A_NEWER_LINK = 'the agent is Ready on a newer link';
const NOBODY = { mgmtId: -1n, agentId: -1n, via: -1n } as const;

/**
 * How far a link has come. `new`: no Startup was accepted, perhaps one was refused. `registering`: a Startup is being
 * judged. `arriving`: the agent has its ids. `ready`: it has answered Ready 2.
 */
export type LinkStage = 'new' | 'registering' | 'arriving' | 'ready';

const STAGES: Readonly<Record<State['kind'], LinkStage>> = {
  waiting: 'new',
  registering: 'registering',
  readying: 'arriving',
  ready: 'ready',
};

export interface ConversationListener {
  /** At each change; the first stage is `new`. */
  onStage?(link: Link, stage: LinkStage): void;
  /** Once, the last event. */
  onEnd?(link: Link): void;
}

/** Serves one secured connection, from its first packet to its end. */
export function converse(secured: Secured, parts: ConversationParts, listener: ConversationListener = {}): Link {
  return new Conversation(secured, parts, listener).link;
}

class Conversation {
  readonly link: Link;
  readonly #parts: ConversationParts;
  readonly #identity: PeerIdentity;
  readonly #msid: bigint;
  readonly #listener: ConversationListener;
  #requestsBeforeStartup = 0;
  /** Requests that were not for this server. */
  #ignored = 0;
  #isTakingKept = false;
  #log: Log;
  readonly #spread: ToldSpread;
  #state: State;
  /** By the clock. */
  readonly #startupDueAt: number;
  readonly #times: ReadyTimes;

  constructor({ transport, identity, handshakeMs }: Secured, parts: ConversationParts, listener: ConversationListener) {
    this.#times = new ReadyTimes(parts.clock, handshakeMs);
    this.#spread = new ToldSpread(parts);
    // AgentAttache.java: each link counts from a random start, so that a late answer meets no other link's request.
    let sequence = BigInt(parts.random.int(32_767)) << 48n;
    this.link = new Link(transport, {
      clock: parts.clock,
      ownFlags: FLAG.fromServer,
      nextSequence: () => ++sequence,
    });
    this.#parts = parts;
    this.#identity = identity;
    this.#msid = BigInt(parts.msid);
    this.#listener = listener;
    this.#log = parts.log.child({ address: transport.remote.address });
    this.#startupDueAt = parts.clock.now() + LIMITS.startupMs;
    this.#state = this.#waiting();
    this.link.start({
      onRequest: request => this.#receive(request),
      onUnreadable: header => this.#receiveUnreadable(header),
      onClose: reason => this.#close(reason),
    });
  }

  /** The stages from a Startup to a Ready link: startup → register → place → ready → serve. */
  async #converse(request: Packet, startup: Startup | { readonly refusal: string }): Promise<void> {
    if ('refusal' in startup) {
      this.#refuse(request, startup.refusal);
      return;
    }
    this.#log = this.#log.child({ guid: startup.guid });
    if (startup.token !== undefined && !this.#isCertified) {
      await this.#enrol(request, startup, startup.token);
      return;
    }
    const newcomer = {
      startup,
      claimant: {
        address: this.link.remote.address,
        instanceId: startup.instanceId,
        linkNumber: startup.linkNumber,
      },
      identity: this.#identity,
      hasLeft: () => this.link.closed !== undefined,
    };
    const registration = await this.#parts.newcomers.register(newcomer);
    if (this.link.closed) {
      if ('id' in registration) this.#parts.newcomers.left(registration);
      return;
    }
    if ('refusal' in registration) {
      this.#refuse(request, registration.refusal);
      return;
    }
    if ('stranger' in registration) {
      this.#endWithReason(request, startup, registration.stranger);
      return;
    }
    if ('wait' in registration) {
      this.#turnAway(request, startup, registration.wait);
      return;
    }
    const attache = this.#welcome(request, newcomer, registration);
    const muster = startup.speaksMuster
      ? { version: VERSION, packetMax: this.#parts.packetMaxBytes, spreadMs: this.#spread.tell() }
      : undefined;
    await this.#sendReady(attache, { wait: MGMT_LIMITS.readySeconds, muster });
    const list = await this.#place(attache, startup.reportedList);
    // It may send what it has kept together with its answer.
    const takesKept = attache.isRepeatable;
    if (takesKept) this.link.raiseLimits(this.#parts.packetMaxBytes);
    const answer = await this.#sendReady(attache, {
      ...(!list.isHeld && { msHostList: list.hosts, lbAlgorithm: list.algorithm }),
      avoidMsHostList: list.avoid,
      lbCheckInterval: list.checkIntervalSeconds,
      arch: startup.arch,
      muster: takesKept ? { ...muster, capabilities: [SERVER_CAPABILITIES.keptAnswers] } : muster,
    });
    // The answer and the link's end may have come together.
    if (this.link.closed) return;
    const established = this.#parts.registry.byGuid(attache.guid);
    if (established !== undefined && isOlderLink(attache.claimant, established.claimant)) {
      this.link.close(ON_A_NEWER_LINK);
      return;
    }
    const isPreferred = list.hosts[0] === this.#parts.address;
    this.#serve(attache, list, arrivalOf(startup, answer, isPreferred));
  }

  /** An agent without a certificate gets one for its token, and comes back with it. */
  async #enrol(request: Packet, startup: Startup, token: string): Promise<void> {
    const why = await this.#parts.enrolment.enrol(startup, token, {
      address: this.link.remote.address,
      ask: commands => {
        const header = { flags: FLAG.stopOnError, ...NOBODY, mgmtId: this.#msid };
        return this.link.request(commands, header, answerTimeMs(commands));
      },
    });
    if (why !== undefined) this.#endWithReason(request, startup, why);
    else this.link.close('the agent has its certificate, and comes back with it');
  }

  get #isCertified(): boolean {
    return this.#identity.kind === 'host' || this.#identity.kind === 'address';
  }

  #welcome(request: Packet, { startup, claimant }: Newcomer, host: RegisteredHost): Attache {
    const { guid, capabilities, failovers, lastLoss } = startup;
    const pingIntervalSeconds = this.#parts.lists.configuration.values['ping.interval'];
    const ofLink = { msid: this.#msid, pingIntervalSeconds, failovers, lastLoss };
    const identity = { guid, host, claimant, capabilities, ...ofLink };
    const attache = new Attache(this.link, identity, this.#parts.clock);
    this.#times.welcomed();
    this.#enter({ kind: 'readying', attache });
    this.#parts.registry.arrive(attache)?.link.destroy('newer links of its host are on their way');
    this.#log = this.#log.child({ hostId: host.id, name: host.name });
    this.#log.debug('Agent has registered', { transferred: startup.connectionTransferred || undefined });
    // The real ids: an agent handles this and Ready on two threads, and might write whichever is later.
    this.#answerStartup(request, { hostId: host.id, hostName: host.name, hostUuid: host.uuid });
    return attache;
  }

  /** The link stays, and a later correct Startup is accepted. */
  #refuse(request: Packet, why: string): void {
    this.#log.warn('Agent refused', { reason: why });
    this.#enter(this.#waiting());
    this.#answerStartup(request, { hostId: 0, hostName: '', hostUuid: '' });
    const flags = FLAG.stopOnError | FLAG.inSequence;
    this.link.post([ReadyCommand.encode({ _details: why })], { flags, ...NOBODY });
  }

  /**
   * This passes, so a Java agent is told nothing: it would exit for `_details`, and for a Startup that is answered with no.
   * Muster's agents, which name their process, log the reason and come again.
   */
  #turnAway(request: Packet, startup: Startup, why: string): void {
    const { name } = startup.description(0);
    this.#log.warn('Agent has to wait', { reason: why, name, privateIpAddress: startup.privateIpAddress });
    this.#endWithReason(request, startup, why);
  }

  /** A Java agent would exit for a Startup that is answered with no. */
  #endWithReason(request: Packet, { instanceId }: Startup, why: string): void {
    if (instanceId !== undefined) {
      const answer = StartupAnswer.encode({ hostId: 0, pingInterval: 0, result: false, details: why });
      this.link.answer(request, [answer], { mgmtId: this.#msid, via: -1n });
    }
    this.link.close(why);
  }

  #answerStartup(request: Packet, ids: { hostId: number; hostName: string; hostUuid: string }): void {
    const pingInterval = this.#parts.lists.configuration.values['ping.interval'];
    const answer = StartupAnswer.encode({ ...ids, pingInterval, result: true });
    this.link.answer(request, [answer], { mgmtId: this.#msid, via: -1n });
  }

  /** The agent's list. `isHeld`: the agent has it already, an equal `shuffle` perhaps in an order of its own. */
  async #place({ host }: Attache, reported: HostList): Promise<AgentList & { readonly isHeld: boolean }> {
    const { lists } = this.#parts;
    await lists.admit(host);
    const list = lists.listFor(host);
    const isHeld = isSameList(reported, list);
    return { ...list, hosts: isHeld ? reported.hosts : list.hosts, isHeld };
  }

  async #sendReady(attache: Attache, fields: Parameters<typeof ReadyCommand.encode>[0]): Promise<Message> {
    const { id, uuid, name, zoneId } = attache.host;
    const ids = { dcId: zoneId, hostId: id, hostUuid: uuid, hostName: name, enableHumanReadableSizes: true };
    const answer = await attache.ask([ReadyCommand.encode({ ...ids, ...fields })], { inSequence: true });
    const [message] = answer.messages;
    if (message === undefined || message.fields.result !== true) {
      const details = peerTextIn(message?.fields.details);
      throw new Error(`the agent answered Ready with no${details === undefined ? '' : `: ${details}`}`);
    }
    if (!ReadyAnswer.is(message))
      this.#log.debug('Ready was answered by another class', { type: peerText(message.type) });
    return message;
  }

  #serve(attache: Attache, { isHeld: _, ...held }: AgentList & { readonly isHeld: boolean }, arrival: Arrival): void {
    const { registry, ownership, registrar, notices, meters } = this.#parts;
    this.#enter({ kind: 'ready', attache });
    this.link.raiseLimits(this.#parts.packetMaxBytes);
    // The deadline for pings counts from here.
    attache.becameReady();
    const former = registry.ready(attache);
    attache.held = held;
    const { configurationVersion } = held;
    const ready = { msHostList: storedList(held), configurationVersion, claimant: attache.claimant, arrival };
    ownership.ready(attache.host.id, ready, {
      onRemoved: () => {
        registrar.forget(attache.host.id);
        // Its link was not among the Ready ones when the others were told.
        void notices.tell(attache);
      },
      onSuperseded: () => this.link.close(ON_A_NEWER_LINK),
    });
    const { kind, cause, gapMs } = arrival;
    this.#times.observeReady(meters);
    meters.moves.add({ kind: kind ?? 'unknown', cause });
    if (gapMs !== null) meters.gapSeconds.observe({ cause }, gapMs / 1_000);
    this.#log.info('Agent is Ready', {
      ...{ list: held.hosts, algorithm: held.algorithm },
      ...{ move: kind, cause, gapMs: gapMs ?? undefined },
    });
    former?.link.close(ON_A_NEWER_LINK);
    if (this.#identity.kind === 'host' || this.#identity.kind === 'address') {
      this.#parts.presented.presented(this.#identity.serial);
    }
    this.#parts.onReady(attache);
  }

  #receive(request: Packet): void {
    if (!this.#isForUs(request)) {
      this.#ignored++;
      return;
    }
    const state = this.#state;
    if (state.kind === 'waiting' || state.kind === 'registering') {
      if (this.#mayOnlyEnrol && !hasToken(request)) this.link.close('a link without a certificate may only enrol');
      else if (!isStartup(request)) this.#answerBeforeStartup(request, request.messages);
      else if (state.kind === 'waiting') this.#start(request, state.startupDue);
      else this.#closeDoubleStartup();
      return;
    }
    if (isStartup(request)) {
      this.#closeDoubleStartup();
      return;
    }
    const { attache } = state;
    const [first] = request.messages;
    if (first !== undefined && KeptAnswersCommand.is(first) && attache.isRepeatable) {
      void this.#takeKept(attache, request, first);
      return;
    }
    const reply = handleRequest(request, {
      avoidMsList: this.#parts.lists.avoided,
      newSpreadMs: () => this.#spread.tellIfOther(),
      pinged: roundTripMs => {
        attache.pinged(roundTripMs);
        if (roundTripMs !== undefined) this.#parts.meters.pingSeconds.observe({}, roundTripMs / 1_000);
      },
    });
    if (reply.kind === 'close') attache.end(reply.reason, 'agent-stopped');
    else attache.answer(request, reply.answers);
  }

  /** Never rejects. What is not taken now comes again. */
  async #takeKept(attache: Attache, request: Packet, command: Message): Promise<void> {
    let taken: readonly string[] = [];
    // One batch at a time: the agent may have as many as it likes.
    if (!this.#isTakingKept) {
      this.#isTakingKept = true;
      try {
        const { kept = [] } = KeptAnswersCommand.decode(command);
        taken = await this.#parts.takeKeptAnswers(attache.host.id, kept);
      } catch (error) {
        this.#log.debug('What an agent has kept cannot be taken now', { reason: reasonOf(error) });
      } finally {
        this.#isTakingKept = false;
      }
    }
    attache.answer(request, [KeptAnswersAnswer.encode({ taken: [...taken], result: true })]);
  }

  /** It says nothing to strangers: a Java agent would exit for a refusal. */
  get #mayOnlyEnrol(): boolean {
    const isNew = this.#state.kind === 'waiting' || this.#state.kind === 'registering';
    return isNew && !this.#isCertified && this.#parts.lists.configuration.values['ca.plugin.root.auth.strictness'];
  }

  #start(request: Packet, startupDue: Timer): void {
    startupDue.cancel();
    this.#times.started();
    this.#enter({ kind: 'registering' });
    this.#converse(request, readStartup(request)).catch(error => {
      // A link that has ended has said why.
      if (!this.link.closed) this.link.close(reasonOf(error));
    });
  }

  #receiveUnreadable(header: Omit<Packet, 'messages'>): void {
    const state = this.#state;
    if (!this.#isForUs(header)) this.#ignored++;
    else if (this.#mayOnlyEnrol) this.link.close('a link without a certificate may only enrol');
    else if (state.kind === 'waiting' || state.kind === 'registering') this.#answerBeforeStartup(header, [UNREADABLE]);
    else state.attache.answer(header, [Answer.encode({ result: true })]);
  }

  /** An agent asks whichever server it is on, or this one. What a server asks is not an agent's request. */
  #isForUs({ mgmtId, flags }: Omit<Packet, 'messages'>): boolean {
    return (mgmtId === -1n || mgmtId === this.#msid) && (flags & FLAG.fromServer) === 0;
  }

  #answerBeforeStartup(header: Omit<Packet, 'messages'>, commands: readonly Message[]): void {
    const { knownHosts, registry } = this.#parts;
    if (++this.#requestsBeforeStartup > MGMT_LIMITS.requestsBeforeStartup) {
      this.link.close(`more than ${MGMT_LIMITS.requestsBeforeStartup} requests before Startup`);
      return;
    }
    const answers = answersBeforeStartup(commands, guid =>
      registry.byGuid(guid) ? 'Up' : knownHosts.get(guid)?.status,
    );
    this.link.answer(header, answers, { mgmtId: this.#msid, via: -1n });
  }

  #closeDoubleStartup(): void {
    this.link.close('a second Startup on the same link');
  }

  /** Refused Startups do not lengthen the time. */
  #waiting(): State {
    const { clock } = this.#parts;
    const startupDue = clock.after(Math.max(0, this.#startupDueAt - clock.now()), () => {
      this.link.close(`no Startup that is accepted within ${LIMITS.startupMs / 1_000} s`);
    });
    return { kind: 'waiting', startupDue };
  }

  #enter(state: State): void {
    const former = STAGES[this.#state.kind];
    this.#state = state;
    const stage = STAGES[state.kind];
    if (stage !== former && !this.link.closed) this.#listener.onStage?.(this.link, stage);
  }

  #close(reason: CloseReason): void {
    this.#listener.onEnd?.(this.link);
    const state = this.#state;
    // What the peer has said may be part of it.
    const why = peerText(describeClose(reason));
    const fields = { reason: why, ignoredPackets: this.#ignored + this.link.ignored || undefined };
    if (state.kind === 'waiting' || state.kind === 'registering') {
      if (state.kind === 'waiting') state.startupDue.cancel();
      this.#log.debug('Connection ended before it was an agent', fields);
      return;
    }
    this.#log.info('Agent disconnected', { ...fields, wasReady: state.kind === 'ready' });
    const { host } = state.attache;
    const loss = { reason: why, cause: state.attache.endOf(reason) };
    const departure = this.#parts.registry.depart(state.attache, loss);
    if (departure.kind === 'nothing') return;
    this.#parts.meters.departures.add({ cause: departure.loss.cause });
    this.#parts.ownership.lost(host.id, departure.loss, host.connectingEpoch);
    this.#parts.onLost(state.attache, departure.loss.reason);
  }
}
