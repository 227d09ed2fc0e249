import type { Clock } from '../../../lib/clock.js';
import { encodeRawPacket, FLAG, type RawPacket } from '../../../protocol/index.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import { ServedRequests } from './served-requests.js';
import type { ServerConnection } from './server-connection.js';
import {
  type NoAnswer,
  noAnswerPacket,
  type RequestSignals,
  type ServerReply,
  type ServerRequest,
} from './server-request.js';

export interface RequestServerParts {
  readonly clock: Clock;
  /** This server's. */
  readonly msid: number;
  /** Sends commands of the other server to an agent of this one. Never rejects. */
  serve(request: ServerRequest, signals: RequestSignals): Promise<ServerReply>;
  /** The link to the other server, while it is open. */
  link(): ServerConnection | undefined;
}

/** Carries out what one other server asks, and replies over whatever link there is then. */
export class RequestServer {
  readonly #parts: RequestServerParts;
  readonly #msid: bigint;
  /** The process of the other server whose requests these are. */
  #served: { readonly runId: string; readonly requests: ServedRequests } | undefined;

  constructor(parts: RequestServerParts) {
    this.#parts = parts;
    this.#msid = BigInt(parts.msid);
  }

  /** There is a link to this process of the other server. */
  opened(runId: string): void {
    if (this.#served?.runId === runId) return;
    this.#served?.requests.cancelAll('the server that has asked was started anew');
    this.#served = { runId, requests: new ServedRequests() };
  }

  serve(packet: RawPacket): void {
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

  /** The other server takes a request back, by which of `RequestSignals`. */
  cancel(sequence: bigint, how: keyof RequestSignals, why: string): void {
    const found = this.#served?.requests.cancel(sequence, how, why);
    if (found === 'new') this.#cannot(sequence, { kind: 'notSent', reason: 'taken back before it came' });
  }

  /** Takes back all that the other server has asked, and tells it. */
  cancelAll(why: string): void {
    this.#served?.requests.cancelAll(why);
  }

  async #carryOut(packet: RawPacket, requests: ServedRequests, signals: RequestSignals): Promise<void> {
    const { clock, serve } = this.#parts;
    const { version, sequence, flags, mgmtId, agentId, via, body } = packet;
    const request = { hostId: Number(agentId), flags: flags & ~(FLAG.request | FLAG.fromServer), body };
    const reply = await serve(request, signals);
    const ownFlags = flags & (FLAG.stopOnError | FLAG.inSequence);
    const bytes =
      reply.kind === 'answered'
        ? encodeRawPacket({ version, flags: ownFlags, sequence, mgmtId, agentId, via, body: reply.body })
        : noAnswerPacket(sequence, reply, this.#msid);
    requests.answered(sequence, bytes, clock.now());
    if (this.#served?.requests === requests) this.#reply(bytes);
  }

  #cannot(sequence: bigint, reply: NoAnswer): void {
    this.#reply(noAnswerPacket(sequence, reply, this.#msid));
  }

  /** Without a link the other server asks again when there is one. */
  #reply(packet: Buffer): void {
    const link = this.#parts.link();
    link?.send(packet);
    if (link?.isFull) link.destroy('the other server does not read');
  }
}
