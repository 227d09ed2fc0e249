import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { networkOf } from '../../lib/address.js';
import { Admission, type AdmissionBounds } from '../../lib/admission.js';
import type { Timer } from '../../lib/clock.js';
import { codeOf, reasonOf } from '../../lib/errors.js';
import {
  acceptTls,
  type Link,
  MemoryBudget,
  type PeerTerms,
  type RemoteEnd,
  type Transport,
} from '../../protocol/index.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { HandshakeResult, ServerMeters } from '../metrics/server-metrics.js';
import type { PeerIdentity, ServerIdentity } from '../security/peer-identity.js';
import { Turns } from './admission/turns.js';
import { type ConversationParts, converse, type LinkStage, type Secured } from './conversation.js';
import { drop, firstBytes } from './first-bytes.js';
import type { PeerCertificates } from './peer-certificates.js';

export interface AgentServerParts extends ConversationParts {
  /** The TLS context for the next connection. */
  secureContext(): SecureContext;
  /** Whether connections are served now. If not, they are closed at once. */
  takesAgents(): boolean;
  readonly peers: Pick<PeerCertificates, 'judge' | 'refused' | 'objectionTo'>;
  readonly otherServers: OtherServers;
  /** Which part of the time since the last call the event loop was busy, 0 to 1. */
  loopUtilization(): number;
  readonly meters: ConversationParts['meters'] & Pick<ServerMeters, 'handshakes' | 'turnedAway'>;
}

/** Other management servers, which come to the same port. */
export interface OtherServers {
  /** What holds for their transports. */
  readonly terms: PeerTerms;
  /** The TLS context for a client that asks for this name; undefined: that for agents. */
  contextFor(name: string): SecureContext | undefined;
  /** Whether it is the address of another server. */
  isAt(address: string): boolean;
  /** A secured connection whose peer has shown a server's certificate. */
  accept(transport: Transport, identity: ServerIdentity): void;
  /** Ends their links whose certificates are revoked by now. */
  endRevoked(): void;
}

/**
 * OpenSSL may end the handshake by itself when the certificate names a CA that it knows, and the signature is another's. Its
 * library of ASN.1 then says that a signature could not be verified, for which it has no code of its own.
 */
function isForged(error: unknown): boolean {
  if (codeOf(error) !== 'TLS_FAILED' || !(error instanceof Error) || !(error.cause instanceof Error)) return false;
  const { cause } = error;
  return codeOf(cause) === 'ERR_SSL_EVP_LIB' && 'library' in cause && cause.library === 'asn1 encoding routines';
}

function failedHandshake(error: unknown): HandshakeResult {
  switch (codeOf(error)) {
    case 'HANDSHAKE_CLOSED':
      return 'closed';
    case 'HANDSHAKE_TIMEOUT':
      return 'timeout';
    default:
      return 'failed';
  }
}

/** A connection of which it is not known yet who it is. */
interface Stranger {
  /** Closes it at once. */
  end(why: string): void;
  /** It waits for its turn: whether that has come, or it has been closed before. */
  begin?(isItsTurn: boolean): void;
}

const TAKES_NO_AGENTS = 'this server takes no agents now';

/** Accepts connections, secures them, and has a conversation on each. It has no sockets of its own. */
export class AgentServer {
  readonly #parts: AgentServerParts;
  readonly #budget = new MemoryBudget();
  readonly #handshaking = new Set<Duplex>();
  readonly #strangers = new Admission<Stranger>();
  readonly #turns = new Turns<Stranger>();
  /** Runs while connections wait for their turn, or have it. */
  #measurement: Timer | undefined;
  readonly #links = new Map<Link, { stage: LinkStage; readonly identity: PeerIdentity }>();
  /** Closes links on which Ready is not answered while the port is closed. */
  #unanswered: Timer | undefined;
  readonly #count: Record<LinkStage, number> = { new: 0, registering: 0, arriving: 0, ready: 0 };
  readonly #turnedAway = { 'closed-port': 0, crowd: 0 };
  #evicted = 0;
  #crowdToldAt = Number.NEGATIVE_INFINITY;
  #isOpen = false;
  /** One for all: each TLS socket keeps it. */
  readonly #contextFor = (name: string) => this.#parts.otherServers.contextFor(name);

  constructor(parts: AgentServerParts) {
    this.#parts = parts;
  }

  /** Links that have registered, or try to, and are not Ready yet. */
  get arriving(): number {
    return this.#count.registering + this.#count.arriving;
  }

  /** Connections that were closed at once. */
  get turnedAway(): number {
    return this.#turnedAway['closed-port'] + this.#turnedAway.crowd;
  }

  /** Connections that are no Ready links, by how far they are. `waiting`: they are not read yet. */
  get underWay(): Readonly<Record<'waiting' | 'handshake' | Exclude<LinkStage, 'ready'>, number>> {
    const { ready: _, ...others } = this.#count;
    return { waiting: this.#turns.waiting, handshake: this.#handshaking.size, ...others };
  }

  /** How many connections come to Ready in a second when many want to. */
  get rate(): number {
    return this.#turns.rate;
  }

  /** Connections that have not registered, and how many there may be. */
  get admission(): { readonly waiting: number; readonly limit: number } {
    return { waiting: this.#strangers.size, limit: this.#bounds().total };
  }

  /** When the first certificate ends of those that agents have come with, in milliseconds since 1970. */
  get certificatesEnd(): number | undefined {
    let first: number | undefined;
    for (const { identity } of this.#links.values()) {
      const isAgents = identity.kind === 'host' || identity.kind === 'address';
      if (isAgents && (first === undefined || identity.ends < first)) first = identity.ends;
    }
    return first;
  }

  /** From now on connections are served. */
  open(): void {
    this.#isOpen = true;
  }

  /** A connection that was just accepted: secured, then served until its end. */
  async serve(socket: Duplex, remote: RemoteEnd): Promise<void> {
    const stranger = { end: () => socket.destroy() };
    if (!this.#letsIn(stranger, remote)) {
      // As CloudStack does when it has enough to do: agents take it for a host that is down, and go on.
      drop(socket);
      return;
    }
    const turn = this.#comesToItsTurn(stranger, remote);
    const isItsTurn = typeof turn === 'boolean' ? turn : await turn;
    if (!isItsTurn || socket.destroyed || !this.#isOpen) {
      this.#leave(stranger);
      drop(socket);
      return;
    }
    const secured = await this.#secure(socket, remote, stranger);
    if (secured === undefined) this.#leave(stranger);
    else if (secured.identity.kind === 'server') {
      this.#leave(stranger);
      this.#parts.otherServers.accept(secured.transport, secured.identity);
    } else if (this.#takesAgents()) this.#converse(secured, stranger);
    else {
      this.#leave(stranger);
      secured.transport.destroy();
    }
  }

  /** Waits until the server has time for it. @returns false: it has been closed, or is to be */
  #comesToItsTurn(stranger: Stranger, { address }: RemoteEnd): boolean | Promise<boolean> {
    const verdict = this.#turns.arrive(stranger, networkOf(address), this.#parts.otherServers.isAt(address));
    if (verdict.evicted !== undefined) this.#turnAway(verdict.evicted);
    if (!verdict.isAdmitted) {
      this.#turnAway(stranger);
      return false;
    }
    let isItsTurn = false;
    stranger.begin = () => {
      isItsTurn = true;
    };
    this.#beginNext();
    if (isItsTurn) return true;
    return new Promise(resolve => {
      stranger.begin = resolve;
    });
  }

  /** More wait than can be served in time. */
  #turnAway(stranger: Stranger): void {
    this.#countTurnedAway('crowd');
    this.#leave(stranger);
    stranger.begin?.(false);
  }

  #beginNext(): void {
    const { clock, loopUtilization } = this.#parts;
    for (const stranger of this.#turns.next(clock.now())) {
      this.#strangers.isRead(stranger);
      stranger.begin?.(true);
    }
    if (this.#measurement !== undefined || this.#turns.isIdle) return;
    // What was before is not measured.
    loopUtilization();
    this.#measureLater();
  }

  #measureLater(): void {
    this.#measurement = this.#parts.clock.after(MGMT_LIMITS.turnsMeasuredMs, () => this.#measure());
  }

  #measure(): void {
    const { clock, loopUtilization } = this.#parts;
    for (const shed of this.#turns.measure(clock.now(), loopUtilization())) this.#turnAway(shed);
    this.#beginNext();
    if (!this.#turns.isIdle) {
      this.#measureLater();
      return;
    }
    this.#measurement = undefined;
    this.#turns.rest();
  }

  /** It has ended, or is no stranger any more. Idempotent. */
  #leave(stranger: Stranger, isReady = false): void {
    this.#strangers.leave(stranger);
    this.#turns.leave(stranger, isReady);
    if (this.#turns.waiting > 0) this.#beginNext();
  }

  /** A secured connection, from wherever it comes. @param identity who its peer is by its certificate */
  serveTransport(transport: Transport, identity: PeerIdentity = { kind: 'none' }): void {
    if (identity.kind === 'server') {
      this.#parts.otherServers.accept(transport, identity);
      return;
    }
    const stranger = { end: () => transport.destroy() };
    if (!this.#letsIn(stranger, transport.remote)) {
      transport.destroy();
      return;
    }
    this.#strangers.spoke(stranger);
    this.#converse({ transport, identity, handshakeMs: 0 }, stranger);
  }

  /** Counts who is not let in. */
  #letsIn(stranger: Stranger, remote: RemoteEnd): boolean {
    const reason = !this.#takesAgents() ? 'closed-port' : this.#admit(stranger, remote) ? undefined : 'crowd';
    if (reason === undefined) return true;
    this.#countTurnedAway(reason);
    return false;
  }

  #countTurnedAway(reason: 'closed-port' | 'crowd'): void {
    this.#turnedAway[reason]++;
    this.#parts.meters.turnedAway.add({ reason });
  }

  #converse(secured: Secured, stranger: Stranger): void {
    const { identity } = secured;
    const link = converse(secured, this.#parts, {
      onStage: (changed, stage) => {
        if (stage === 'registering') this.#turns.works(stranger);
        // It was refused. Its link stays a stranger.
        if (stage === 'new') this.#turns.leave(stranger);
        // It has registered.
        if (stage === 'arriving') {
          this.#strangers.leave(stranger);
          this.#turns.registered(stranger);
        }
        if (stage === 'ready') this.#leave(stranger, true);
        this.#setStage(changed, identity, stage);
      },
      onEnd: ended => {
        this.#leave(stranger);
        this.#setStage(ended, identity, undefined);
      },
    });
    stranger.end = why => link.destroy(why);
    if (!link.closed && !this.#links.has(link)) this.#setStage(link, identity, 'new');
    // It may have been revoked while the handshake ended.
    const objection = this.#parts.peers.objectionTo(identity);
    if (objection !== undefined) link.destroy(objection);
  }

  #takesAgents(): boolean {
    return this.#isOpen && this.#parts.takesAgents();
  }

  /** Makes room for a stranger, if there is to be any. */
  #admit(stranger: Stranger, { address }: RemoteEnd): boolean {
    const network = networkOf(address);
    const verdict = this.#strangers.arrive(stranger, network, this.#parts.clock.now(), this.#bounds());
    for (const evicted of verdict.evicted) {
      this.#turns.leave(evicted);
      evicted.end('newer connections took its place before it had registered');
      evicted.begin?.(false);
    }
    this.#evicted += verdict.evicted.length;
    if (verdict.evicted.length > 0) this.#parts.meters.turnedAway.add({ reason: 'evicted' }, verdict.evicted.length);
    if (!verdict.isAdmitted || verdict.evicted.length > 0) this.#tellOfCrowd(network);
    return verdict.isAdmitted;
  }

  #bounds(): AdmissionBounds {
    const { values } = this.#parts.lists.configuration;
    const total = values['agent.max.concurrent.new.connections'] || MGMT_LIMITS.newConnections;
    const share = Math.max(MGMT_LIMITS.leastShare, Math.floor(total / MGMT_LIMITS.networksAtFullShare));
    return { total, perNetwork: values['agent.max.concurrent.new.connections.per.address'] || share };
  }

  #tellOfCrowd(network: string): void {
    const { clock, log } = this.#parts;
    if (clock.now() - this.#crowdToldAt < MGMT_LIMITS.crowdWarningMs) return;
    this.#crowdToldAt = clock.now();
    log.warn('Too many connections that have not registered: some are closed', {
      address: network,
      waiting: this.#strangers.size,
      closedSinceStart: this.#evicted,
      turnedAwaySinceStart: this.turnedAway,
    });
  }

  /** @param stage undefined: the link has ended */
  #setStage(link: Link, identity: PeerIdentity, stage: LinkStage | undefined): void {
    const former = this.#links.get(link)?.stage;
    if (former !== undefined) this.#count[former]--;
    if (stage === undefined) this.#links.delete(link);
    else {
      this.#links.set(link, { stage, identity });
      this.#count[stage]++;
    }
  }

  /**
   * Closes every connection that is not Ready: its agent goes to another server. One that was sent Ready may be Ready for its
   * agent already, and have no other link: it has some time to say so, and is closed then.
   */
  closeArriving(): void {
    this.#closeWaiting();
    for (const socket of this.#handshaking) socket.destroy();
    const unanswered: Link[] = [];
    for (const [link, { stage }] of [...this.#links])
      if (stage === 'arriving') unanswered.push(link);
      else if (stage !== 'ready') link.close(TAKES_NO_AGENTS);
    this.#unanswered?.cancel();
    this.#unanswered = this.#parts.clock.after(MGMT_LIMITS.readyAnswerMs, () => {
      for (const link of unanswered) if (this.#links.get(link)?.stage === 'arriving') link.close(TAKES_NO_AGENTS);
    });
  }

  /** Ends the links whose certificate was revoked, or whose CA was dropped. */
  endRevoked(): void {
    this.#parts.otherServers.endRevoked();
    for (const [link, { identity }] of [...this.#links]) {
      const objection = this.#parts.peers.objectionTo(identity);
      if (objection === undefined) continue;
      this.#parts.peers.refused(link.remote.address, objection);
      link.destroy(objection);
    }
  }

  /** Ends the links that come with the certificate of a host that was removed, and are not Ready. */
  endArrivingOf(hostUuid: string): void {
    for (const [link, { stage, identity }] of [...this.#links]) {
      if (stage !== 'ready' && identity.kind === 'host' && identity.uuid === hostUuid)
        link.close('the host was removed');
    }
  }

  /**
   * Accepts nothing more, and ends what is there.
   * @param how `orderly`: links end by FIN, behind what is queued; `now`: at once
   */
  close(how: 'orderly' | 'now'): void {
    this.#isOpen = false;
    this.#unanswered?.cancel();
    this.#closeWaiting();
    for (const socket of this.#handshaking) socket.destroy();
    for (const link of [...this.#links.keys()]) {
      if (how === 'orderly') link.close('the server stops');
      else link.destroy('the server stops');
    }
  }

  #closeWaiting(): void {
    for (const stranger of this.#turns.clear()) {
      this.#strangers.leave(stranger);
      stranger.begin?.(false);
    }
    this.#measurement?.cancel();
    this.#measurement = undefined;
    this.#turns.rest();
  }

  /** @returns undefined when there was no TLS handshake */
  async #secure(socket: Duplex, remote: RemoteEnd, stranger: Stranger): Promise<Secured | undefined> {
    const { clock, log, lists, secureContext, peers, otherServers, meters } = this.#parts;
    this.#handshaking.add(socket);
    let spokeAt: number | undefined;
    try {
      // What TLS needs is made only for those that speak: a silent connection costs hardly anything.
      const received = await firstBytes(socket, clock);
      spokeAt = clock.now();
      this.#strangers.spoke(stranger);
      let identity: PeerIdentity = { kind: 'none' };
      const transport = await acceptTls(socket, {
        clock,
        context: secureContext(),
        handshakeTimeoutMs: lists.configuration.values['agent.ssl.handshake.timeout'] * 1_000,
        remote,
        received,
        budget: this.#budget,
        contextFor: this.#contextFor,
        judge(peer) {
          identity = peers.judge(peer.getPeerX509Certificate(), remote.address);
        },
        termsFor: () => (identity.kind === 'server' ? otherServers.terms : undefined),
      });
      meters.handshakes.add({ result: 'secured' });
      return { transport, identity, handshakeMs: clock.now() - spokeAt };
    } catch (error) {
      meters.handshakes.add({ result: spokeAt === undefined ? 'silent' : failedHandshake(error) });
      if (isForged(error)) peers.refused(remote.address, 'the CA that its certificate names has not signed it');
      // Agents that probe a host do this, and so do port scanners.
      log.debug('No TLS handshake', { address: remote.address, reason: reasonOf(error) });
      return undefined;
    } finally {
      this.#handshaking.delete(socket);
    }
  }
}
