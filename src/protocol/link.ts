import type { Clock, Timer } from '../lib/clock.js';
import { decodeBody, type Message } from './body.js';
import { LinkError, ProtocolError } from './errors.js';
import { decodeHeader, FLAG, type PacketHeader } from './header.js';
import { LIMITS } from './limits.js';
import { encodePacket, isRequest, type Packet, packetOf } from './packet.js';
import type { RemoteEnd, Transport } from './transport.js';

/** Why a link ended. */
export type CloseReason =
  /** FIN from the peer. */
  | { readonly kind: 'peer' }
  /** Our own doing, and why. */
  | { readonly kind: 'local'; readonly why: string }
  /** The network, or a peer that broke the contract. */
  | { readonly kind: 'error'; readonly error: Error };

export interface LinkHandlers {
  /** A command, or several, that wants an answer with the same sequence. */
  onRequest(request: Packet): void;
  /** A request whose header is good and whose body is not: each side has its own answer to that. */
  onUnreadable(header: PacketHeader, error: ProtocolError): void;
  /** Exactly once, the last event. */
  onClose(reason: CloseReason): void;
}

/** What a request's header says beside its sequence. */
export interface RequestHeader {
  readonly flags: number;
  readonly mgmtId: bigint;
  readonly agentId: bigint;
  readonly via: bigint;
}

export interface LinkOptions {
  readonly clock: Clock;
  /** The sequence of our next request. A server counts per link; an agent goes on counting over links. */
  readonly nextSequence: () => bigint;
  /** Flags of every packet that we send: `FLAG.fromServer` on a server. @default 0 */
  readonly ownFlags?: number;
}

interface Pending {
  readonly timer: Timer;
  resolve(answer: Packet): void;
  reject(error: Error): void;
}

/** One secured connection that speaks packets: requests go out and their answers come back, and the other way round. */
export class Link {
  readonly remote: RemoteEnd;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #nextSequence: () => bigint;
  readonly #ownFlags: number;
  readonly #pending = new Map<bigint, Pending>();
  #handlers: LinkHandlers | undefined;
  #bodyLimit: number = LIMITS.packetBytesBeforeReady;
  #closed: CloseReason | undefined;
  #ignored = 0;

  constructor(transport: Transport, options: LinkOptions) {
    this.remote = transport.remote;
    this.#transport = transport;
    this.#clock = options.clock;
    this.#nextSequence = options.nextSequence;
    this.#ownFlags = options.ownFlags ?? 0;
  }

  /** Starts to read. */
  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#transport.listen({
      onPacket: bytes => this.#receive(bytes),
      onClose: error => this.#end(error ? { kind: 'error', error } : { kind: 'peer' }),
    });
  }

  /** Set once the link has ended, or is told to. */
  get closed(): CloseReason | undefined {
    return this.#closed;
  }

  /** How many packets were passed over: unknown version, too short, an answer that nobody waits for. */
  get ignored(): number {
    return this.#ignored;
  }

  /**
   * Sends commands and waits for the packet that answers them.
   * @throws LinkError LINK_CLOSED, ANSWER_TIMEOUT, QUEUE_FULL, TOO_MANY_REQUESTS
   * @throws ProtocolError BODY_*: the answer cannot be read
   */
  request(messages: readonly Message[], header: RequestHeader, timeoutMs: number): Promise<Packet> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= LIMITS.pendingRequests) {
        throw new LinkError('TOO_MANY_REQUESTS', `${this.#pending.size} requests wait for their answers already`);
      }
      this.#ensureOpen();
      const sequence = this.#nextSequence();
      const timer = this.#clock.after(timeoutMs, () => {
        this.#pending.delete(sequence);
        reject(new LinkError('ANSWER_TIMEOUT', `no answer to ${typesOf(messages)} within ${timeoutMs} ms`));
      });
      // Before it is sent: in memory the answer may come at once.
      this.#pending.set(sequence, { timer, resolve, reject });
      this.#send(messages, { ...header, sequence }, this.#ownFlags);
    });
  }

  /**
   * Sends commands that nobody answers, such as Shutdown: they travel with the sequence −1, and without the flags of our
   * own, since a server's refused Ready has none of them (0x07). @throws LinkError
   */
  post(messages: readonly Message[], header: RequestHeader): void {
    this.#ensureOpen();
    this.#send(messages, { ...header, sequence: -1n }, 0);
  }

  /** Answers a request: its header comes back, but for what `changes` says. Does nothing on a closed link. */
  answer(
    request: Omit<Packet, 'messages'>,
    messages: readonly Message[],
    changes: { readonly mgmtId?: bigint; readonly via?: bigint } = {},
  ): void {
    if (this.#closed || this.#isQueueFull()) return;
    const flags = (request.flags & (FLAG.stopOnError | FLAG.inSequence)) | this.#ownFlags;
    const { version, sequence, mgmtId, agentId, via } = request;
    this.#transport.send(encodePacket({ version, sequence, mgmtId, agentId, via, ...changes, flags, messages }));
  }

  /** The peer is known: the bounds before Ready no longer hold. */
  raiseLimits(): void {
    this.#bodyLimit = LIMITS.packetBytes;
    this.#transport.raiseLimits();
  }

  /** Ends the link by FIN, behind what is queued. Requests that wait fail at once. */
  close(why: string): void {
    this.#transport.close();
    this.#end({ kind: 'local', why });
  }

  /** Ends the link at once. */
  destroy(why: string): void {
    this.#end({ kind: 'local', why });
    this.#transport.destroy();
  }

  /** @throws LinkError LINK_CLOSED, QUEUE_FULL */
  #ensureOpen(): void {
    if (this.#closed) throw new LinkError('LINK_CLOSED', `the link is closed (${describeClose(this.#closed)})`);
    if (this.#isQueueFull()) throw new LinkError('QUEUE_FULL', 'the peer does not read');
  }

  #send(messages: readonly Message[], header: RequestHeader & { readonly sequence: bigint }, ownFlags: number): void {
    const flags = header.flags | FLAG.request | ownFlags;
    this.#transport.send(encodePacket({ version: 0, ...header, flags, messages }));
  }

  /** A peer that does not read must not fill our memory: its link closes instead of taking another packet. */
  #isQueueFull(): boolean {
    const queued = this.#transport.queuedBytes;
    if (queued <= LIMITS.queuedBytes) return false;
    this.#fail(new LinkError('QUEUE_FULL', `the peer does not read: ${queued} bytes wait for it`));
    return true;
  }

  #receive(bytes: Buffer): void {
    // What was on its way when we closed.
    if (this.#closed) return;
    let header: PacketHeader;
    let body: Buffer;
    try {
      ({ header, body } = decodeHeader(bytes));
    } catch {
      this.#ignored++;
      return;
    }
    let packet: Packet | ProtocolError;
    try {
      packet = packetOf(header, decodeBody(header, body, this.#bodyLimit));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      packet = error;
    }
    if (packet instanceof ProtocolError && packet.code === 'BODY_TOO_LARGE') this.#fail(packet);
    else if (!isRequest(header)) this.#settle(header.sequence, packet);
    else if (packet instanceof ProtocolError) this.#handlers?.onUnreadable(header, packet);
    else this.#handlers?.onRequest(packet);
  }

  #settle(sequence: bigint, answer: Packet | ProtocolError): void {
    const pending = this.#pending.get(sequence);
    if (pending === undefined) {
      this.#ignored++;
      return;
    }
    this.#pending.delete(sequence);
    pending.timer.cancel();
    if (answer instanceof ProtocolError) pending.reject(answer);
    else pending.resolve(answer);
  }

  #fail(error: Error): void {
    this.#end({ kind: 'error', error });
    this.#transport.destroy();
  }

  #end(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const { timer, reject } of this.#pending.values()) {
      timer.cancel();
      reject(new LinkError('LINK_CLOSED', `the link closed before the answer came (${describeClose(reason)})`));
    }
    this.#pending.clear();
    this.#handlers?.onClose(reason);
  }
}

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

/** For log lines: the simple class names. */
export function typesOf(messages: readonly Message[]): string {
  return messages.map(({ type }) => type.slice(type.lastIndexOf('.') + 1)).join('+');
}
