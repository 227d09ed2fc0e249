import type { Clock, Timer } from '../../../lib/clock.js';
import { reasonOf } from '../../../lib/errors.js';
import {
  decodeRawPacket,
  encodePacket,
  FLAG,
  isRequest,
  LIMITS,
  type Message,
  messagesOf,
  PingAnswer,
  PingCommand,
  type RawPacket,
  type RemoteEnd,
  type Transport,
} from '../../../protocol/index.js';
import { MGMT_LIMITS } from '../../config/limits.js';
import type { ServerIdentity } from '../../security/peer-identity.js';

export interface ServerConnectionHandlers {
  /** A control packet, but for pings. */
  onControl(message: Message): void;
  /** Commands for an agent, or their answers. */
  onPacket(packet: RawPacket): void;
  /** Exactly once, and last. */
  onEnd(why: string): void;
}

/** One connection to another server: packets as CloudStack's servers exchange them, and pings of both sides. */
export class ServerConnection {
  readonly remote: RemoteEnd;
  /** Whose it is, by the certificate. */
  readonly identity: ServerIdentity;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #msid: bigint;
  #handlers: ServerConnectionHandlers | undefined;
  #heardAt: number;
  /** When the ping was sent that nothing has followed yet. */
  #pingedAt: number | undefined;
  #timer: Timer | undefined;
  #isOver = false;

  /** @param parts.msid this server's */
  constructor(
    transport: Transport,
    identity: ServerIdentity,
    { clock, msid }: { readonly clock: Clock; readonly msid: number },
  ) {
    this.remote = transport.remote;
    this.identity = identity;
    this.#transport = transport;
    this.#clock = clock;
    this.#msid = BigInt(msid);
    this.#heardAt = clock.now();
  }

  start(handlers: ServerConnectionHandlers): void {
    this.#handlers = handlers;
    this.#transport.listen({
      onPacket: bytes => this.#receive(bytes),
      onClose: error => this.#end(error ? reasonOf(error) : 'closed by the other server'),
    });
    this.#watch();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether nothing more can be sent for now: the peer does not read as fast as it is written to. */
  get isFull(): boolean {
    return this.#transport.queuedBytes > LIMITS.queuedBytes;
  }

  /** The peer has said who it is: larger packets may come. */
  raiseLimits(): void {
    this.#transport.raiseLimits(LIMITS.packetBytesAtMost);
  }

  /** @param packet a whole one */
  send(packet: Buffer): void {
    if (!this.#isOver) this.#transport.send(packet);
  }

  control(message: Message): void {
    this.send(controlPacket(message, this.#msid));
  }

  /** The peer has to say something soon, or the connection ends. */
  probe(): void {
    if (this.#isOver || this.#pingedAt !== undefined) return;
    this.#pingedAt = this.#clock.now();
    this.control(PingCommand.encode({}));
    this.#watch();
  }

  /** By a FIN, behind what is queued. */
  close(why: string): void {
    this.#transport.close();
    this.#end(why);
  }

  destroy(why: string): void {
    this.#end(why);
    this.#transport.destroy();
  }

  #receive(bytes: Buffer): void {
    if (this.#isOver) return;
    this.#heardAt = this.#clock.now();
    this.#pingedAt = undefined;
    try {
      const packet = decodeRawPacket(bytes);
      if ((packet.flags & FLAG.control) === 0) this.#handlers?.onPacket(packet);
      else for (const message of messagesOf(packet.body)) this.#receiveControl(message, isRequest(packet));
    } catch (error) {
      this.destroy(reasonOf(error));
    }
  }

  #receiveControl(message: Message, isAsked: boolean): void {
    if (PingCommand.is(message)) {
      if (isAsked) this.control(PingAnswer.encode({ result: true }));
    } else if (!PingAnswer.is(message)) this.#handlers?.onControl(message);
  }

  /** A ping when nothing was heard for `serverPingMs`; the end when nothing follows for `serverSilentMs`. */
  #watch(): void {
    this.#timer?.cancel();
    if (this.#isOver) return;
    const dueAt =
      this.#pingedAt === undefined
        ? this.#heardAt + MGMT_LIMITS.serverPingMs
        : this.#pingedAt + MGMT_LIMITS.serverSilentMs;
    this.#timer = this.#clock.after(Math.max(0, dueAt - this.#clock.now()), () => void this.#look(dueAt));
  }

  async #look(dueAt: number): Promise<void> {
    // An event loop that was busy runs its timers before it reads.
    await this.#clock.turn();
    if (this.#isOver) return;
    if (this.#pingedAt === undefined) {
      if (this.#heardAt + MGMT_LIMITS.serverPingMs <= this.#clock.now()) this.probe();
    } else if (this.#clock.now() >= dueAt && this.#pingedAt + MGMT_LIMITS.serverSilentMs <= this.#clock.now()) {
      this.destroy(`the other server was silent for ${MGMT_LIMITS.serverSilentMs / 1_000} s`);
      return;
    }
    this.#watch();
  }

  #end(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#handlers?.onEnd(why);
  }
}

/** A packet about the link, or about packets on it. It is not answered by its sequence. */
export function controlPacket(message: Message, msid: bigint): Buffer {
  const flags = FLAG.request | FLAG.fromServer | FLAG.control;
  return encodePacket({ version: 0, flags, sequence: -1n, mgmtId: msid, agentId: -1n, via: -1n, messages: [message] });
}
