import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import t from 'tap';
import { startAgent } from '../../src/agent/index.js';
import { silentLog } from '../../src/lib/logger.js';
import { CheckHealthCommand, secureContext } from '../../src/protocol/index.js';
import { contentOf, FakeAgent, FakeServer, FaultyProxy, testCertificate } from '../../src/testing/index.js';
import { testFolder } from '../helpers/scratch.js';
import { until } from '../helpers/until.js';

t.test('testing: a real agent and a fake server, through a proxy that cuts', async t => {
  const server = new FakeServer('127.0.0.1', secureContext(await testCertificate()));
  const proxy = await FaultyProxy.open({ target: await server.listen() });
  t.teardown(async () => {
    await proxy.close();
    await server.close();
  });
  const agent = await startAgent({
    file: join(testFolder(t), 'agent.properties'),
    overrides: { host: '127.0.0.1', port: String(proxy.port) },
    log: silentLog,
  });
  t.teardown(() => agent.stop());
  const told: string[] = [];
  agent.events.on('ready', ({ host }) => told.push(`ready ${host}`));
  agent.events.on('lost', ({ host }) => told.push(`lost ${host}`));
  await until(() => told.length === 1 && server.ready.length === 1);
  const answer = await server.last.send([CheckHealthCommand.encode({})]);
  t.same(contentOf(answer)[0], 'CheckHealthAnswer');
  proxy.cut();
  await until(() => told.length === 3 && server.ready.length === 1);
  t.same(told, ['ready 127.0.0.1', 'lost 127.0.0.1', 'ready 127.0.0.1']);
});

t.test('testing: a fake agent and a fake server; a proxy resets a connection behind so many bytes', async t => {
  const server = new FakeServer('127.0.0.1', secureContext(await testCertificate()));
  const proxy = await FaultyProxy.open({ target: await server.listen() });
  t.teardown(async () => {
    await proxy.close();
    await server.close();
  });
  const agent = await FakeAgent.connect({ port: proxy.port });
  await agent.join();
  t.equal(proxy.size, 1);
  proxy.faults = { cutAfterBytes: 1 };
  agent.ping();
  await t.rejects(agent.receive(), /closed the link/);
  proxy.faults = { isRefusing: true };
  await t.rejects(FakeAgent.connect({ port: proxy.port }));
});

t.test('testing: a fake server that says nothing, or closes at once, ends all the same', async t => {
  for (const behaviour of ['mute', 'hang', 'close', 'refuse'] as const) {
    const server = new FakeServer('127.0.0.1', secureContext(await testCertificate()));
    server.behaviour = behaviour;
    const socket = connect(await server.listen(), '127.0.0.1');
    socket.on('error', () => {});
    const ended = new Promise(resolve => socket.once('close', resolve));
    await until(() => server.connections === 1 || socket.destroyed);
    await server.close();
    // Without reading, the end is not seen.
    socket.resume();
    await ended;
    t.ok(socket.destroyed, behaviour);
  }
});

t.test('regression: testing: an agent that resets a connection which a fake server lets hang ends no test', async t => {
  const server = new FakeServer('127.0.0.1', secureContext(await testCertificate()));
  server.behaviour = 'hang';
  const accepted: Duplex[] = [];
  const accept = server.accept.bind(server);
  server.accept = (socket, remote) => {
    accepted.push(socket);
    return accept(socket, remote);
  };
  const port = await server.listen();
  const [resets, hangs] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  hangs.on('error', () => {});
  await until(() => accepted.length === 2);
  resets.resetAndDestroy();
  await until(() => accepted.some(({ destroyed }) => destroyed));
  await t.resolves(server.close(), 'also while one hangs');
});
