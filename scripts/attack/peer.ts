// Connections of an attacker. They come from the addresses 127.1.0.0/16, and go to 127.0.0.1 alone.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  Answer,
  connectTls,
  decodePacket,
  encodeHeader,
  encodePacket,
  FLAG,
  isRequest,
  type Message,
  type Packet,
  ReadyAnswer,
  ReadyCommand,
  StartupAnswer,
  StartupRoutingCommand,
  secureContext,
  type Transport,
} from '#dist/protocol/index.js';

const SERVER = '127.0.0.1';
const HANDSHAKE_MS = 30_000;
const NOBODY = { mgmtId: -1n, agentId: -1n, via: -1n } as const;
const context = secureContext({});

/** @returns one of the attackers' addresses */
function addressOf(index: number): string {
  return `127.1.${(index >> 8) & 255}.${index & 255}`;
}

/** A TCP connection. @param from which of the attackers' addresses it comes from */
export async function dial(port: number, from: number): Promise<Socket> {
  const socket = connect({ host: SERVER, port, localAddress: addressOf(from), allowHalfOpen: true });
  socket.on('error', () => {});
  const closed = once(socket, 'close').then(() => {
    throw new Error('no connection');
  });
  closed.catch(() => {});
  await Promise.race([once(socket, 'connect'), closed]);
  return socket;
}

/** A connection after its TLS handshake. */
export class Peer {
  readonly socket: Socket;
  readonly #transport: Transport;
  readonly #wakers = new Set<() => void>();
  readonly #waiting: Packet[] = [];
  #dropsAnswers = false;
  #answersAll = false;
  #hostId = -1n;
  #sequence = 0n;
  isClosed = false;
  /** Requests of the server, since `answerAll`. */
  answered = 0;

  private constructor(socket: Socket, transport: Transport) {
    this.socket = socket;
    this.#transport = transport;
    transport.listen({
      onPacket: bytes => {
        if (this.#dropsAnswers) return;
        const packet = decodePacket(bytes);
        if (this.#answersAll && isRequest(packet)) {
          this.answered++;
          this.#answer(
            packet,
            packet.messages.map(() => Answer.encode({ result: true })),
          );
          return;
        }
        this.#waiting.push(packet);
        this.#wake();
      },
      onClose: () => {
        this.isClosed = true;
        this.#wake();
      },
    });
  }

  static async connect(port: number, from: number): Promise<Peer> {
    const socket = await dial(port, from);
    const remote = { address: SERVER, port };
    const options = { context, handshakeTimeoutMs: HANDSHAKE_MS, remote, host: SERVER, judge: () => {} };
    return new Peer(socket, await connectTls(socket, options));
  }

  /** A link that is Ready, of a host with this guid. */
  static async ready(port: number, from: number, guid: string): Promise<Peer> {
    const peer = await Peer.connect(port, from);
    peer.startup({ guid });
    for (let readies = 0; readies < 2; ) {
      const packet = await peer.receive();
      const [message] = packet.messages;
      if (message === undefined) continue;
      if (StartupAnswer.is(message)) peer.#hostId = BigInt(Number(message.fields.hostId));
      if (!ReadyCommand.is(message)) continue;
      peer.#answer(packet, [ReadyAnswer.encode({ detailsMap: {}, result: true })]);
      readies++;
    }
    return peer;
  }

  /** Bytes that the server has not taken. */
  get queuedBytes(): number {
    return this.#transport.queuedBytes;
  }

  startup(fields: Parameters<typeof StartupRoutingCommand.encode>[0]): void {
    const defaults = { type: 'Routing', dataCenter: 'default', pod: 'default', cluster: 'default' };
    this.send([StartupRoutingCommand.encode({ ...defaults, name: 'attacker', ...fields })]);
  }

  send(messages: readonly Message[]): void {
    this.#transport.send(encodePacket({ ...this.#header(FLAG.request), messages }));
  }

  /** A request with any bytes as its body. @param contentLength of the unpacked body, for a gzipped one */
  sendBody(body: Buffer, contentLength?: number): void {
    const flags = contentLength === undefined ? FLAG.request : FLAG.request | FLAG.gzip;
    this.#transport.send(encodeHeader({ ...this.#header(flags), contentLength: contentLength ?? body.length }, body));
  }

  /** The next packet. @throws Error: the server has closed */
  async receive(): Promise<Packet> {
    for (;;) {
      const packet = this.#waiting.shift();
      if (packet !== undefined) return packet;
      if (this.isClosed) throw new Error('the server has closed');
      await new Promise<void>(resolve => this.#wakers.add(resolve));
    }
  }

  /** From now on answers are read and dropped. */
  dropAnswers(): void {
    this.#dropsAnswers = true;
  }

  /** From now on whatever the server asks is answered result=true, and counted. */
  answerAll(): void {
    this.#answersAll = true;
  }

  /** From now on nothing is read. */
  stopReading(): void {
    // The TLS socket above would resume it.
    this.socket.resume = () => this.socket;
    this.socket.pause();
  }

  end(): void {
    this.#transport.destroy();
  }

  #header(flags: number): Omit<Packet, 'messages'> {
    return { ...NOBODY, version: 0, flags, sequence: this.#sequence++, agentId: this.#hostId, via: this.#hostId };
  }

  #answer(request: Packet, messages: readonly Message[]): void {
    const flags = request.flags & (FLAG.stopOnError | FLAG.inSequence);
    this.#transport.send(encodePacket({ ...request, flags, messages }));
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
    this.#wakers.clear();
  }
}
