// A program that has the package alone: it tries a real agent against a fake server, behind a proxy with faults.
// Argument: a folder for all files.
import { join } from 'node:path';
import { CheckHealthCommand, decodePacket, type Packet, secureContext } from 'muster';
import { type RunningAgent, silentLog, startAgent } from 'muster/agent';
import {
  type Behaviour,
  contentOf,
  FakeAgent,
  FakeClock,
  type FakeLink,
  FakeServer,
  FaultyProxy,
  memoryTransports,
  type ProxyFaults,
  recordedPackets,
  recordedSession,
  testCertificate,
} from 'muster/testing';

const [folder = ''] = process.argv.slice(2);
const server = new FakeServer('127.0.0.1', secureContext(await testCertificate()));
const proxy = await FaultyProxy.open({ target: await server.listen() });
const agent: RunningAgent = await startAgent({
  file: join(folder, 'agent.properties'),
  overrides: { host: '127.0.0.1', port: String(proxy.port) },
  log: silentLog,
});
const next = (event: 'ready' | 'lost') => new Promise<void>(resolve => void agent.events.on(event, () => resolve()));
if (server.ready.length === 0) await next('ready');
const link: FakeLink = server.last;
const answer: Packet = await link.send([CheckHealthCommand.encode({})]);
console.log(contentOf(answer)[0]);

const [lost, again] = [next('lost'), next('ready')];
proxy.cut();
await lost;
await again;
console.log('ready again:', server.links.length, 'links');
const faults: ProxyFaults = { isRefusing: true };
proxy.faults = faults;
const behaviour: Behaviour = server.behaviour;
await agent.stop();
await proxy.close();
await server.close();

const memory = memoryTransports();
const fake = new FakeAgent(memory.agent);
fake.startup();
memory.server.listen({
  onPacket: bytes => console.log(behaviour, contentOf(decodePacket(bytes))[0]),
  onClose: () => console.log('closed'),
});
await new FakeClock().advance(1);
memory.agent.cut();
await new FakeClock().advance(1);

const [first] = recordedPackets('4.23').filter(({ name }) => name === 'ping-plain-request');
console.log(contentOf(decodePacket(Buffer.from(first?.hex ?? '', 'hex')))[0]);
console.log(recordedSession()[0]?.sender);
