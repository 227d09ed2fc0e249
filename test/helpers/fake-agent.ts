import {
  decodePacket,
  encodePacket,
  FLAG,
  type Message,
  type Packet,
  PingRoutingCommand,
  ReadyAnswer,
  StartupRoutingCommand,
  type Transport,
} from '../../src/protocol/index.js';
import { settle } from './fake-clock.js';

type Startup = Parameters<typeof StartupRoutingCommand.encode>[0];

/** An agent that does what a test tells it to, packet by packet, and nothing by itself. */
export class FakeAgent {
  readonly transport: Transport;
  /** Everything that came, in order; `receive` takes from its own place in it. */
  readonly received: Packet[] = [];
  closed = false;
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

  startup(fields: Startup = {}, header: Partial<Packet> = {}): Packet {
    return this.request([startupOf(fields)], { flags: FLAG.request, ...header });
  }

  ping(header: Partial<Packet> = {}): Packet {
    const ping = PingRoutingCommand.encode({ hostType: 'Routing', hostId: Math.max(0, Number(this.hostId)) });
    return this.request([ping], header);
  }

  answer(request: Packet, messages: readonly Message[]): void {
    const flags = request.flags & (FLAG.stopOnError | FLAG.inSequence);
    this.transport.send(encodePacket({ ...request, flags, messages }));
  }

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

  close(): void {
    this.transport.close();
  }
}

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

/** The one message of a packet. */
export function only({ messages }: Packet): Message {
  const [message, ...others] = messages;
  if (message === undefined || others.length > 0) throw new Error(`${messages.length} messages instead of one`);
  return message;
}

/** Its simple class name, and its fields as plain objects. */
export function contentOf(packet: Packet): [type: string, fields: Record<string, unknown>] {
  const { type, fields } = only(packet);
  return [type.slice(type.lastIndexOf('.') + 1), structuredClone(fields)];
}
