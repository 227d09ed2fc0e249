import type { Clock, Timer } from '../../../lib/clock.js';
import type { Random } from '../../../lib/random.js';
import { CancelCommand, encodeRawPacket, FLAG, type RawBody } from '../../../protocol/index.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import type { ServerConnection } from './server-connection.js';
import type { NoAnswer, RequestSignals, ServerReply, ServerRequest } from './server-request.js';

export interface AskedRequestsParts {
  readonly clock: Clock;
  readonly random: Random;
  /** This server's. */
  readonly msid: number;
  /** The link to the other server and its process, while it is open. */
  open(): { readonly link: ServerConnection; readonly runId: string } | undefined;
  /** Something waits for a link. */
  onNeed(): void;
}

/** Commands that the other server was asked to send. */
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

/** What one other server was asked, until each request is settled. */
export class AskedRequests {
  readonly #parts: AskedRequestsParts;
  /** Of the other server. */
  readonly #msid: number;
  readonly #pending = new Map<bigint, Pending>();
  #pendingBytes = 0;
  #sequence: bigint;
  /** Runs while there is no link, and something waits for one. */
  #patience: Timer | undefined;

  constructor(msid: number, parts: AskedRequestsParts) {
    this.#msid = msid;
    this.#parts = parts;
    // ClusteredAgentAttache.java counts like AgentAttache.java, from a random start.
    this.#sequence = BigInt(parts.random.int(32_767)) << 48n;
  }

  /** See `ServerPeer.request`. */
  ask(
    { hostId, flags, body, hasIds = false }: ServerRequest,
    { signal, recall }: RequestSignals,
  ): Promise<ServerReply> {
    const isFull =
      this.#pending.size >= MGMT_LIMITS.serverRequests || this.#pendingBytes >= MGMT_LIMITS.serverRequestBytes;
    if (isFull) {
      const reason = `${this.#pending.size} requests wait for their answers from server ${this.#msid} already`;
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
      this.#parts.onNeed();
      this.#send(pending);
      this.#bePatient();
      if (signal.aborted) takeBack();
      else if (recall.aborted) callBack();
    });
  }

  /** The agent's answer has come. */
  answered(sequence: bigint, body: RawBody): void {
    this.#pending.get(sequence)?.settle({ kind: 'answered', body });
  }

  /** The other server cannot do what it was asked. */
  refused(sequence: bigint, reply: NoAnswer): void {
    this.#pending.get(sequence)?.settle(reply);
  }

  /** There is a link to this process of the other server. */
  opened(runId: string): void {
    this.#endPatience();
    // In ascending order: the peer knows by it which ones it has had before.
    for (const pending of [...this.#pending.values()]) {
      if (pending.sentTo === undefined || pending.sentTo === runId) this.#send(pending);
      else pending.settle({ kind: 'lost', reason: 'the server of the host was started anew', isRepeatable: undefined });
    }
  }

  /** The link has ended. */
  lost(): void {
    this.#bePatient();
  }

  /** Nothing more is expected of the other server. */
  gone(why: string): void {
    this.#endPatience();
    this.#giveUp(why, 'all');
  }

  /** The other server may live, but nobody expects an answer without a link to it. */
  silent(): void {
    if (this.#parts.open() === undefined) this.#giveUp(`server ${this.#msid} is silent`, 'all');
  }

  #send(pending: Pending): void {
    const open = this.#parts.open();
    if (open === undefined) return;
    const { link, runId } = open;
    if (pending.sentTo === undefined && link.isFull) {
      pending.settle({ kind: 'notSent', reason: `server ${this.#msid} does not read`, isFinal: true });
      return;
    }
    pending.sentTo = runId;
    const { sequence, packet, end } = pending;
    if (end === 'signal') link.control(CancelCommand.encode({ sequence, reason: 'taken back' }));
    // Before the commands: of those that have never come it is told so, and they are not sent.
    if (end === 'recall')
      link.control(CancelCommand.encode({ sequence, reason: 'taken back', muster: { isRecall: true } }));
    if (end !== 'signal') link.send(packet);
  }

  /** Without a link nothing waits for long: the host may be elsewhere by now. */
  #bePatient(): void {
    const { clock, open } = this.#parts;
    if (open() !== undefined || this.#pending.size === 0 || this.#patience !== undefined) return;
    const reason = `there is no link to server ${this.#msid}`;
    this.#patience = clock.after(MGMT_LIMITS.serverOpenMs, () => {
      this.#giveUp(reason, 'what was not sent');
      const restMs = MGMT_LIMITS.serverReopenMs - MGMT_LIMITS.serverOpenMs;
      this.#patience = clock.after(restMs, () => {
        this.#patience = undefined;
        this.#giveUp(reason, 'what has ids');
      });
    });
  }

  #endPatience(): void {
    this.#patience?.cancel();
    this.#patience = undefined;
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
      pending?.settle({ kind: 'notSent', reason: `there is no link to server ${this.#msid}` });
      return undefined;
    }
    pending.end = 'signal';
    this.#send(pending);
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
      this.#send(pending);
    }
  }
}
