import { once } from 'node:events';
import { connect } from 'node:net';
import {
  connectTls,
  decodePacket,
  encodePacket,
  FLAG,
  type Message,
  type Packet,
  PingRoutingCommand,
  ReadyAnswer,
  StartupRoutingCommand,
  secureContext,
  type TlsCertificates,
  type Transport,
} from '../protocol/index.js';
import { settle } from './fake-clock.js';

type Startup = Parameters<typeof StartupRoutingCommand.encode>[0];

/** Where a fake agent connects. */
export interface FakeAgentOptions {
  /** The TCP port of the server. */
  readonly port: number;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** What it presents when the server asks. It trusts any server. @default nothing */
  readonly certificates?: TlsCertificates;
}

/**
 * An agent that does what a test tells it to, packet by packet, and nothing by itself.
 * @example
 * const agent = await FakeAgent.connect({ port: 8250 });
 * await agent.join({ guid: 'g-LibvirtComputingResource' });
 * agent.ping();
 * console.log(contentOf(await agent.receive()));
 * agent.close();
 */
export class FakeAgent {
  /** Its connection. */
  readonly transport: Transport;
  /** Everything that came, in order; `receive` takes from its own place in it. */
  readonly received: Packet[] = [];
  /** Whether the connection has ended. */
  closed = false;
  /** What the server has called it in StartupAnswer; −1 before. */
  hostId = -1n;
  #sequence = 0n;
  #taken = 0;
  #wake: () => void = () => {};

  constructor(transport: Transport) {
    this.transport = transport;
    transport.listen({
      onPacket: bytes => {
        this.received.push(decodePacket(bytes));
        this.#wake();
      },
      onClose: () => {
        this.closed = true;
        this.#wake();
      },
    });
  }

  /** Over TCP and TLS. @throws what `connectTls` throws, and the system's errors */
  static async connect({ port, host = '127.0.0.1', certificates = {} }: FakeAgentOptions): Promise<FakeAgent> {
    const socket = connect({ host, port });
    await once(socket, 'connect');
    const context = secureContext(certificates);
    const remote = { address: socket.remoteAddress ?? host, port };
    return new FakeAgent(await connectTls(socket, { context, handshakeTimeoutMs: 10_000, remote, host, judge() {} }));
  }

  /** The next packet that has not been taken yet. Rejects when the link ends instead. */
  async receive(): Promise<Packet> {
    for (;;) {
      const packet = this.received[this.#taken];
      if (packet) {
        this.#taken++;
        return packet;
      }
      if (this.closed) throw new Error('the server closed the link');
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  /** Packets that came and were not taken. */
  get waiting(): readonly Packet[] {
    return this.received.slice(this.#taken);
  }

  /** Sends a request; the header is that of an agent that knows its id or not, but for what the test says. */
  request(messages: readonly Message[], header: Partial<Packet> = {}): Packet {
    const ids = { mgmtId: -1n, agentId: this.hostId, via: this.hostId };
    const flags = FLAG.request | FLAG.stopOnError;
    const packet = { version: 0, flags, sequence: this.#sequence++, ...ids, ...header, messages };
    this.transport.send(encodePacket(packet));
    return packet;
  }

  /** Sends StartupRoutingCommand, with these fields in the place of those of `startupOf`. */
  startup(fields: Startup = {}, header: Partial<Packet> = {}): Packet {
    return this.request([startupOf(fields)], { flags: FLAG.request, ...header });
  }

  /** Sends PingRoutingCommand. */
  ping(header: Partial<Packet> = {}): Packet {
    const ping = PingRoutingCommand.encode({ hostType: 'Routing', hostId: Math.max(0, Number(this.hostId)) });
    return this.request([ping], header);
  }

  /** Answers a request of the server's. */
  answer(request: Packet, messages: readonly Message[]): void {
    const flags = request.flags & (FLAG.stopOnError | FLAG.inSequence);
    this.transport.send(encodePacket({ ...request, flags, messages }));
  }

  /** Answers ReadyCommand. */
  answerReady(request: Packet, fields: Parameters<typeof ReadyAnswer.encode>[0] = {}): void {
    this.answer(request, [ReadyAnswer.encode({ detailsMap: {}, result: true, ...fields })]);
  }

  /** The whole way: Startup, both Readies answered, and the server has taken note of it. */
  async join(fields: Startup = {}): Promise<{ startupAnswer: Packet; ready1: Packet; ready2: Packet }> {
    this.startup(fields);
    const startupAnswer = await this.receive();
    this.hostId = BigInt((startupAnswer.messages[0]?.fields.hostId as number | undefined) ?? -1);
    const ready1 = await this.receive();
    this.answerReady(ready1);
    const ready2 = await this.receive();
    this.answerReady(ready2);
    await settle();
    return { startupAnswer, ready1, ready2 };
  }

  /** Ends the link in good order. */
  close(): void {
    this.transport.close();
  }
}

/**
 * The Startup of an agent on KVM.
 * @example
 * agent.request([startupOf({ name: 'kvm-2' })]);
 */
export function startupOf(fields: Startup = {}): Message {
  return StartupRoutingCommand.encode({
    cpus: 8,
    speed: 2400,
    memory: 2 ** 35,
    hypervisorType: 'KVM',
    type: 'Routing',
    dataCenter: 'default',
    pod: 'default',
    cluster: 'default',
    guid: 'guid-1-LibvirtComputingResource',
    name: 'kvm-1',
    version: '4.23.0.0',
    privateIpAddress: '192.0.2.50',
    msHostList: '192.0.2.1',
    arch: 'x86_64',
    ...fields,
  });
}

/**
 * The one message of a packet.
 * @example
 * only(await agent.receive()).fields;
 * @throws Error when there are none or several
 */
export function only({ messages }: Packet): Message {
  const [message, ...others] = messages;
  if (message === undefined || others.length > 0) throw new Error(`${messages.length} messages instead of one`);
  return message;
}

/**
 * The simple class name of a packet's one message, and its fields as plain objects.
 * @example
 * const [type, fields] = contentOf(await agent.receive());
 */
export function contentOf(packet: Packet): [type: string, fields: Record<string, unknown>] {
  const { type, fields } = only(packet);
  return [type.slice(type.lastIndexOf('.') + 1), structuredClone(fields)];
}
