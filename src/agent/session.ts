import ipaddr from 'ipaddr.js';
import { untilAborted } from '../lib/abort.js';
import { type Clock, delay, type Timer } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import {
  connectTls,
  describeClose,
  FLAG,
  LIMITS,
  Link,
  type Message,
  type Packet,
  type PingAnswer,
  type RequestHeader,
  ShutdownCommand,
  StartupAnswer,
  StartupRoutingCommand,
} from '../protocol/index.js';
import type { AgentEvent, HostUpdate } from './agent-events.js';
import type { Dialer, Wire } from './dialer.js';
import type { Consequence, HostIdentity } from './handlers/handler.js';
import { spelledAsListed } from './handlers/host-list.js';
import { failed, handleRequest, unsupported } from './handlers/index.js';
import type { Connection } from './kernel-tcp.js';
import type { LivenessRules } from './liveness.js';
import { LivenessWatch } from './liveness-watch.js';
import type { Resource } from './resource.js';
import type { Trust } from './trust.js';

/** The fields of the Startup that a session sends, except `connectionTransferred`. */
export type StartupFields = Parameters<typeof StartupRoutingCommand.encode>[0];

/** What a session is made of. All sessions of an agent share most of it. */
export interface SessionParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly trust: Trust;
  readonly resource: Resource;
  readonly port: number;
  readonly handshakeTimeoutMs: number;
  /** The interval comes from the server. */
  readonly liveness: Omit<LivenessRules, 'intervalMs'>;
  /** Counts over all links of the agent. */
  nextSequence(): bigint;
  /** Undefined while no server has given one. */
  hostId(): number | undefined;
  startupFields(): Promise<StartupFields>;
  /** Whether a migration with this update has a host to go to. */
  canMigrate(update: HostUpdate): boolean;
  onIdentity(identity: HostIdentity): void;
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
}

/** The server has refused this agent. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** The host is another name of the server that must not be reached. */
class SameServerError extends Error {
  override readonly name = 'SameServerError';
}

/** Of what cannot be used of a command, so many points are logged. */
const OBJECTIONS_SAID = 3;

/** How long a link that a newer one replaces waits for the answers to its commands. */
const RETIRE_MS = 30_000;

/**
 * One dial and the link that comes of it: connect, TLS, Startup, Ready, then commands and pings until the link ends.
 *
 *     dialling ─▶ registering ─Ready─▶ ready ─▶ ended
 */
export class Session {
  readonly id: number;
  readonly #order: SessionOrder;
  readonly #parts: SessionParts;
  readonly #abort = new AbortController();
  #phase: 'dialling' | 'registering' | 'ready' | 'ended' = 'dialling';
  #link: Link | undefined;
  #remoteAddress: string | undefined;
  #deadline: Timer | undefined;
  #liveness: LivenessWatch | undefined;
  #commandsInProgress = 0;
  #onIdle: (() => void) | undefined;

  constructor(order: SessionOrder, parts: SessionParts) {
    this.id = order.id;
    this.#order = order;
    this.#parts = parts;
  }

  start(): void {
    this.#run().catch(error => this.#fail(error));
  }

  get remoteAddress(): string | undefined {
    return this.#remoteAddress;
  }

  get busy(): boolean {
    return this.#commandsInProgress > 0;
  }

  /** Ends the session at once, without an event. */
  drop(why: string): void {
    this.#end();
    this.#link?.destroy(why);
  }

  /** Ends the session with a FIN, once its commands are answered or 30 s have passed. Causes no event. */
  async retire(): Promise<void> {
    this.quiesce();
    if (this.busy) {
      await Promise.race([
        new Promise<void>(resolve => {
          this.#onIdle = resolve;
        }),
        delay(this.#parts.clock, RETIRE_MS, this.#abort.signal),
      ]);
    }
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

  async #run(): Promise<void> {
    const { clock, trust, handshakeTimeoutMs } = this.#parts;
    const wire = await this.#connect();
    if (this.#abort.signal.aborted) {
      wire.socket.destroy();
      return;
    }
    const connection = {
      localAddress: wire.local.address,
      localPort: wire.local.port,
      remoteAddress: wire.remote.address,
      remotePort: wire.remote.port,
    };
    this.#remoteAddress = wire.remote.address;
    const destroy = () => wire.socket.destroy();
    this.#abort.signal.addEventListener('abort', destroy, { once: true });
    const transport = await connectTls(wire.socket, {
      clock,
      context: trust.context,
      handshakeTimeoutMs,
      remote: wire.remote,
      host: this.#order.host,
      judge: peer => trust.judge(peer),
    });
    this.#abort.signal.removeEventListener('abort', destroy);
    if (this.#abort.signal.aborted) {
      transport.destroy();
      return;
    }
    const link = new Link(transport, { clock, nextSequence: () => this.#parts.nextSequence() });
    await this.#register(link, connection);
  }

  /** Looks up the host and connects, within `LIMITS.connectMs` for both. */
  async #connect(): Promise<Wire> {
    const { clock, dialer, port } = this.#parts;
    const { host, unlike } = this.#order;
    const timeout = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, timeout.signal]);
    const timer = clock.after(LIMITS.connectMs, () =>
      timeout.abort(new Error(`no connection within ${LIMITS.connectMs} ms`)),
    );
    try {
      const addresses = await untilAborted(dialer.addresses(host), signal);
      if (addresses.some(address => isSameAddress(address, unlike))) throw new SameServerError();
      return await dialer.connect(addresses, port, signal);
    } finally {
      timer.cancel();
    }
  }

  async #register(link: Link, connection: Connection): Promise<void> {
    this.#link = link;
    this.#phase = 'registering';
    link.start({
      onRequest: request => void this.#onRequest(request).catch(error => this.#fail(error)),
      onUnreadable: (header, error) => {
        this.#liveness?.heard();
        link.answer(header, [unsupported(error.message)]);
      },
      onClose: reason => this.#fail(new Error(describeClose(reason))),
    });
    this.#within(LIMITS.startupAnswerMs, 'the resource did not describe this machine');
    const fields = await this.#parts.startupFields();
    this.#deadline?.cancel();
    const startup = StartupRoutingCommand.encode({ ...fields, connectionTransferred: this.#order.transferred });
    const answer = await link.request([startup], this.#header(0), LIMITS.startupAnswerMs);
    if (this.#isEnded()) return;
    const pingIntervalMs = this.#onStartupAnswer(answer.messages[0]);
    if (pingIntervalMs > 0) this.#startLiveness(link, connection, pingIntervalMs);
    if (this.#phase === 'registering') this.#within(LIMITS.readyMs, 'the server was not ready');
  }

  /** @returns the server's ping interval in milliseconds; 0 for none */
  #onStartupAnswer(message: Message | undefined): number {
    if (message?.type !== StartupAnswer.type) {
      throw new RefusedError(`Startup was answered by ${message?.type ?? 'nothing'}`);
    }
    const answer = StartupAnswer.decode(message);
    if (!answer.result) throw new RefusedError(answer.details ?? 'Startup was refused without a reason');
    const { hostId, hostUuid, hostName } = answer;
    // CloudStack's server sends 0 here, and the real id in Ready.
    if (hostId > 0) this.#parts.onIdentity({ hostId, hostUuid, hostName });
    return answer.pingInterval * 1000;
  }

  #within(ms: number, otherwise: string): void {
    this.#deadline = this.#parts.clock.after(ms, () => this.#fail(new Error(`${otherwise} within ${ms / 1000} s`)));
  }

  // ---- commands

  async #onRequest(request: Packet): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    this.#liveness?.heard();
    this.#commandsInProgress++;
    const { answers, consequences } = await handleRequest(request, {
      resource: this.#parts.resource,
      signal: this.#abort.signal,
      canMigrate: update => this.#parts.canMigrate(update),
    });
    this.#commandsInProgress--;
    this.#answer(link, request, answers);
    for (const consequence of consequences) this.#onConsequence(consequence);
    if (!this.busy) this.#onIdle?.();
  }

  #answer(link: Link, request: Packet, answers: readonly Message[]): void {
    // With sequence −1 nobody waits for an answer.
    if (request.sequence < 0n) return;
    try {
      link.answer(request, answers);
    } catch (error) {
      // The resource has returned a value that JSON cannot represent.
      link.answer(
        request,
        answers.map(() => failed(reasonOf(error))),
      );
    }
  }

  #onConsequence(consequence: Consequence): void {
    if (this.#isEnded()) return;
    const { id } = this;
    switch (consequence.kind) {
      case 'refused':
        this.#fail(new RefusedError(consequence.why));
        return;
      case 'ready':
        this.#deadline?.cancel();
        this.#phase = 'ready';
        this.#link?.raiseLimits();
        this.#sayNotUsed(consequence.objections);
        this.#parts.onIdentity(consequence.identity);
        this.#parts.onEvent({ kind: 'ready', id, update: consequence.update });
        return;
      case 'update':
      case 'migrate':
        this.#sayNotUsed(consequence.objections);
        this.#parts.onEvent({ ...consequence, id });
        return;
      case 'shutdown':
        this.#parts.onEvent({ ...consequence, id });
        return;
    }
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
    const { clock, log, liveness } = this.#parts;
    this.#liveness = new LivenessWatch({
      clock,
      log: log.child({ host: this.#order.host }),
      rules: { ...liveness, intervalMs },
      connection,
      hostId: () => this.#parts.hostId(),
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
      const update = { avoid: avoidMsList.map(spelledAsListed) };
      this.#parts.onEvent({ kind: 'update', id, update, checkNow: false });
    }
    if (sendStartup) this.#parts.onEvent({ kind: 'send-startup', id });
  }

  // ---- the end

  #header(flags: number): RequestHeader {
    const id = BigInt(this.#parts.hostId() ?? -1);
    return { flags, mgmtId: -1n, agentId: id, via: id };
  }

  #isEnded(): boolean {
    return this.#phase === 'ended';
  }

  #fail(error: unknown): void {
    if (this.#isEnded()) return;
    const wasReady = this.#phase === 'ready';
    this.#end();
    this.#link?.close(reasonOf(error));
    const { id } = this;
    if (wasReady) this.#parts.onEvent({ kind: 'lost', id, why: reasonOf(error) });
    else if (error instanceof SameServerError) this.#parts.onEvent({ kind: 'same-server', id });
    else {
      const refused = error instanceof RefusedError;
      this.#parts.onEvent({ kind: 'dial-failed', id, why: reasonOf(error), refused });
    }
  }

  #end(): void {
    this.#phase = 'ended';
    this.#deadline?.cancel();
    this.quiesce();
    this.#abort.abort(new Error('the link has ended'));
  }
}

/** Compares addresses. An IPv4 address equals its IPv6-mapped form. */
function isSameAddress(address: string, other: string | undefined): boolean {
  if (other === undefined || !ipaddr.isValid(address) || !ipaddr.isValid(other)) return address === other;
  return ipaddr.process(address).toNormalizedString() === ipaddr.process(other).toNormalizedString();
}
