import { decodePacket, encodePacket, FLAG } from '../dist/protocol/index.js';

/** Packets a second, beside what JSON.parse and JSON.stringify alone make of the same text. */
export function measureCodec(rounds, ms) {
  return Object.entries(bodies()).map(([name, messages]) => {
    const packet = { version: 0, flags: FLAG.request, sequence: 1n, mgmtId: -1n, agentId: 7n, via: 7n, messages };
    const bytes = encodePacket(packet);
    const value = messages.map(({ type, fields }) => ({ [type]: fields }));
    const text = JSON.stringify(value);
    const rates = bestOf(rounds, ms, {
      decode: () => decodePacket(bytes),
      parse: () => JSON.parse(text),
      encode: () => encodePacket(packet),
      stringify: () => JSON.stringify(value),
    });
    return { name, bytes: bytes.length, ...rates };
  });
}

/** How often a second each action can be done: in turns, and the best counts. */
function bestOf(rounds, ms, actions) {
  const best = {};
  for (let turn = 0; turn < rounds; turn++) {
    for (const [name, action] of Object.entries(actions)) best[name] = Math.max(best[name] ?? 0, rate(ms, action));
  }
  return best;
}

function rate(ms, action) {
  let count = 0;
  const start = performance.now();
  for (; performance.now() - start < ms; count++) action();
  return count / ((performance.now() - start) / 1000);
}

function bodies() {
  const common = { contextMap: {}, wait: 0, bypassHostMaintenance: false };
  const report = (count, more) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, vm) => [`i-2-${vm}-VM`, { state: 'PowerOn', host: 'kvm-1', ...more(vm) }]),
    );
  const ping = (count, more = () => ({})) => [
    {
      type: 'com.cloud.agent.api.PingRoutingCommand',
      fields: {
        _hostVmStateReport: report(count, more),
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
  return {
    'small answer': [{ type: 'com.cloud.agent.api.Answer', fields: { result: true, ...common } }],
    'ping, 10 machines': ping(10),
    'ping, 500 machines, gzip': ping(500),
    // A fraction: JSON.parse must not be trusted with the whole text.
    'ping, 10 machines, fractions': ping(10, vm => ({ load: vm + 0.5 })),
  };
}
