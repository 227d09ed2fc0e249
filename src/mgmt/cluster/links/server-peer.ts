import { fullJitter } from '../../../lib/backoff.js';
import type { Clock, Timer } from '../../../lib/clock.js';
import { reasonOf } from '../../../lib/errors.js';
import type { Log } from '../../../lib/logger.js';
import type { Random } from '../../../lib/random.js';
import { peerText } from '../../../lib/text/peer-text.js';
import { VERSION } from '../../../lib/version.js';
import {
  CancelCommand,
  isRequest,
  LookAtJobsCommand,
  type Message,
  type RawPacket,
  ServerLinkAnswer,
  ServerLinkCommand,
} from '../../../protocol/index.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import { AskedRequests } from './asked-requests.js';
import { type LinkEffect, type LinkEvent, type LinkState, next } from './link-state.js';
import { RequestServer } from './request-server.js';
import type { ServerConnection } from './server-connection.js';
import type { NoAnswer, RequestSignals, ServerReply, ServerRequest } from './server-request.js';

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

/** One other server: the link to it, what it was asked, and what it asks. */
export class ServerPeer {
  readonly msid: number;
  readonly #parts: ServerPeerParts;
  #state: LinkState<ServerConnection> = { kind: 'idle' };
  #dial = new AbortController();
  /** Until the next dial, or for the answer to a greeting. */
  #timer: Timer | undefined;
  #areJobsToTell = false;
  readonly #asked: AskedRequests;
  readonly #served: RequestServer;

  constructor(msid: number, parts: ServerPeerParts) {
    this.msid = msid;
    this.#parts = parts;
    const { clock, random, msid: ownMsid, handlers } = parts;
    const open = () => (this.#state.kind === 'open' ? this.#state : undefined);
    this.#asked = new AskedRequests(msid, { clock, random, msid: ownMsid, open, onNeed: () => this.need() });
    this.#served = new RequestServer({
      clock,
      msid: ownMsid,
      serve: (request, signals) => handlers.serve(request, msid, signals),
      link: () => open()?.link,
    });
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
  request(request: ServerRequest, signals: RequestSignals): Promise<ServerReply> {
    return this.#asked.ask(request, signals);
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
    if (isRequest(packet)) this.#served.serve(packet);
    else this.#asked.answered(packet.sequence, packet.body);
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
    this.#asked.gone(why);
    // It is kept which ones came: the peer may live all the same, and send them again.
    this.cancelServed(why);
  }

  /** Its heartbeat has not changed for a while: without a link, too, nobody expects an answer. */
  silent(): void {
    this.#asked.silent();
  }

  /** What the peer has asked is taken back; the peer is told. */
  cancelServed(why: string): void {
    this.#served.cancelAll(why);
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
        this.#asked.lost();
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
    connection.raiseLimits();
    this.#served.opened(runId);
    this.#asked.opened(runId);
    this.#sendNotice();
  }

  #sendNotice(): void {
    if (!this.#areJobsToTell || this.#state.kind !== 'open') return;
    this.#areJobsToTell = false;
    this.#state.link.control(LookAtJobsCommand.encode({}));
  }

  /** It takes back what the peer has asked, or tells that the peer cannot do what it was asked. */
  #receiveCancel(message: Message): void {
    const { sequence, reason = '', muster } = CancelCommand.decode(message);
    if (sequence === undefined) return;
    if (muster === undefined || muster.isRecall === true) {
      const how = muster === undefined ? 'signal' : 'recall';
      this.#served.cancel(BigInt(sequence), how, peerText(reason));
      return;
    }
    const { isSent = true, isRepeatable, isFinal } = muster;
    const reply: NoAnswer = isSent
      ? { kind: 'lost', reason: peerText(reason), isRepeatable }
      : { kind: 'notSent', reason: peerText(reason), ...(isFinal !== undefined && { isFinal }) };
    this.#asked.refused(BigInt(sequence), reply);
  }
}
