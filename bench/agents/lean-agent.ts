import { connect } from 'node:net';
import type { SecureContext } from 'node:tls';
import {
  Answer,
  connectTls,
  decodeRawPacket,
  encodeRawPacket,
  FLAG,
  isRequest,
  PingRoutingCommand,
  type RawPacket,
  ReadyAnswer,
  rawBodyOf,
  StartupRoutingCommand,
  type Transport,
} from '#dist/protocol/index.js';
import type { Sizes } from './conversation.js';
import type { LoadAgent } from './load-agent.js';

const ADDRESS = '127.0.0.1';
const HANDSHAKE_TIMEOUT_MS = 120_000;
const PING_BYTES = 300;
const UNKNOWN = { mgmtId: -1n, agentId: -1n, via: -1n };
const FIRST_READY = rawBodyOf([ReadyAnswer.encode({ detailsMap: {}, result: true })]);
const SECOND_READY = rawBodyOf([
  ReadyAnswer.encode({ detailsMap: {}, muster: { moveKind: 'connect', moveCause: 'started' }, result: true }),
]);
const YES = rawBodyOf([Answer.encode({ result: true })]);

/** What is told of an agent. */
export interface LeanEvents {
  /** A Ready of the server has come. The second one makes the agent Ready. */
  onReady?(packet: RawPacket): void;
  onPingAnswer?(packet: RawPacket): void;
  /** A request behind the second Ready, which is answered by then. */
  onRequest?(packet: RawPacket): void;
  /** The link has ended behind the second Ready. */
  onEnd?(): void;
}

/**
 * Sends what one of Muster's agents sends, as far as Ready and pings, and reads no more of the answers than it needs: the
 * process that has thousands of them takes as little as possible of the processors that it shares with the server.
 */
export async function connectLean(
  port: number,
  context: SecureContext,
  guid: string,
  events: LeanEvents,
): Promise<LoadAgent> {
  const socket = connect({ port, host: ADDRESS, noDelay: true });
  const options = { context, handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS, remote: { address: ADDRESS, port } };
  const transport = await connectTls(socket, { ...options, host: ADDRESS, judge() {} });
  return registerLean(transport, guid, events);
}

/** From Startup to the second Ready. @throws Error: the server has closed before */
export function registerLean(transport: Transport, guid: string, events: LeanEvents): Promise<LoadAgent> {
  const sent: number[] = [];
  const received: number[] = [];
  let sequence = 0n;
  let readies = 0;
  let ids = UNKNOWN;
  let uuid: string | undefined;
  let pingBody = YES;
  let onPingAnswer = () => {};
  const send = (packet: RawPacket) => {
    const bytes = encodeRawPacket(packet);
    if (sent.length <= 3) sent.push(bytes.length);
    transport.send(bytes);
  };
  const request = (body: RawPacket['body'], flags: number) =>
    send({ version: 0, flags: flags | FLAG.request, sequence: sequence++, ...ids, body });

  return new Promise((resolve, reject) => {
    const agent: LoadAgent = {
      get uuid() {
        return uuid;
      },
      get sizes() {
        return sizesOf(sent, received);
      },
      ping(onAnswer) {
        onPingAnswer = onAnswer;
        request(pingBody, FLAG.stopOnError);
      },
      end: () => transport.destroy(),
    };
    transport.listen({
      onPacket(bytes) {
        if (received.length <= 3) received.push(bytes.length);
        const packet = decodeRawPacket(bytes);
        if (!isRequest(packet)) {
          if (packet.sequence > 0n) {
            events.onPingAnswer?.(packet);
            onPingAnswer();
          } else {
            const text = packet.body.bytes.toString('latin1');
            const hostId = BigInt(/"hostId":(\d+)/.exec(text)?.[1] ?? 0);
            uuid = /"hostUuid":"([^"]+)"/.exec(text)?.[1];
            ids = { mgmtId: -1n, agentId: hostId, via: hostId };
            pingBody = pingOf(Number(hostId));
          }
          return;
        }
        readies++;
        const flags = packet.flags & (FLAG.stopOnError | FLAG.inSequence);
        send({ ...packet, flags, body: readies === 1 ? FIRST_READY : readies === 2 ? SECOND_READY : YES });
        if (readies <= 2) events.onReady?.(packet);
        else events.onRequest?.(packet);
        if (readies === 2) resolve(agent);
      },
      onClose(error) {
        if (readies >= 2) events.onEnd?.();
        else reject(error ?? new Error('the server has closed'));
      },
    });
    request(startupOf(guid), 0);
  });
}

/** The packets in the order in which an agent comes to Ready and pings. */
function sizesOf(sent: readonly number[], received: readonly number[]): Sizes {
  const [startup = 0, ready1Answer = 0, ready2Answer = 0, ping = PING_BYTES] = sent;
  const [startupAnswer = 0, ready1 = 0, ready2 = 0, pingAnswer = 0] = received;
  return { startup, startupAnswer, ready1, ready1Answer, ready2, ready2Answer, ping, pingAnswer };
}

/** Of a host with one virtual machine, whose name makes the packet as long as it is to be. */
function pingOf(hostId: number): RawPacket['body'] {
  const of = (name: string) =>
    rawBodyOf([
      PingRoutingCommand.encode({
        _hostVmStateReport: { [name]: { state: 'PowerOn' } },
        _gatewayAccessible: true,
        _vnetAccessible: true,
        hostType: 'Routing',
        hostId,
      }),
    ]);
  const least = of('x').bytes.length;
  return of('x'.repeat(1 + PING_BYTES - HEADER_BYTES - least));
}

const HEADER_BYTES = 40;

/** What the built-in resource of an agent says of its machine, and the agent of itself. */
function startupOf(guid: string): RawPacket['body'] {
  return rawBodyOf([
    StartupRoutingCommand.encode({
      cpuSockets: 1,
      cpus: 2,
      speed: 2_400,
      cpuArch: 'x86_64',
      memory: 2 ** 35,
      dom0MinMemory: 0,
      poolSync: false,
      supportsClonedVolumes: false,
      caps: 'hvm',
      pool: '/root',
      hypervisorType: 'KVM',
      hostDetails: { 'Host.OS': 'Linux', 'Host.OS.Kernel.Version': '6.1.0-31-amd64', secured: 'false' },
      hostTags: [],
      groupDetails: {},
      gpuDevices: [],
      type: 'Routing',
      dataCenter: 'default',
      pod: 'default',
      cluster: 'default',
      guid: `${guid}-LibvirtComputingResource`,
      name: guid,
      version: '0.1.0',
      privateIpAddress: '192.0.2.2',
      privateMacAddress: '02:fc:00:00:00:01',
      privateNetmask: '255.255.255.0',
      storageIpAddress: '192.0.2.2',
      storageNetmask: '255.255.255.0',
      storageMacAddress: '02:fc:00:00:00:01',
      resourceName: 'LibvirtComputingResource',
      gatewayIpAddress: '192.0.2.2',
      msHostList: ADDRESS,
      connectionTransferred: false,
      arch: 'x86_64',
      muster: {
        version: '0.1.0',
        instanceId: `00000000-0000-4000-8000-${guid.replace(/\D/g, '').padStart(12, '0')}`,
        link: 1,
        failovers: 0,
        moveKind: 'connect',
        capabilities: ['cancel', 'doctor', 'commandIds'],
      },
    }),
  ]);
}
