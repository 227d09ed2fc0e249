import { decodePacket, encodePacket, FLAG, type Message } from '#dist/protocol/index.js';

/** What is measured, each as operations a second. */
const OPERATIONS = ['decode', 'parse', 'encode', 'stringify'] as const;
type Operation = (typeof OPERATIONS)[number];

export interface CodecRates extends Readonly<Record<Operation, number>> {
  readonly name: string;
  /** Length of the packet. */
  readonly bytes: number;
}

/** `decodePacket` and `encodePacket`, beside `JSON.parse` and `JSON.stringify` of the same text. */
export function measureCodec(rounds: number, roundMs: number): CodecRates[] {
  return Object.entries(bodies()).map(([name, messages]) => {
    const packet = { version: 0, flags: FLAG.request, sequence: 1n, mgmtId: -1n, agentId: 7n, via: 7n, messages };
    const bytes = encodePacket(packet);
    const value = messages.map(({ type, fields }) => ({ [type]: fields }));
    const text = JSON.stringify(value);
    const rates = bestOf(rounds, roundMs, {
      decode: () => decodePacket(bytes),
      parse: () => JSON.parse(text),
      encode: () => encodePacket(packet),
      stringify: () => JSON.stringify(value),
    });
    return { name, bytes: bytes.length, ...rates };
  });
}

/** The operations take turns, and the best rate of each counts. */
function bestOf(
  rounds: number,
  roundMs: number,
  actions: Readonly<Record<Operation, () => unknown>>,
): Record<Operation, number> {
  const best = { decode: 0, parse: 0, encode: 0, stringify: 0 };
  for (let round = 0; round < rounds; round++) {
    for (const operation of OPERATIONS) {
      best[operation] = Math.max(best[operation], rateOf(roundMs, actions[operation]));
    }
  }
  return best;
}

function rateOf(ms: number, action: () => unknown): number {
  let count = 0;
  const start = performance.now();
  for (; performance.now() - start < ms; count++) action();
  return count / ((performance.now() - start) / 1000);
}

function bodies(): Readonly<Record<string, readonly Message[]>> {
  const common = { contextMap: {}, wait: 0, bypassHostMaintenance: false };
  const ping = (count: number, more: (vm: number) => Message['fields'] = () => ({})): Message[] => {
    const vms = Array.from({ length: count }, (_, vm) => [
      `i-2-${vm}-VM`,
      { state: 'PowerOn', host: 'kvm-1', ...more(vm) },
    ]);
    return [
      {
        type: 'com.cloud.agent.api.PingRoutingCommand',
        fields: {
          _hostVmStateReport: Object.fromEntries(vms),
          _gatewayAccessible: true,
          _vnetAccessible: true,
          hostType: 'Routing',
          hostId: 7,
          outOfBand: false,
          commandInfos: [],
          ...common,
        },
      },
    ];
  };
  return {
    'small answer': [{ type: 'com.cloud.agent.api.Answer', fields: { result: true, ...common } }],
    'ping, 10 machines': ping(10),
    'ping, 500 machines, gzip': ping(500),
    // With fractions in it a body goes through the parser that keeps numbers as they are written.
    'ping, 10 machines, fractions': ping(10, vm => ({ load: vm + 0.5 })),
  };
}
