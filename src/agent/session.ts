import ipaddr from 'ipaddr.js';
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
  PingAnswer,
  PingRoutingCommand,
  type RequestHeader,
  ShutdownCommand,
  StartupAnswer,
  StartupRoutingCommand,
} from '../protocol/index.js';
import type { AgentEvent, HostUpdate } from './agent-state.js';
import type { Dialer, Wire } from './dialer.js';
import type { Consequence, HostIdentity } from './handlers/handler.js';
import { spelledAsListed } from './handlers/host-list.js';
import { failed, handleRequest, unsupported } from './handlers/index.js';
import { type Connection, isUnacknowledged } from './kernel-tcp.js';
import { type Liveness, type LivenessEvent, type LivenessRules, nextLook, observe, startLiveness } from './liveness.js';
import type { Resource } from './resource.js';
import type { Trust } from './trust.js';

export type StartupFields = Parameters<typeof StartupRoutingCommand.encode>[0];

/** What all sessions of an agent share. */
export interface SessionParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly dialer: Dialer;
  readonly trust: Trust;
  readonly resource: Resource;
  readonly port: number;
  readonly handshakeTimeoutMs: number;
  readonly liveness: Omit<LivenessRules, 'intervalMs'>;
  /** Goes on counting over links, until the process ends. */
  nextSequence(): bigint;
  hostId(): number | undefined;
  startupFields(): Promise<StartupFields>;
  canMigrate(update: HostUpdate): boolean;
  onIdentity(identity: HostIdentity): void;
  onEvent(event: AgentEvent): void;
}

export interface SessionOrder {
  readonly id: number;
  readonly host: string;
  readonly transferred: boolean;
  /** The remote address that the dial must not reach: that of the link it is to replace. */
  readonly unlike: string | undefined;
}

/** The server wants nothing to do with this agent. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** Two names of one server. */
class SameServerError extends Error {
  override readonly name = 'SameServerError';
}

/** Before a link that a newer one replaces is closed, its commands have this long to be answered. */
const RETIRE_MS = 30_000;
/** A timer that fires so late tells of a process that stood still: what came meanwhile is read before anyone is judged. */
const STALL_MS = 1_000;

/**
 * One dial and the link that comes of it: connect, TLS, Startup, Ready, then commands and pings until it ends.
 *
 *     dialling ─▶ registering ─Ready─▶ ready ─▶ ended
 */
export class Session {
  readonly id: number;
  readonly #order: SessionOrder;
  readonly #world: SessionParts;
  readonly #abort = new AbortController();
  #phase: 'dialling' | 'registering' | 'ready' | 'ended' = 'dialling';
  #link: Link | undefined;
  #connection: Connection | undefined;
  #deadline: Timer | undefined;
  #liveness: { state: Liveness; rules: LivenessRules; timer: Timer } | undefined;
  /** Of the last ping that was answered; the next one tells the server. */
  #roundTripMs: number | undefined;
  #commandsInProgress = 0;
  #onIdle: (() => void) | undefined;

  constructor(order: SessionOrder, world: SessionParts) {
    this.id = order.id;
    this.#order = order;
    this.#world = world;
  }

  start(): void {
    this.#run().catch(error => this.#fail(error));
  }

  get remoteAddress(): string | undefined {
    return this.#connection?.remoteAddress;
  }

  get busy(): boolean {
    return this.#commandsInProgress > 0;
  }

  /** Ends it at once, without an event. */
  drop(why: string): void {
    this.#end();
    this.#link?.destroy(why);
  }

  /** Ends it by FIN once its commands are answered, without an event. */
  async retire(): Promise<void> {
    this.quiesce();
    if (this.busy) {
      await Promise.race([
        new Promise<void>(resolve => {
          this.#onIdle = resolve;
        }),
        delay(this.#world.clock, RETIRE_MS, this.#abort.signal),
      ]);
    }
    this.#end();
    this.#link?.close('a newer link has replaced it');
  }

  /** No more pings. */
  quiesce(): void {
    this.#liveness?.timer.cancel();
    this.#liveness = undefined;
  }

  /** Tells the server that this agent goes, and ends the link. */
  shutDown(): void {
    const link = this.#link;
    const isReady = this.#phase === 'ready';
    this.#end();
    if (link === undefined) return;
    if (isReady && !link.closed) {
      const flags = FLAG.stopOnError | FLAG.inSequence;
      link.post([ShutdownCommand.encode({ reason: 'sig.kill' })], this.#header(flags));
    }
    link.close('the agent stops');
  }

  // ---- connect, TLS, Startup

  async #run(): Promise<void> {
    const { clock, trust, handshakeTimeoutMs } = this.#world;
    const wire = await this.#connect();
    if (this.#abort.signal.aborted) {
      wire.socket.destroy();
      return;
    }
    this.#connection = {
      localAddress: wire.local.address,
      localPort: wire.local.port,
      remoteAddress: wire.remote.address,
      remotePort: wire.remote.port,
    };
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
    await this.#register(new Link(transport, { clock, nextSequence: () => this.#world.nextSequence() }));
  }

  /** Name lookup and TCP, within `LIMITS.connectMs` together. */
  async #connect(): Promise<Wire> {
    const { clock, dialer, port } = this.#world;
    const { host, unlike } = this.#order;
    const timeout = new AbortController();
    const giveUp = () => timeout.abort(this.#abort.signal.reason);
    this.#abort.signal.addEventListener('abort', giveUp, { once: true });
    const timer = clock.after(LIMITS.connectMs, () =>
      timeout.abort(new Error(`no connection within ${LIMITS.connectMs} ms`)),
    );
    try {
      const addresses = await Promise.race([dialer.addresses(host), rejectOn(timeout.signal)]);
      if (addresses.some(address => isSameAddress(address, unlike))) throw new SameServerError();
      return await dialer.connect(addresses, port, timeout.signal);
    } finally {
      timer.cancel();
      this.#abort.signal.removeEventListener('abort', giveUp);
    }
  }

  async #register(link: Link): Promise<void> {
    this.#link = link;
    this.#phase = 'registering';
    link.start({
      onRequest: request => this.#onRequest(request),
      onUnreadable: (header, error) => {
        this.#observe({ kind: 'heard' });
        link.answer(header, [unsupported(error.message)]);
      },
      onClose: reason => this.#fail(new Error(describeClose(reason))),
    });
    this.#within(LIMITS.startupAnswerMs, 'the resource did not describe this machine');
    const fields = await this.#world.startupFields();
    this.#deadline?.cancel();
    const startup = StartupRoutingCommand.encode({ ...fields, connectionTransferred: this.#order.transferred });
    const answer = await link.request([startup], this.#header(0), LIMITS.startupAnswerMs);
    if (this.#isEnded()) return;
    this.#onStartupAnswer(answer.messages[0]);
  }

  #onStartupAnswer(message: Message | undefined): void {
    if (message?.type !== StartupAnswer.type) {
      throw new RefusedError(`Startup was answered by ${message?.type ?? 'nothing'}`);
    }
    const answer = StartupAnswer.decode(message);
    if (!answer.result) throw new RefusedError(answer.details ?? 'Startup was refused without a reason');
    const { hostId, hostUuid, hostName } = answer;
    // A Java server says 0 here, and the real id in Ready.
    if (hostId > 0) this.#world.onIdentity({ hostId, hostUuid, hostName });
    if (answer.pingInterval > 0) this.#startLiveness(answer.pingInterval * 1000);
    if (this.#phase === 'registering') this.#within(LIMITS.readyMs, 'the server was not ready');
  }

  #within(ms: number, otherwise: string): void {
    this.#deadline = this.#world.clock.after(ms, () => this.#fail(new Error(`${otherwise} within ${ms / 1000} s`)));
  }

  // ---- commands

  async #onRequest(request: Packet): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    this.#observe({ kind: 'heard' });
    this.#commandsInProgress++;
    const { answers, consequences } = await handleRequest(request, {
      resource: this.#world.resource,
      signal: this.#abort.signal,
      canMigrate: update => this.#world.canMigrate(update),
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
      // What a resource made cannot be written as JSON.
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
        if (consequence.objection !== undefined) {
          const { objection } = consequence;
          this.#world.log.error('Going on with the list that is known', { host: this.#order.host, reason: objection });
        }
        this.#world.onIdentity(consequence.identity);
        this.#world.onEvent({ kind: 'ready', id, update: consequence.update });
        return;
      case 'update':
      case 'migrate':
      case 'shutdown':
        this.#world.onEvent({ ...consequence, id });
        return;
    }
  }

  // ---- pings

  #startLiveness(intervalMs: number): void {
    const rules = { ...this.#world.liveness, intervalMs };
    const state = startLiveness(this.#world.clock.now(), rules);
    this.#liveness = { state, rules, timer: this.#lookAt(nextLook(state)) };
  }

  #lookAt(due: number): Timer {
    const { clock } = this.#world;
    return clock.after(due - clock.now(), () => {
      const look = () => this.#observe({ kind: 'tick' });
      if (clock.now() - due < STALL_MS || !this.#liveness) look();
      else this.#liveness.timer = clock.after(1, look);
    });
  }

  #observe(event: LivenessEvent): void {
    const liveness = this.#liveness;
    if (liveness === undefined) return;
    const { clock } = this.#world;
    const { liveness: state, effects } = observe(liveness.state, event, clock.now(), liveness.rules);
    liveness.state = state;
    liveness.timer.cancel();
    liveness.timer = this.#lookAt(nextLook(state));
    const { id } = this;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'ping':
          this.#ping(liveness.rules);
          break;
        case 'ask-kernel':
          this.#askKernel();
          break;
        case 'suspect':
          // Without a Ready link there is nothing to keep.
          if (this.#phase !== 'ready') this.#fail(new Error(`silent for ${Math.round(effect.silentMs)} ms`));
          else this.#world.onEvent({ kind: 'suspect', id, silentMs: effect.silentMs });
          break;
        case 'cleared':
          this.#world.onEvent({ kind: 'heard', id });
          break;
        case 'give-up':
          this.#fail(new Error(`${effect.unanswered} pings were not answered`));
          break;
      }
    }
  }

  #ping({ intervalMs, retries }: LivenessRules): void {
    const hostId = this.#world.hostId() ?? 0;
    const ping = PingRoutingCommand.encode({
      _hostVmStateReport: {},
      _gatewayAccessible: true,
      _vnetAccessible: true,
      hostType: 'Routing',
      hostId,
      commandInfos: [],
      roundTripMs: this.#roundTripMs,
    });
    const sentAt = this.#world.clock.now();
    this.#link?.request([ping], this.#header(FLAG.stopOnError), intervalMs * (retries + 1)).then(
      answer => {
        this.#roundTripMs = Math.round(this.#world.clock.now() - sentAt);
        this.#onPingAnswer(answer);
      },
      // Unanswered pings are the liveness rules' business.
      () => {},
    );
  }

  #onPingAnswer({ messages: [message] }: Packet): void {
    if (this.#isEnded()) return;
    this.#observe({ kind: 'ping-answered' });
    if (message === undefined || !PingAnswer.is(message)) return;
    let answer: ReturnType<typeof PingAnswer.decode>;
    try {
      answer = PingAnswer.decode(message);
    } catch (error) {
      this.#world.log.warn('Cannot read a PingAnswer', { host: this.#order.host, reason: reasonOf(error) });
      return;
    }
    const { id } = this;
    if (answer.avoidMsList) {
      this.#world.onEvent({
        kind: 'update',
        id,
        update: { avoid: answer.avoidMsList.map(spelledAsListed) },
        checkNow: false,
      });
    }
    if (answer.sendStartup) this.#world.onEvent({ kind: 'send-startup', id });
  }

  async #askKernel(): Promise<void> {
    if (this.#connection && (await isUnacknowledged(this.#connection))) this.#observe({ kind: 'unacknowledged' });
  }

  // ---- the end

  #header(flags: number): RequestHeader {
    const id = BigInt(this.#world.hostId() ?? -1);
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
    if (wasReady) this.#world.onEvent({ kind: 'lost', id, why: reasonOf(error) });
    else if (error instanceof SameServerError) this.#world.onEvent({ kind: 'same-server', id });
    else {
      const refused = error instanceof RefusedError;
      this.#world.onEvent({ kind: 'dial-failed', id, why: reasonOf(error), refused });
    }
  }

  #end(): void {
    this.#phase = 'ended';
    this.#deadline?.cancel();
    this.quiesce();
    this.#abort.abort(new Error('the link has ended'));
  }
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** An IPv4 address is also its IPv6-mapped form. */
function isSameAddress(address: string, other: string | undefined): boolean {
  if (other === undefined || !ipaddr.isValid(address) || !ipaddr.isValid(other)) return address === other;
  return ipaddr.process(address).toNormalizedString() === ipaddr.process(other).toNormalizedString();
}
