import { type Clock, systemClock, type Timer } from '../lib/clock.js';
import { reasonOf } from '../lib/errors.js';
import { peerText } from '../lib/text/peer-text.js';
import { decodeBody, type Message, type RawBody, tooLarge } from './body.js';
import { LinkError, ProtocolError } from './errors.js';
import { decodeHeader, FLAG, type PacketHeader } from './header.js';
import { LIMITS } from './limits.js';
import { Answer } from './messages/control.js';
import type { LinkEnd } from './moves.js';
import {
  encodePacket,
  encodeRawPacket,
  isRequest,
  type Packet,
  packetOf,
  type RawPacket,
  rawPacketOf,
} from './packet.js';
import { BEFORE_READY, type PacketLimits, readyLimits } from './packet-limits.js';
import type { RemoteEnd, Transport } from './transport.js';

/** Why a link ended. */
export type CloseReason =
  /** The peer has closed. */
  | { readonly kind: 'peer' }
  /** This side has closed; `why` is what it gave as the reason. */
  | { readonly kind: 'local'; readonly why: string }
  /** The network failed, or the peer broke the wire contract. */
  | { readonly kind: 'error'; readonly error: Error };

/** What the owner of a link does about its events. */
export interface LinkHandlers {
  /** A packet with one command or several. The owner answers it with `Link.answer`, unless its sequence is −1. */
  onRequest(request: Packet): void;
  /** A request whose body cannot be read. The owner answers it with `Link.answer`: agents and servers differ in how. */
  onUnreadable(header: PacketHeader, error: ProtocolError): void;
  /** The link has ended. Called exactly once, and last. */
  onClose(reason: CloseReason): void;
}

/** The fields of a request's header that its sender chooses. */
export interface RequestHeader {
  /** Bits of `FLAG`; `request` and those of `LinkOptions.ownFlags` are added. */
  readonly flags: number;
  /** The server's msid; −1 in the requests of agents. */
  readonly mgmtId: bigint;
  /** The host id; −1 while an agent does not know it. */
  readonly agentId: bigint;
  /** The host id of the agent on whose link the packet travels. */
  readonly via: bigint;
}

/** How one side of a link sends. */
export interface LinkOptions {
  /** For the time limits of answers. @default systemClock */
  readonly clock?: Clock;
  /** Gives each request its sequence. A server counts for each link; an agent goes on counting over its links. */
  readonly nextSequence: () => bigint;
  /** Flags that all requests and answers of this side have: `FLAG.fromServer` on a server. @default 0 */
  readonly ownFlags?: number;
}

interface PendingOf<T> {
  readonly timer: Timer;
  resolve(answer: T): void;
  reject(error: Error): void;
}

type Pending =
  | ({ readonly kind: 'read' } & PendingOf<Packet>)
  /** Its answer is passed on without being read. */
  | ({ readonly kind: 'forwarded' } & PendingOf<RawPacket>);

/** How a request is passed on. */
export interface ForwardOptions {
  /** Milliseconds after which the answer is no longer waited for. */
  readonly timeoutMs: number;
  /** Ends the wait for the answer: the call rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Called before the packet is handed to the transport: from then on the peer may have it. */
  onSent?(sequence: bigint): void;
}

/**
 * One secured connection over which both sides send requests and answer those of the other side.
 * @example
 * let sequence = 0n;
 * const link = new Link(transport, { nextSequence: () => sequence++ });
 * link.start({
 *   onRequest: request => link.answer(request, [Answer.encode({ result: true })]),
 *   onUnreadable: (header, error) => link.answer(header, [Answer.encode({ result: false, details: error.message })]),
 *   onClose: reason => console.log(describeClose(reason)),
 * });
 * const ping = PingCommand.encode({ hostId: 7, hostType: 'Routing' });
 * const header = { flags: 0, mgmtId: -1n, agentId: 7n, via: 7n };
 * const { messages } = await link.request([ping], header, 10_000);
 */
export class Link {
  /** The other end of the connection. */
  readonly remote: RemoteEnd;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #nextSequence: () => bigint;
  readonly #ownFlags: number;
  readonly #pending = new Map<bigint, Pending>();
  #handlers: LinkHandlers | undefined;
  #limits: PacketLimits = BEFORE_READY;
  #closed: CloseReason | undefined;
  #malformed = 0;
  #unexpected = 0;

  constructor(transport: Transport, options: LinkOptions) {
    this.remote = transport.remote;
    this.#transport = transport;
    this.#clock = options.clock ?? systemClock;
    this.#nextSequence = options.nextSequence;
    this.#ownFlags = options.ownFlags ?? 0;
  }

  /** Starts to read. Nothing that the peer has sent before is lost. */
  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#transport.listen({
      onPacket: bytes => this.#receive(bytes),
      onClose: error => this.#end(error ? { kind: 'error', error } : { kind: 'peer' }),
    });
  }

  /** Why the link has ended, or is being closed; undefined while it is open. */
  get closed(): CloseReason | undefined {
    return this.#closed;
  }

  /** How many packets were ignored: those of an unknown version, too short ones, and answers that nobody waits for. */
  get ignored(): number {
    return this.#malformed + this.#unexpected;
  }

  /**
   * Sends commands in one packet.
   * @param timeoutMs milliseconds after which the answer is no longer waited for
   * @returns the packet that answers them: usually one answer for each command, in their order
   * @throws LinkError LINK_CLOSED, ANSWER_TIMEOUT, QUEUE_FULL, TOO_MANY_REQUESTS
   * @throws ProtocolError BODY_* when the answer cannot be read
   */
  request(messages: readonly Message[], header: RequestHeader, timeoutMs: number): Promise<Packet> {
    return new Promise((resolve, reject) => {
      const sequence = this.#begin();
      const timer = this.#clock.after(timeoutMs, () => {
        this.#pending.delete(sequence);
        reject(new LinkError('ANSWER_TIMEOUT', `no answer to ${typesOf(messages)} within ${timeoutMs} ms`));
      });
      // Before it is sent: over a transport in memory the answer may come at once.
      this.#pending.set(sequence, { kind: 'read', timer, resolve, reject });
      this.#send(messages, header, sequence, this.#ownFlags);
    });
  }

  /**
   * Sends commands that somebody else has written, and gives their answer back without reading it.
   * @returns the packet that answers them
   * @throws LinkError LINK_CLOSED, ANSWER_TIMEOUT, QUEUE_FULL, TOO_MANY_REQUESTS; ProtocolError BODY_TOO_LARGE: the body is
   *   larger than this link allows; the signal's reason
   */
  forward(body: RawBody, header: RequestHeader, { timeoutMs, signal, onSent }: ForwardOptions): Promise<RawPacket> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (body.contentLength > this.#limits.bytes) throw tooLarge(body.contentLength, this.#limits.bytes);
      const sequence = this.#begin();
      const end = (error: Error) => {
        this.#pending.delete(sequence);
        timer.cancel();
        signal?.removeEventListener('abort', abort);
        reject(error);
      };
      const abort = () => end(signal?.reason);
      const timer = this.#clock.after(timeoutMs, () =>
        end(new LinkError('ANSWER_TIMEOUT', `no answer to a forwarded request within ${timeoutMs} ms`)),
      );
      signal?.addEventListener('abort', abort, { once: true });
      const settle = (answer: RawPacket) => {
        signal?.removeEventListener('abort', abort);
        resolve(answer);
      };
      this.#pending.set(sequence, { kind: 'forwarded', timer, resolve: settle, reject: end });
      const flags = header.flags | FLAG.request | this.#ownFlags;
      const { mgmtId, agentId, via } = header;
      onSent?.(sequence);
      this.#transport.send(encodeRawPacket({ version: 0, flags, sequence, mgmtId, agentId, via, body }));
    });
  }

  /**
   * Sends commands that are not answered, such as Shutdown. They travel with the sequence −1, and without
   * `LinkOptions.ownFlags`: the Ready by which CloudStack's server refuses an agent has the flags 0x07 alone.
   * @throws LinkError LINK_CLOSED, QUEUE_FULL
   */
  post(messages: readonly Message[], header: RequestHeader): void {
    this.#ensureOpen();
    this.#send(messages, header, -1n, 0);
  }

  /**
   * Answers a request. On a closed link it does nothing. When the answers are larger than a packet may be on this link, or
   * JSON does not have what is in them, each is replaced by one with result=false.
   * @param request its version, sequence, ids and order flags are repeated
   * @param messages one answer for each command of the request
   * @param changes header fields that are not those of the request
   */
  answer(
    request: Omit<Packet, 'messages'>,
    messages: readonly Message[],
    changes: { readonly mgmtId?: bigint; readonly via?: bigint } = {},
  ): void {
    if (this.#closed || this.#isQueueFull()) return;
    const { version, sequence, agentId } = request;
    const { mgmtId = request.mgmtId, via = request.via } = changes;
    const flags = (request.flags & (FLAG.stopOnError | FLAG.inSequence)) | this.#ownFlags;
    const packet = { version, flags, sequence, mgmtId, agentId, via, messages };
    let bytes: Buffer;
    try {
      bytes = encodePacket(packet, this.#limits);
    } catch (error) {
      const failed = Answer.encode({
        result: false,
        details: `The answer cannot be sent: ${peerText(reasonOf(error))}`,
      });
      bytes = encodePacket({ ...packet, messages: messages.map(() => failed) });
    }
    this.#transport.send(bytes);
  }

  /**
   * Raises the bounds from those before Ready to those of a Ready link: see `LIMITS`.
   * @param packetBytes the setting `packet.max`
   */
  raiseLimits(packetBytes: number = LIMITS.packetBytes): void {
    this.#limits = readyLimits(packetBytes);
    this.#transport.raiseLimits(packetBytes);
  }

  /**
   * Ends the link with a FIN, behind the packets that are queued. Requests that wait for answers fail at once.
   * @param why the reason, for `CloseReason`
   */
  close(why: string): void {
    this.#transport.close();
    this.#end({ kind: 'local', why });
  }

  /** Ends the link at once; queued packets are lost. @param why the reason, for `CloseReason` */
  destroy(why: string): void {
    this.#end({ kind: 'local', why });
    this.#transport.destroy();
  }

  /** @returns the sequence of the next request @throws LinkError LINK_CLOSED, QUEUE_FULL, TOO_MANY_REQUESTS */
  #begin(): bigint {
    if (this.#pending.size >= LIMITS.pendingRequests) {
      throw new LinkError('TOO_MANY_REQUESTS', `${this.#pending.size} requests wait for their answers already`);
    }
    this.#ensureOpen();
    return this.#nextSequence();
  }

  /** @throws LinkError LINK_CLOSED, QUEUE_FULL */
  #ensureOpen(): void {
    if (this.#closed) throw new LinkError('LINK_CLOSED', `the link is closed (${describeClose(this.#closed)})`);
    if (this.#isQueueFull()) throw new LinkError('QUEUE_FULL', 'the peer does not read');
  }

  #send(messages: readonly Message[], header: RequestHeader, sequence: bigint, ownFlags: number): void {
    const { mgmtId, agentId, via } = header;
    const flags = header.flags | FLAG.request | ownFlags;
    this.#transport.send(encodePacket({ version: 0, flags, sequence, mgmtId, agentId, via, messages }));
  }

  /** Bounds the memory for a peer that does not read: with `LIMITS.queuedBytes` queued, the link closes. */
  #isQueueFull(): boolean {
    const queued = this.#transport.queuedBytes;
    if (queued <= LIMITS.queuedBytes) return false;
    this.#fail(new LinkError('QUEUE_FULL', `the peer does not read: ${queued} bytes wait for it`));
    return true;
  }

  #receive(bytes: Buffer): void {
    // The peer sent it before it knew that this side has closed.
    if (this.#closed) return;
    let header: PacketHeader;
    let body: Buffer;
    try {
      ({ header, body } = decodeHeader(bytes));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (++this.#malformed > LIMITS.ignoredPackets) this.#fail(error);
      return;
    }
    if (header.flags & FLAG.gzip) {
      this.#transport.charge(Math.min(Math.max(header.contentLength - body.length, 0), this.#limits.bytes));
    }
    const pending = isRequest(header) ? undefined : this.#pending.get(header.sequence);
    if (pending?.kind === 'forwarded') {
      if (header.contentLength > this.#limits.bytes) this.#fail(tooLarge(header.contentLength, this.#limits.bytes));
      else this.#settled(header.sequence, pending).resolve(rawPacketOf(header, body));
      return;
    }
    let packet: Packet | ProtocolError;
    try {
      const charge = (values: number) => this.#transport.charge(values * LIMITS.valueCostBytes);
      packet = packetOf(header, decodeBody(header, body, this.#limits, charge));
      this.#transport.charge(Math.max(packet.messages.length - 1, 0) * LIMITS.messageCostBytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      packet = error;
    }
    if (packet instanceof ProtocolError && packet.code === 'BODY_TOO_LARGE') this.#fail(packet);
    else if (!isRequest(header)) this.#settle(header.sequence, pending, packet);
    else if (packet instanceof ProtocolError) this.#handlers?.onUnreadable(header, packet);
    else this.#handlers?.onRequest(packet);
  }

  #settle(sequence: bigint, pending: PendingOf<Packet> | undefined, answer: Packet | ProtocolError): void {
    if (pending === undefined) {
      this.#unexpected++;
      return;
    }
    const { resolve, reject } = this.#settled(sequence, pending);
    if (answer instanceof ProtocolError) reject(answer);
    else resolve(answer);
  }

  #settled<T>(sequence: bigint, pending: PendingOf<T>): PendingOf<T> {
    this.#pending.delete(sequence);
    pending.timer.cancel();
    return pending;
  }

  #fail(error: Error): void {
    this.#end({ kind: 'error', error });
    this.#transport.destroy();
  }

  #end(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const { timer, reject } of [...this.#pending.values()]) {
      timer.cancel();
      reject(new LinkError('LINK_CLOSED', `the link closed before the answer came (${describeClose(reason)})`));
    }
    this.#pending.clear();
    this.#handlers?.onClose(reason);
  }
}

/**
 * The reason in words, for a log line.
 * @example
 * describeClose({ kind: 'peer' }); // 'closed by the peer'
 */
export function describeClose(reason: CloseReason): string {
  switch (reason.kind) {
    case 'peer':
      return 'closed by the peer';
    case 'local':
      return reason.why;
    case 'error':
      return reason.error.message;
  }
}

const SILENT: ReadonlySet<unknown> = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN']);
const RESET: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE']);

/**
 * How a link has ended that this side did not end, as a code.
 * @example
 * linkEndOf({ kind: 'peer' }); // 'closed'
 */
export function linkEndOf(reason: Exclude<CloseReason, { kind: 'local' }>): LinkEnd {
  if (reason.kind === 'peer') return 'closed';
  const code = 'code' in reason.error ? reason.error.code : undefined;
  if (RESET.has(code)) return 'reset';
  return SILENT.has(code) ? 'silent' : 'failed';
}

/** The simple class names of messages, for a log line. */
export function typesOf(messages: readonly Message[]): string {
  return messages.map(({ type }) => type.slice(type.lastIndexOf('.') + 1)).join('+');
}
