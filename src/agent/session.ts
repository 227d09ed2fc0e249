import ipaddr from 'ipaddr.js';
import { sharedAbortController, untilAborted } from '../lib/abort.js';
import type { Clock, Timer } from '../lib/clock.js';
import type { Log } from '../lib/logger.js';
import { peerText } from '../lib/text/peer-text.js';
import {
  type CloseReason,
  connectTls,
  describeClose,
  FLAG,
  LIMITS,
  Link,
  type Message,
  type Packet,
  type PingAnswer,
  type RequestHeader,
  SERVER_CAPABILITIES,
  ShutdownCommand,
  StartupAnswer,
} from '../protocol/index.js';
import type { AgentEvent, DialFailure } from './agent-events.js';
import type { KeptAnswers } from './commands/kept-answers.js';
import { ServedRequests, type ServedRequestsParts } from './commands/served-requests.js';
import { connectToAny } from './dial/connect-to-any.js';
import type { Dialer, Wire } from './dial/dialer.js';
import { isConnectionRefused, plainReason } from './dial/plain-reason.js';
import { unsupported } from './handlers/by-resource.js';
import type { Consequence, HostIdentity } from './handlers/handler.js';
import { readAvoidList } from './handlers/host-list.js';
import { identityOf } from './handlers/ready.js';
import type { Connection } from './kernel-tcp.js';
import type { LivenessRules } from './liveness.js';
import { LivenessWatch } from './liveness-watch.js';
import type { PingSays } from './ping-says.js';
import { isAboutCertificates } from './trust/refusal.js';
import type { Credentials, Trust } from './trust/trust.js';

/** What a session is made of. All sessions of an agent share most of it. */
export interface SessionParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly trust: Trust;
  readonly port: number;
  readonly handshakeTimeoutMs: number;
  /** What carries out the commands that come. */
  readonly commands: ServedRequestsParts;
  /** Undefined: no answers are kept. */
  readonly keptAnswers: KeptAnswers | undefined;
  /** What pings say beside that the agent is alive. */
  readonly pings: PingSays;
  /** The interval comes from the server. */
  readonly liveness: Omit<LivenessRules, 'intervalMs'>;
  /** Counts over all links of the agent. */
  nextSequence(): bigint;
  /** Undefined while no server has given one. */
  hostId(): number | undefined;
  /**
   * The commands of the Startup.
   * @param transferred the field `connectionTransferred`
   * @param token the enrolment token that goes with the credentials of the link
   */
  startup(transferred: boolean, token: string | undefined): Promise<readonly Message[]>;
  onIdentity(identity: HostIdentity): void;
  /** A server has given this agent another certificate. */
  onCertificate(): void;
  /** The session is Ready, with these credentials. */
  onAccepted(credentials: Credentials): void;
  /** The server does not accept these credentials, or is not trusted by them. */
  onRefused(credentials: Credentials, why: string): void;
  onEvent(event: AgentEvent): void;
}

/** What one session is to do. */
export interface SessionOrder {
  /** The number of the dial, in events. */
  readonly id: number;
  readonly host: string;
  /** The field `connectionTransferred` of Startup. */
  readonly transferred: boolean;
  /** The remote address that must not be reached: that of the link which the session is to replace. */
  readonly unlike: string | undefined;
  /** When the name has that address and others, the others are tried; otherwise the agent counts as being there. */
  readonly leavesServer: boolean;
  /** Addresses of the name are tried beside each other. */
  readonly isUrgent: boolean;
}

/** The server has refused this agent. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';

  /** @param why in the server's words */
  constructor(why: string) {
    super(peerText(why));
  }
}

/** The host is another name of the server that must not be reached. */
class SameServerError extends Error {
  override readonly name = 'SameServerError';
}

/** The server has closed the link instead of answering Startup. */
class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

/** Of what cannot be used of a command, so many points are logged. */
const OBJECTIONS_SAID = 3;

/**
 * One dial and the link that comes of it: connect, TLS, Startup, Ready, then commands and pings until the link ends. A
 * name may have several addresses: the dial goes on with the next one when one fails before Ready.
 *
 *     connecting ─TCP─▶ connected ─proceed()─▶ registering ─Ready─▶ ready ─▶ ended
 *         ▲                                        │ failed, and there are further addresses
 *         └────────────────────────────────────────┘
 */
export class Session {
  readonly id: number;
  readonly #order: SessionOrder;
  readonly #parts: SessionParts;
  #phase: 'connecting' | 'connected' | 'registering' | 'ready' | 'ended' = 'connecting';
  /** Ends all that is under way for the current address. */
  #abort = sharedAbortController();
  /** Addresses of the host that are still to be tried. */
  #untried: readonly string[] = [];
  #wire: Wire | undefined;
  #link: Link | undefined;
  /** What the server of the current address says who we are. It counts for the agent once the link is Ready. */
  #identity: HostIdentity | undefined;
  /** Those of the current address. */
  #credentials: Credentials | undefined;
  /** The server has answered Startup. */
  #isAnswered = false;
  /** The server has given the agent a certificate, with which it is to come back. */
  #hasEnrolled = false;
  #deadline: Timer | undefined;
  #liveness: LivenessWatch | undefined;
  readonly #served: ServedRequests;
  /** Bytes of one packet on the link. */
  #packetBytes: number = LIMITS.packetBytesBeforeReady;
  /** The server takes kept answers: it is Muster's. */
  #takesKept = false;

  constructor(order: SessionOrder, parts: SessionParts) {
    this.id = order.id;
    this.#order = order;
    this.#parts = parts;
    this.#served = new ServedRequests(parts.commands);
  }

  start(): void {
    this.#attempt(this.#run());
  }

  get remoteAddress(): string | undefined {
    return this.#wire?.remote.address;
  }

  /** Whether commands are in progress that would be lost with the link. */
  get busy(): boolean {
    return this.#served.isBusy;
  }

  /** Registers the agent over the TCP connection, which is open. */
  proceed(): void {
    if (this.#phase !== 'connected' || this.#wire === undefined) return;
    this.#attempt(this.#secure(this.#wire));
  }

  /** The server has had its time. */
  giveUp(why: string): void {
    this.#fail(new Error(why));
  }

  /** Sends a ping now, beside the regular ones. */
  ping(): void {
    this.#liveness?.pingNow();
  }

  /** Sends a ping out of turn: the resource has something to report. */
  report(): void {
    this.#liveness?.report();
  }

  /** Ends the session at once, without an event. */
  drop(why: string): void {
    this.#end();
    this.#link?.destroy(why);
  }

  /**
   * Ends the session with a FIN, once its commands are answered or 30 s have passed. Commands with an id are not waited for:
   * their answers go out over the link that replaces this one. Causes no event.
   */
  async retire(): Promise<void> {
    this.quiesce();
    await this.#served.idle(this.#abort.signal);
    this.#end();
    this.#link?.close('a newer link has replaced it');
  }

  /** Sends no more pings. */
  quiesce(): void {
    this.#liveness?.stop();
  }

  /** Tells a Ready server by ShutdownCommand that the agent stops, and ends the link. Causes no event. */
  shutDown(): void {
    const link = this.#link;
    const isReady = this.#phase === 'ready';
    this.#end();
    if (link === undefined) return;
    const why = 'the agent stops';
    try {
      if (isReady && !link.closed) {
        const flags = FLAG.stopOnError | FLAG.inSequence;
        link.post([ShutdownCommand.encode({ reason: 'sig.kill' })], this.#header(flags));
      }
      link.close(why);
    } catch {
      // The server does not read: nothing reaches it.
      link.destroy(why);
    }
  }

  // ---- connect, TLS, Startup

  /** Looks up the host, and connects to the first of its addresses, within `LIMITS.connectMs` for both. */
  async #run(): Promise<void> {
    const { clock, dialer } = this.#parts;
    const { host, unlike, leavesServer } = this.#order;
    const from = clock.now();
    const addresses = await untilAborted(dialer.addresses(host), this.#abort.signal);
    const elsewhere = addresses.filter(address => !isSameAddress(address, unlike));
    if (elsewhere.length === 0 || (elsewhere.length < addresses.length && !leavesServer)) throw new SameServerError();
    this.#untried = [...new Set(elsewhere)];
    await this.#connect(LIMITS.connectMs - (clock.now() - from));
  }

  async #connect(limitMs: number): Promise<void> {
    const { clock, dialer, port } = this.#parts;
    const { signal } = this.#abort;
    const addresses = this.#untried;
    // When all of them fail, none is left.
    this.#untried = [];
    const { wire, untried } = await connectToAny(addresses, {
      clock,
      connect: (address, attempt) => dialer.connect(address, port, attempt),
      staggerMs: this.#order.isUrgent ? LIMITS.connectStaggerMs : undefined,
      limitMs,
      signal,
    });
    this.#untried = untried;
    this.#wire = wire;
    // Until TLS listens to it.
    wire.socket.on('error', () => {});
    if (signal.aborted) {
      wire.socket.destroy();
      return;
    }
    this.#phase = 'connected';
    this.#parts.onEvent({ kind: 'connected', id: this.id });
  }

  /** Work for the current address. When that is given up meanwhile, its failure means nothing. */
  #attempt(work: Promise<void>): void {
    const { signal } = this.#abort;
    work.catch(error => {
      if (!signal.aborted) this.#fail(error);
    });
  }

  async #secure({ socket, local, remote }: Wire): Promise<void> {
    const { clock, trust, handshakeTimeoutMs } = this.#parts;
    const { signal } = this.#abort;
    this.#phase = 'registering';
    const credentials = trust.credentials();
    this.#credentials = credentials;
    const transport = await connectTls(socket, {
      clock,
      context: credentials.context,
      handshakeTimeoutMs,
      remote,
      host: this.#order.host,
      judge: peer => credentials.judge(peer),
    });
    if (signal.aborted) {
      transport.destroy();
      return;
    }
    const link = new Link(transport, { clock, nextSequence: () => this.#parts.nextSequence() });
    await this.#register(link, credentials.token, {
      localAddress: local.address,
      localPort: local.port,
      remoteAddress: remote.address,
      remotePort: remote.port,
    });
  }

  async #register(link: Link, token: string | undefined, connection: Connection): Promise<void> {
    const { signal } = this.#abort;
    this.#link = link;
    link.start({
      onRequest: request => void this.#onRequest(link, request).catch(error => this.#fail(error)),
      onUnreadable: (header, error) => {
        this.#liveness?.heard();
        link.answer(header, [unsupported(error.message)]);
      },
      onClose: reason => {
        if (!signal.aborted) this.#fail(this.#closed(reason));
      },
    });
    this.#within(LIMITS.startupAnswerMs, 'the resource did not describe this machine');
    const startup = await this.#parts.startup(this.#order.transferred, token);
    if (signal.aborted) return;
    this.#deadline?.cancel();
    const answer = await link.request(startup, this.#header(0), LIMITS.startupAnswerMs);
    if (signal.aborted) return;
    const pingIntervalMs = this.#onStartupAnswer(answer.messages[0]);
    if (pingIntervalMs > 0) this.#startLiveness(link, connection, pingIntervalMs);
    if (this.#phase === 'registering') this.#parts.onEvent({ kind: 'startup-answered', id: this.id });
  }

  /** @returns the server's ping interval in milliseconds; 0 for none */
  #onStartupAnswer(message: Message | undefined): number {
    if (message?.type !== StartupAnswer.type) {
      throw new RefusedError(`Startup was answered by ${message?.type ?? 'nothing'}`);
    }
    const answer = StartupAnswer.decode(message);
    this.#isAnswered = answer.result;
    if (!answer.result) throw new RefusedError(answer.details ?? 'Startup was refused without a reason');
    const { hostId, hostUuid, hostName } = answer;
    // CloudStack's server sends 0 here, and the real id in Ready.
    if (hostId > 0) this.#identity ??= identityOf(hostId, hostUuid, hostName);
    return answer.pingInterval * 1000;
  }

  #within(ms: number, otherwise: string): void {
    this.#deadline = this.#parts.clock.after(ms, () => this.#fail(new Error(`${otherwise} within ${ms / 1000} s`)));
  }

  // ---- commands

  async #onRequest(link: Link, request: Packet): Promise<void> {
    const { signal } = this.#abort;
    this.#liveness?.heard();
    await this.#served.serve(request, { link, signal, packetBytes: this.#packetBytes }, consequence => {
      // A certificate is in use, whether or not the link has ended meanwhile.
      if (consequence.kind === 'certificate') this.#onCertificate();
      else if (!signal.aborted) this.#onConsequence(consequence);
    });
  }

  #onCertificate(): void {
    this.#hasEnrolled = this.#phase === 'registering' && !this.#isAnswered;
    this.#parts.onCertificate();
  }

  #onConsequence(consequence: Exclude<Consequence, { kind: 'certificate' }>): void {
    if (this.#phase === 'ended') return;
    const { id } = this;
    switch (consequence.kind) {
      case 'refused':
        this.#fail(new RefusedError(consequence.why));
        return;
      case 'ready':
        this.#deadline?.cancel();
        this.#phase = 'ready';
        this.#packetBytes = consequence.packetMaxBytes ?? LIMITS.packetBytes;
        this.#link?.raiseLimits(this.#packetBytes);
        this.#sayNotUsed(consequence.objections);
        this.#identity = { ...this.#identity, ...known(consequence.identity) };
        this.#parts.onIdentity(this.#identity);
        this.#parts.onEvent({ kind: 'ready', id, update: consequence.update });
        if (this.#credentials !== undefined) this.#parts.onAccepted(this.#credentials);
        if (consequence.capabilities.includes(SERVER_CAPABILITIES.keptAnswers)) this.#onTakesKept();
        return;
      case 'update':
      case 'migrate':
        this.#sayNotUsed(consequence.objections);
        this.#parts.onEvent({ ...consequence, id });
        return;
      case 'shutdown':
        this.#parts.onEvent({ ...consequence, id });
        return;
      default:
        consequence satisfies never;
    }
  }

  #onTakesKept(): void {
    const link = this.#link;
    if (link === undefined || this.#phase !== 'ready') return;
    this.#takesKept = true;
    this.#parts.keptAnswers?.linkReady(this.id, {
      packetBytes: this.#packetBytes,
      request: (command, timeoutMs) => link.request([command], this.#header(FLAG.stopOnError), timeoutMs),
    });
  }

  #sayNotUsed(objections: readonly string[]): void {
    if (objections.length === 0) return;
    const reason = objections.slice(0, OBJECTIONS_SAID).join('; ');
    this.#parts.log.warn('Not all that the server says about hosts can be used: the rest is', {
      host: this.#order.host,
      objections: objections.length,
      reason,
    });
  }

  // ---- liveness

  #startLiveness(link: Link, connection: Connection, intervalMs: number): void {
    const { id } = this;
    const { clock, log, liveness, pings } = this.#parts;
    this.#liveness = new LivenessWatch({
      clock,
      log: log.child({ host: this.#order.host }),
      rules: { ...liveness, intervalMs },
      connection,
      report: pings.report,
      progress: () => (this.#takesKept ? pings.progress() : []),
      hostId: () => this.#hostId(),
      request: (ping, timeoutMs) => link.request([ping], this.#header(FLAG.stopOnError), timeoutMs),
      onPingAnswer: answer => this.#onPingAnswer(answer),
      onSuspect: silentMs => {
        // A link that is not Ready yet carries nothing that is worth keeping it for.
        if (this.#phase !== 'ready') this.#fail(new Error(`silent for ${Math.round(silentMs)} ms`));
        else this.#parts.onEvent({ kind: 'suspect', id, silentMs });
      },
      onCleared: () => this.#parts.onEvent({ kind: 'heard', id }),
      onGiveUp: unanswered => this.#fail(new Error(`${unanswered} pings were not answered`)),
    });
  }

  #onPingAnswer({ avoidMsList, sendStartup }: ReturnType<typeof PingAnswer.decode>): void {
    const { id } = this;
    if (avoidMsList) {
      const update = { avoid: readAvoidList(avoidMsList) };
      this.#parts.onEvent({ kind: 'update', id, update, checkNow: false });
    }
    if (sendStartup) this.#parts.onEvent({ kind: 'send-startup', id });
  }

  // ---- the end

  #header(flags: number): RequestHeader {
    const id = BigInt(this.#hostId() ?? -1);
    return { flags, mgmtId: -1n, agentId: id, via: id };
  }

  #hostId(): number | undefined {
    return this.#identity?.hostId ?? this.#parts.hostId();
  }

  #fail(error: unknown): void {
    if (this.#phase === 'ended') return;
    const { id } = this;
    const why = plainReason(error, this.#credentials?.hasCertificate ?? false);
    const isEnrolled = this.#hasEnrolled;
    const credentials = this.#credentials;
    if (credentials !== undefined && !isEnrolled && this.#refuses(credentials, error)) {
      this.#parts.onRefused(credentials, why);
    }
    if (this.#phase === 'ready') {
      this.#end();
      this.#link?.close(why);
      this.#parts.onEvent({ kind: 'lost', id, why });
    } else if (this.#untried.length > 0 && !isEnrolled) {
      this.#nextAddress(why);
    } else {
      this.#end();
      this.#link?.close(why);
      if (error instanceof SameServerError) this.#parts.onEvent({ kind: 'same-server', id });
      else
        this.#parts.onEvent({ kind: 'dial-failed', id, why, how: isEnrolled ? 'enrolled' : this.#howItFailed(error) });
    }
  }

  #closed(reason: CloseReason): Error {
    const why = describeClose(reason);
    if (reason.kind !== 'peer' || this.#phase !== 'registering' || this.#isAnswered) return new Error(why);
    const { token, hasCertificate } = this.#credentials ?? {};
    const perhaps = hasCertificate
      ? 'it may not accept the certificate of this agent'
      : token === undefined
        ? 'it may demand a certificate, and this agent has none'
        : 'it may not accept enrollment.token';
    return new UnansweredError(`${why} without an answer to Startup: ${perhaps}`);
  }

  /** Whether a failure before Ready is the server's answer to these credentials. */
  #refuses({ token }: Credentials, error: unknown): boolean {
    if (this.#phase !== 'registering' || this.#isAnswered) return false;
    if (error instanceof RefusedError) return token !== undefined;
    return error instanceof UnansweredError || isAboutCertificates(error);
  }

  #howItFailed(error: unknown): DialFailure {
    if (error instanceof RefusedError) return 'agent-refused';
    return this.#wire === undefined && isConnectionRefused(error) ? 'connection-refused' : 'other';
  }

  /** The address has failed after the TCP connection, and there are others. */
  #nextAddress(why: string): void {
    const address = this.#wire?.remote.address ?? '';
    this.#end();
    this.#link?.close(why);
    this.#link = undefined;
    this.#liveness = undefined;
    this.#identity = undefined;
    this.#credentials = undefined;
    this.#isAnswered = false;
    this.#abort = sharedAbortController();
    this.#phase = 'connecting';
    this.#parts.onEvent({ kind: 'address-failed', id: this.id, why: `${address}: ${why}` });
    this.#attempt(this.#connect(LIMITS.connectMs));
  }

  #end(): void {
    this.#phase = 'ended';
    this.#deadline?.cancel();
    this.quiesce();
    this.#served.clear();
    this.#abort.abort(new Error('the link has ended'));
    this.#parts.keptAnswers?.linkEnded(this.id);
    if (this.#link === undefined) this.#wire?.socket.destroy();
  }
}

/** Without what the server has not said. */
function known({ hostId, hostUuid, hostName }: HostIdentity): HostIdentity {
  return { hostId, ...(hostUuid && { hostUuid }), ...(hostName && { hostName }) };
}

/** Compares addresses. An IPv4 address equals its IPv6-mapped form. */
function isSameAddress(address: string, other: string | undefined): boolean {
  if (other === undefined || !ipaddr.isValid(address) || !ipaddr.isValid(other)) return address === other;
  return ipaddr.process(address).toNormalizedString() === ipaddr.process(other).toNormalizedString();
}
