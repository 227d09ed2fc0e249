/**
 * What tests of programs that speak the protocol need: a fake agent, a fake management server, a proxy with faults, a clock
 * that a test moves, and packets of real CloudStack programs.
 *
 * @example
 * import { secureContext } from 'muster';
 * import { startAgent } from 'muster/agent';
 * import { FakeServer, testCertificate } from 'muster/testing';
 *
 * const server = new FakeServer('127.0.0.1', secureContext(await testCertificate()));
 * const port = await server.listen();
 * const agent = await startAgent({ file: 'agent.properties', overrides: { host: '127.0.0.1', port: String(port) } });
 */

export { FaultyProxy, type FaultyProxyOptions, type ProxyFaults } from '../lib/proxy/faulty-proxy.js';
export { contentOf, FakeAgent, type FakeAgentOptions, only, startupOf } from './fake-agent.js';
export { FakeClock, settle } from './fake-clock.js';
export { type Behaviour, FakeLink, FakeNetwork, FakeServer, type HostIdentity } from './fake-server.js';
export { MemoryTransport, memoryTransports } from './memory-transport.js';
export {
  type RecordedPacket,
  type RecordedRelease,
  recordedPackets,
  recordedSession,
  type SessionPacket,
} from './recorded-packets.js';
export { testCertificate } from './test-certificate.js';
