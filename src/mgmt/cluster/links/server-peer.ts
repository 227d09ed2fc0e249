import { fullJitter } from '../../../lib/backoff.js';
import type { Clock, Timer } from '../../../lib/clock.js';
import { reasonOf } from '../../../lib/errors.js';
import type { Log } from '../../../lib/logger.js';
import type { Random } from '../../../lib/random.js';
import { peerText } from '../../../lib/text/peer-text.js';
import { VERSION } from '../../../lib/version.js';
import {
  CancelCommand,
  encodeRawPacket,
  FLAG,
  isRequest,
  LookAtJobsCommand,
  type Message,
  type RawBody,
  type RawPacket,
  ServerLinkAnswer,
  ServerLinkCommand,
} from '../../../protocol/index.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import { type LinkEffect, type LinkEvent, type LinkState, next } from './link-state.js';
import { ServedRequests } from './served-requests.js';
import { controlPacket, type ServerConnection } from './server-connection.js';

/** What became of commands that another server was asked to send. */
export type ServerReply =
  /** The agent's answer, as it came. */
  | { readonly kind: 'answered'; readonly body: RawBody }
  /** The agent has not got them. `isFinal`: nor is it of use to ask again. */
  | { readonly kind: 'notSent'; readonly reason: string; readonly isFinal?: boolean }
  /** The agent may have carried them out. `isRepeatable`: whether it carries out an id once; undefined: not known. */
  | { readonly kind: 'lost'; readonly reason: string; readonly isRepeatable: boolean | undefined };

/** Which host commands are for, and how they are sent: bits of `FLAG`. */
export interface ServerRequest {
  readonly hostId: number;
  readonly flags: number;
  readonly body: RawBody;
  /** The caller can ask again elsewhere: without a link it is told soon. Others wait as long as the server lives. */
  readonly hasIds?: boolean;
}

/** How a caller changes its mind. */
export interface RequestSignals {
  /** Nobody waits for the answer any more. Commands that the agent has not got are not sent. */
  readonly signal: AbortSignal;
  /** Likewise, but the answer is waited for if the agent has got them; it is asked to end them. */
  readonly recall: AbortSignal;
}

/** What a server does for another one. */
export interface ServerPeerHandlers {
  /** Sends commands of another server to an agent of this one. Never rejects. */
  serve(request: ServerRequest, from: number, signals: RequestSignals): Promise<ServerReply>;
  /** The store has a job for this server. */
  onJobs(): void;
}

export interface ServerPeerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** This server's. */
  readonly msid: number;
  /** Random, of this process. */
  readonly runId: string;
  readonly handlers: ServerPeerHandlers;
  /** Opens a connection to the server with this msid, and makes sure that it is that one. */
  dial(msid: number, signal: AbortSignal): Promise<ServerConnection>;
}

/** Commands that another server was asked to send. */
interface Pending {
  readonly sequence: bigint;
  readonly hasIds: boolean;
  readonly packet: Buffer;
  /** The process that they were sent to; undefined: they wait for a link. */
  sentTo: string | undefined;
  /** The caller has changed its mind: by which of `RequestSignals`. */
  end: keyof RequestSignals | undefined;
  settle(reply: ServerReply): void;
}

/** One other server: the link to it, what it was asked, and what it asks. */
export class ServerPeer {
  readonly msid: number;
  readonly #parts: ServerPeerParts;
  #state: LinkState<ServerConnection> = { kind: 'idle' };
  #dial = new AbortController();
  /** Until the next dial, or for the answer to a greeting. */
  #timer: Timer | undefined;
  readonly #pending = new Map<bigint, Pending>();
  #pendingBytes = 0;
  #sequence: bigint;
  /** Runs while there is no link, and something waits for one. */
  #patience: Timer | undefined;
  #areJobsToTell = false;
  /** The process whose requests these are. */
  #served: { readonly runId: string; readonly requests: ServedRequests } | undefined;

  constructor(msid: number, parts: ServerPeerParts) {
    this.msid = msid;
    this.#parts = parts;
    // ClusteredAgentAttache.java counts like AgentAttache.java, from a random start.
    this.#sequence = BigInt(parts.random.int(32_767)) << 48n;
  }

  get isOpen(): boolean {
    return this.#state.kind === 'open';
  }

  /** The link is wanted from now on. */
  need(): void {
    this.#step({ kind: 'need' });
  }

  /**
   * Has the server send commands to an agent. Without a link it opens one, and waits for it for `serverOpenMs`. A link that
   * breaks is replaced, and nothing is lost with it: commands with ids wait for that for `serverReopenMs`, others as long as
   * the server lives.
   */
  request(
    { hostId, flags, body, hasIds = false }: ServerRequest,
    { signal, recall }: RequestSignals,
  ): Promise<ServerReply> {
    const isFull =
      this.#pending.size >= MGMT_LIMITS.serverRequests || this.#pendingBytes >= MGMT_LIMITS.serverRequestBytes;
    if (isFull) {
      const reason = `${this.#pending.size} requests wait for their answers from server ${this.msid} already`;
      return Promise.resolve({ kind: 'notSent', reason, isFinal: true });
    }
    const sequence = ++this.#sequence;
    const agentId = BigInt(hostId);
    const packet = encodeRawPacket({
      version: 0,
      flags: flags | FLAG.request | FLAG.fromServer,
      sequence,
      mgmtId: BigInt(this.#parts.msid),
      agentId,
      via: agentId,
      body,
    });
    return new Promise(resolve => {
      let timer: Timer | undefined;
      const takeBack = () => {
        timer = this.#takeBack(sequence);
      };
      const callBack = () => this.#recall(sequence);
      const pending: Pending = {
        sequence,
        packet,
        hasIds,
        sentTo: undefined,
        end: undefined,
        settle: reply => {
          this.#pending.delete(sequence);
          this.#pendingBytes -= packet.length;
          timer?.cancel();
          signal.removeEventListener('abort', takeBack);
          recall.removeEventListener('abort', callBack);
          resolve(reply);
        },
      };
      this.#pending.set(sequence, pending);
      this.#pendingBytes += packet.length;
      signal.addEventListener('abort', takeBack, { once: true });
      recall.addEventListener('abort', callBack, { once: true });
      this.need();
      this.#sendPending(pending);
      this.#bePatient();
      if (signal.aborted) takeBack();
      else if (recall.aborted) callBack();
    });
  }

  /** The store has a job for that server. */
  tellOfJobs(): void {
    this.#areJobsToTell = true;
    this.need();
    this.#sendNotice();
  }

  /** The peer has greeted on a connection that it has opened. */
  offer(connection: ServerConnection, runId: string): void {
    this.#step({ kind: 'offered', link: connection, runId });
  }

  /** A connection that was offered has ended. */
  ended(connection: ServerConnection): void {
    this.#step({ kind: 'ended', link: connection });
  }

  /** What comes over a connection of this peer. */
  receive(connection: ServerConnection, packet: RawPacket): void {
    if (this.#state.kind !== 'open' || this.#state.link !== connection) return;
    if (isRequest(packet)) this.#serve(packet);
    else this.#pending.get(packet.sequence)?.settle({ kind: 'answered', body: packet.body });
  }

  receiveControl(connection: ServerConnection, message: Message): void {
    if (ServerLinkAnswer.is(message)) this.#receiveAnswer(connection, message);
    else if (this.#state.kind !== 'open' || this.#state.link !== connection) return;
    else if (LookAtJobsCommand.is(message)) this.#parts.handlers.onJobs();
    else if (CancelCommand.is(message)) this.#receiveCancel(message);
    else this.#parts.log.debug('Another server has sent what is not known here', { type: peerText(message.type) });
  }

  /** The peer is dead, or this server stops: nothing more is expected of it. */
  gone(why: string): void {
    this.#step({ kind: 'gone' });
    this.#patience?.cancel();
    this.#patience = undefined;
    this.#giveUp(why, 'all');
    // It is kept which ones came: the peer may live all the same, and send them again.
    this.cancelServed(why);
  }

  /** Its heartbeat has not changed for a while: without a link, too, nobody expects an answer. */
  silent(): void {
    if (this.#state.kind !== 'open') this.#giveUp(`server ${this.msid} is silent`, 'all');
  }

  /** What the peer has asked is taken back; the peer is told. */
  cancelServed(why: string): void {
    this.#served?.requests.cancelAll(why);
  }

  #receiveAnswer(connection: ServerConnection, message: Message): void {
    const { result, runId, details } = ServerLinkAnswer.decode(message);
    if (result && runId !== undefined) this.#step({ kind: 'accepted', link: connection, runId });
    else connection.close(`the other server does not want this link: ${peerText(details ?? '')}`);
  }

  #step(event: LinkEvent<ServerConnection>): void {
    const env = { ownMsid: this.#parts.msid, peerMsid: this.msid, now: this.#parts.clock.now() };
    const { state, effects } = next(this.#state, event, env);
    if (state !== this.#state) this.#timer?.cancel();
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: LinkEffect<ServerConnection>): void {
    const { clock, random, log, runId } = this.#parts;
    switch (effect.kind) {
      case 'dial':
        void this.#dialOut();
        break;
      case 'abandon dial':
        this.#dial.abort();
        break;
      case 'greet':
        this.#greet(effect.link);
        break;
      case 'welcome':
        effect.link.control(ServerLinkAnswer.encode({ result: true, runId, version: VERSION }));
        break;
      case 'refuse':
        effect.link.control(ServerLinkAnswer.encode({ result: false, details: effect.why }));
        effect.link.close(effect.why);
        break;
      case 'close':
        effect.link.close(effect.why);
        break;
      case 'probe':
        effect.link.probe();
        break;
      case 'wait': {
        const backoff = { baseMs: MGMT_LIMITS.serverBackoffMs, maxMs: MGMT_LIMITS.serverBackoffAtMostMs };
        this.#timer = clock.after(fullJitter(effect.failures, backoff, random.uniform()), () =>
          this.#step({ kind: 'due' }),
        );
        break;
      }
      case 'opened':
        log.info('Linked to another server', { msid: this.msid, address: effect.link.remote.address });
        this.#opened(effect.link, effect.runId);
        break;
      case 'lost':
        log.info('The link to another server has ended', { msid: this.msid });
        this.#bePatient();
    }
  }

  async #dialOut(): Promise<void> {
    const { log, dial } = this.#parts;
    const attempt = new AbortController();
    this.#dial = attempt;
    let connection: ServerConnection;
    try {
      connection = await dial(this.msid, attempt.signal);
    } catch (error) {
      if (attempt.signal.aborted) return;
      log.debug('Another server cannot be reached', { msid: this.msid, reason: reasonOf(error) });
      this.#step({ kind: 'failed' });
      return;
    }
    if (attempt.signal.aborted) {
      connection.destroy('it is not wanted any more');
      return;
    }
    connection.start({
      onControl: message => this.receiveControl(connection, message),
      onPacket: packet => this.receive(connection, packet),
      onEnd: why => {
        log.debug('A link to another server has ended', { msid: this.msid, reason: why });
        this.ended(connection);
      },
    });
    if (!connection.isOver) this.#step({ kind: 'secured', link: connection });
  }

  #greet(connection: ServerConnection): void {
    const { clock, runId } = this.#parts;
    connection.control(ServerLinkCommand.encode({ runId, version: VERSION }));
    this.#timer = clock.after(MGMT_LIMITS.serverGreetingMs, () =>
      connection.destroy('the other server did not answer the greeting'),
    );
  }

  #opened(connection: ServerConnection, runId: string): void {
    this.#patience?.cancel();
    this.#patience = undefined;
    connection.raiseLimits();
    if (this.#served?.runId !== runId) {
      this.#served?.requests.cancelAll('the server that has asked was started anew');
      this.#served = { runId, requests: new ServedRequests() };
    }
    // In ascending order: the peer knows by it which ones it has had before.
    for (const pending of [...this.#pending.values()]) {
      if (pending.sentTo === undefined || pending.sentTo === runId) this.#sendPending(pending);
      else pending.settle({ kind: 'lost', reason: 'the server of the host was started anew', isRepeatable: undefined });
    }
    this.#sendNotice();
  }

  #sendPending(pending: Pending): void {
    if (this.#state.kind !== 'open') return;
    if (pending.sentTo === undefined && this.#state.link.isFull) {
      pending.settle({ kind: 'notSent', reason: `server ${this.msid} does not read`, isFinal: true });
      return;
    }
    pending.sentTo = this.#state.runId;
    const { link } = this.#state;
    const { sequence, packet, end } = pending;
    if (end === 'signal') link.control(CancelCommand.encode({ sequence, reason: 'taken back' }));
    // Before the commands: of those that have never come it is told so, and they are not sent.
    if (end === 'recall')
      link.control(CancelCommand.encode({ sequence, reason: 'taken back', muster: { isRecall: true } }));
    if (end !== 'signal') link.send(packet);
  }

  #sendNotice(): void {
    if (!this.#areJobsToTell || this.#state.kind !== 'open') return;
    this.#areJobsToTell = false;
    this.#state.link.control(LookAtJobsCommand.encode({}));
  }

  /** Without a link nothing waits for long: the host may be elsewhere by now. */
  #bePatient(): void {
    if (this.#state.kind === 'open' || this.#pending.size === 0 || this.#patience !== undefined) return;
    const reason = `there is no link to server ${this.msid}`;
    this.#patience = this.#parts.clock.after(MGMT_LIMITS.serverOpenMs, () => {
      this.#giveUp(reason, 'what was not sent');
      const restMs = MGMT_LIMITS.serverReopenMs - MGMT_LIMITS.serverOpenMs;
      this.#patience = this.#parts.clock.after(restMs, () => {
        this.#patience = undefined;
        this.#giveUp(reason, 'what has ids');
      });
    });
  }

  #giveUp(reason: string, what: 'what was not sent' | 'what has ids' | 'all'): void {
    for (const { sentTo, hasIds, settle } of [...this.#pending.values()]) {
      if (sentTo === undefined) settle({ kind: 'notSent', reason });
      else if (what === 'all' || (what === 'what has ids' && hasIds))
        settle({ kind: 'lost', reason, isRepeatable: undefined });
    }
  }

  /** The caller does not wait any more: whether the agent has got the commands is asked of the other server, for a while. */
  #takeBack(sequence: bigint): Timer | undefined {
    const pending = this.#pending.get(sequence);
    if (pending?.sentTo === undefined) {
      pending?.settle({ kind: 'notSent', reason: `there is no link to server ${this.msid}` });
      return undefined;
    }
    pending.end = 'signal';
    this.#sendPending(pending);
    return this.#parts.clock.after(MGMT_LIMITS.takeBackMs, () =>
      pending.settle({ kind: 'lost', reason: 'taken back', isRepeatable: undefined }),
    );
  }

  /** Likewise, and the answer of an agent that has got them is waited for. */
  #recall(sequence: bigint): void {
    const pending = this.#pending.get(sequence);
    if (pending?.sentTo === undefined) pending?.settle({ kind: 'notSent', reason: 'taken back before it was sent' });
    else {
      pending.end = 'recall';
      this.#sendPending(pending);
    }
  }

  /** It takes back what the peer has asked, or tells that the peer cannot do what it was asked. */
  #receiveCancel(message: Message): void {
    const { sequence, reason = '', muster } = CancelCommand.decode(message);
    if (sequence === undefined) return;
    if (muster === undefined || muster.isRecall === true) {
      const how = muster === undefined ? 'signal' : 'recall';
      const found = this.#served?.requests.cancel(BigInt(sequence), how, peerText(reason));
      if (found === 'new') this.#cannot(BigInt(sequence), { kind: 'notSent', reason: 'taken back before it came' });
      return;
    }
    const { isSent = true, isRepeatable, isFinal } = muster;
    const settle = this.#pending.get(BigInt(sequence))?.settle;
    if (isSent) settle?.({ kind: 'lost', reason: peerText(reason), isRepeatable });
    else settle?.({ kind: 'notSent', reason: peerText(reason), ...(isFinal !== undefined && { isFinal }) });
  }

  #serve(packet: RawPacket): void {
    const served = this.#served;
    if (served === undefined) return;
    const { sequence } = packet;
    if (served.requests.running >= MGMT_LIMITS.serverRequests) {
      this.#cannot(sequence, { kind: 'notSent', reason: 'too many requests of this server wait', isFinal: true });
      return;
    }
    const arrival = served.requests.arrive(sequence);
    switch (arrival.kind) {
      case 'new':
        void this.#carryOut(packet, served.requests, arrival.signals);
        break;
      case 'answered':
        this.#reply(arrival.packet);
        break;
      case 'forgotten':
        this.#cannot(sequence, { kind: 'lost', reason: 'its answer is not kept any more', isRepeatable: undefined });
        break;
      case 'under way':
    }
  }

  async #carryOut(packet: RawPacket, requests: ServedRequests, signals: RequestSignals): Promise<void> {
    const { clock, handlers } = this.#parts;
    const { version, sequence, flags, mgmtId, agentId, via, body } = packet;
    const request = { hostId: Number(agentId), flags: flags & ~(FLAG.request | FLAG.fromServer), body };
    const reply = await handlers.serve(request, this.msid, signals);
    const ownFlags = flags & (FLAG.stopOnError | FLAG.inSequence);
    const bytes =
      reply.kind === 'answered'
        ? encodeRawPacket({ version, flags: ownFlags, sequence, mgmtId, agentId, via, body: reply.body })
        : this.#cancelPacket(sequence, reply);
    requests.answered(sequence, bytes, clock.now());
    if (this.#served?.requests === requests) this.#reply(bytes);
  }

  #cannot(sequence: bigint, reply: Exclude<ServerReply, { kind: 'answered' }>): void {
    this.#reply(this.#cancelPacket(sequence, reply));
  }

  #cancelPacket(sequence: bigint, reply: Exclude<ServerReply, { kind: 'answered' }>): Buffer {
    const muster =
      reply.kind === 'lost'
        ? { isSent: true, isRepeatable: reply.isRepeatable }
        : { isSent: false, isFinal: reply.isFinal };
    return controlPacket(CancelCommand.encode({ sequence, reason: reply.reason, muster }), BigInt(this.#parts.msid));
  }

  /** Without a link the peer asks again when there is one. */
  #reply(packet: Buffer): void {
    if (this.#state.kind !== 'open') return;
    const { link } = this.#state;
    link.send(packet);
    if (link.isFull) link.destroy('the other server does not read');
  }
}
