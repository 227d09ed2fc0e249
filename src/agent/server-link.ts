import { sharedAbortController } from '../lib/abort.js';
import type { Clock, Timer } from '../lib/clock.js';
import type { Log } from '../lib/logger.js';
import { peerText } from '../lib/text/peer-text.js';
import {
  type CloseReason,
  describeClose,
  FLAG,
  LIMITS,
  Link,
  type LinkEnd,
  linkEndOf,
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
import type { Wire } from './dial/dialer.js';
import { MAY_REFUSE_CERTIFICATE, plainReason } from './dial/plain-reason.js';
import { unsupported } from './handlers/by-resource.js';
import type { Consequence, HostIdentity } from './handlers/handler.js';
import { readAvoidList } from './handlers/host-list.js';
import { boundedSpread, identityOf } from './handlers/ready.js';
import type { LivenessRules } from './liveness.js';
import { LivenessWatch } from './liveness-watch.js';
import type { AgentMeters } from './metrics/agent-metrics.js';
import type { PingSays } from './ping-says.js';
import { isAboutCertificates, mayBeAboutCertificates, type Refusal } from './trust/refusal.js';
import type { AgentTrust, Credentials } from './trust/trust.js';

/** What a link to a server is made of. All links of an agent share most of it. */
export interface ServerLinkParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: Pick<AgentMeters, 'pingSeconds'>;
  readonly trust: AgentTrust;
  readonly handshakeTimeoutMs: number;
  /** Between two pings; undefined: what the server says. */
  readonly pingIntervalMs: number | undefined;
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
  /** The link is Ready, with these credentials. */
  onAccepted(credentials: Credentials): void;
  /** The server does not accept these credentials, or is not trusted by them. */
  onRefused(credentials: Credentials, why: string, how: Refusal): void;
  onEvent(event: AgentEvent): void;
}

/** What a link is to do. */
export interface ServerLinkOrder {
  /** The number of the dial, in events. */
  readonly id: number;
  readonly host: string;
  /** The field `connectionTransferred` of Startup. */
  readonly transferred: boolean;
  readonly wire: Wire;
}

/** How a link has ended by itself. `lost`: it was Ready. */
export type LinkFailure =
  | { readonly kind: 'lost'; readonly why: string; readonly how: LinkEnd }
  | { readonly kind: 'failed'; readonly why: string; readonly how: DialFailure };

/** The server has refused this agent. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';

  /** @param why in the server's words */
  constructor(why: string) {
    super(peerText(why));
  }
}

/** It has answered Startup with no. */
class StartupRefusedError extends RefusedError {}

/** The server has closed the link instead of answering Startup. */
class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

const MAY_NEED_ONE =
  'it may demand a certificate, and this agent has none: have createEnrollmentToken of a server make a token, write it ' +
  'into agent.properties as enrollment.token, and send this process SIGHUP, or restart it';
const MAY_REFUSE_TOKEN = 'it may not accept enrollment.token';

/** Of what cannot be used of a command, so many points are logged. */
const OBJECTIONS_SAID = 3;

/**
 * From a TCP connection to the end of its link: TLS, Startup, Ready, then commands and pings.
 *
 *     registering ─Ready─▶ ready ─▶ ended
 *          └────── failed ──────────▶
 */
export class ServerLink {
  readonly #order: ServerLinkOrder;
  readonly #parts: ServerLinkParts;
  readonly #onFailure: (failure: LinkFailure) => void;
  #phase: 'registering' | 'ready' | 'ended' = 'registering';
  /** Ends all that is under way. */
  readonly #abort = sharedAbortController();
  readonly #credentials: Credentials;
  /** Undefined before the end of the TLS handshake. */
  #link: Link | undefined;
  /** What the server says who we are. It counts for the agent once the link is Ready. */
  #identity: HostIdentity | undefined;
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

  /** @param onFailure is called once, when the link ends by itself */
  constructor(order: ServerLinkOrder, parts: ServerLinkParts, onFailure: (failure: LinkFailure) => void) {
    this.#order = order;
    this.#parts = parts;
    this.#onFailure = onFailure;
    this.#credentials = parts.trust.credentials();
    this.#served = new ServedRequests(parts.commands);
  }

  start(): void {
    const { signal } = this.#abort;
    this.#secure(this.#order.wire).catch(error => {
      if (!signal.aborted) this.#fail(error);
    });
  }

  /** Whether commands are in progress that would be lost with the link. */
  get busy(): boolean {
    return this.#served.isBusy;
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

  /** Ends the link at once. */
  drop(why: string): void {
    this.#end();
    this.#link?.destroy(why);
  }

  /**
   * Ends the link with a FIN, once its commands are answered or 30 s have passed. Commands with an id are not waited for:
   * their answers go out over the link that replaces this one.
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

  /** Tells a Ready server by ShutdownCommand that the agent stops, and ends the link. */
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

  // ---- TLS, Startup

  async #secure(wire: Wire): Promise<void> {
    const { clock, handshakeTimeoutMs } = this.#parts;
    const { signal } = this.#abort;
    const credentials = this.#credentials;
    const transport = await wire.secure({
      clock,
      context: credentials.context,
      handshakeTimeoutMs,
      host: this.#order.host,
      judge: peer => credentials.judge(peer),
    });
    if (signal.aborted) {
      transport.destroy();
      return;
    }
    const link = new Link(transport, { clock, nextSequence: () => this.#parts.nextSequence() });
    await this.#register(link, credentials.token);
  }

  async #register(link: Link, token: string | undefined): Promise<void> {
    const { signal } = this.#abort;
    this.#link = link;
    link.start({
      onRequest: request => void this.#onRequest(link, request).catch(error => this.#fail(error)),
      onUnreadable: (header, error) => {
        this.#liveness?.heard();
        link.answer(header, [unsupported(error.message)]);
      },
      onClose: reason => {
        if (!signal.aborted) this.#fail(this.#closed(reason), reason.kind === 'local' ? 'failed' : linkEndOf(reason));
      },
    });
    this.#within(LIMITS.startupAnswerMs, 'the resource did not describe this machine');
    const startup = await this.#parts.startup(this.#order.transferred, token);
    if (signal.aborted) return;
    this.#deadline?.cancel();
    const answer = await link.request(startup, this.#header(0), LIMITS.startupAnswerMs);
    if (signal.aborted) return;
    const saidIntervalMs = this.#onStartupAnswer(answer.messages[0]);
    const { pingIntervalMs = saidIntervalMs } = this.#parts;
    if (pingIntervalMs > 0) this.#startLiveness(link, pingIntervalMs);
    if (this.#phase === 'registering') this.#parts.onEvent({ kind: 'startup-answered', id: this.#order.id });
  }

  /** @returns the server's ping interval in milliseconds; 0 for none */
  #onStartupAnswer(message: Message | undefined): number {
    if (message?.type !== StartupAnswer.type) {
      throw new RefusedError(`Startup was answered by ${message?.type ?? 'nothing'}`);
    }
    const answer = StartupAnswer.decode(message);
    this.#isAnswered = answer.result;
    if (!answer.result) throw new StartupRefusedError(answer.details ?? 'Startup was refused without a reason');
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
    const { id } = this.#order;
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
        this.#parts.onAccepted(this.#credentials);
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
    this.#parts.keptAnswers?.linkReady(this.#order.id, {
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

  #startLiveness(link: Link, intervalMs: number): void {
    const { id } = this.#order;
    const { clock, log, liveness, pings, meters } = this.#parts;
    this.#liveness = new LivenessWatch({
      clock,
      log: log.child({ host: this.#order.host }),
      rules: { ...liveness, intervalMs },
      isUnacknowledged: () => this.#order.wire.isUnacknowledged(),
      report: pings.report,
      progress: () => (this.#takesKept ? pings.progress() : []),
      hostId: () => this.#hostId(),
      request: (ping, timeoutMs) => link.request([ping], this.#header(FLAG.stopOnError), timeoutMs),
      onRoundTrip: ms => meters.pingSeconds.observe({}, ms / 1_000),
      onPingAnswer: answer => this.#onPingAnswer(answer),
      onSuspect: silentMs => {
        // A link that is not Ready yet carries nothing that is worth keeping it for.
        if (this.#phase !== 'ready') this.#fail(new Error(`silent for ${Math.round(silentMs)} ms`));
        else this.#parts.onEvent({ kind: 'suspect', id, silentMs });
      },
      onCleared: () => this.#parts.onEvent({ kind: 'heard', id }),
      onGiveUp: unanswered => this.#fail(new Error(`${unanswered} pings were not answered`), 'silent'),
    });
  }

  #onPingAnswer({ avoidMsList, muster, sendStartup }: ReturnType<typeof PingAnswer.decode>): void {
    const { id } = this.#order;
    const spreadMs = muster?.spreadMs;
    if (avoidMsList !== undefined || spreadMs !== undefined) {
      const update = {
        avoid: avoidMsList && readAvoidList(avoidMsList),
        spreadMs: spreadMs && boundedSpread(spreadMs),
      };
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

  #fail(error: unknown, end: LinkEnd = 'failed'): void {
    if (this.#phase === 'ended') return;
    const why = plainReason(error, this.#credentials.hasCertificate);
    const isEnrolled = this.#hasEnrolled;
    const refusal = isEnrolled ? undefined : this.#refusalIn(error);
    if (refusal !== undefined) this.#parts.onRefused(this.#credentials, why, refusal);
    const wasReady = this.#phase === 'ready';
    this.#end();
    this.#link?.close(why);
    if (wasReady) {
      this.#onFailure({ kind: 'lost', why, how: end });
    } else {
      const how = isEnrolled ? 'enrolled' : error instanceof RefusedError ? 'agent-refused' : 'other';
      this.#onFailure({ kind: 'failed', why, how });
    }
  }

  #closed(reason: CloseReason): Error {
    const why = describeClose(reason);
    if (reason.kind !== 'peer' || this.#phase !== 'registering' || this.#isAnswered) return new Error(why);
    const { token, hasCertificate } = this.#credentials;
    const perhaps = hasCertificate ? MAY_REFUSE_CERTIFICATE : token === undefined ? MAY_NEED_ONE : MAY_REFUSE_TOKEN;
    return new UnansweredError(`${why} without an answer to Startup: ${perhaps}`);
  }

  /** Whether a failure before Ready is the server's answer to these credentials. */
  #refusalIn(error: unknown): Refusal | undefined {
    const { token, hasCertificate } = this.#credentials;
    if (this.#phase !== 'registering' || this.#isAnswered) return undefined;
    if (error instanceof StartupRefusedError && hasCertificate) return 'unsaid';
    if (error instanceof RefusedError) return token === undefined ? undefined : 'certain';
    if (error instanceof UnansweredError || isAboutCertificates(error)) return 'certain';
    return hasCertificate && mayBeAboutCertificates(error) ? 'possible' : undefined;
  }

  #end(): void {
    this.#phase = 'ended';
    this.#deadline?.cancel();
    this.quiesce();
    this.#served.clear();
    this.#abort.abort(new Error('the link has ended'));
    this.#parts.keptAnswers?.linkEnded(this.#order.id);
    if (this.#link === undefined) this.#order.wire.destroy();
  }
}

/** Without what the server has not said. */
function known({ hostId, hostUuid, hostName }: HostIdentity): HostIdentity {
  return { hostId, ...(hostUuid && { hostUuid }), ...(hostName && { hostName }) };
}
