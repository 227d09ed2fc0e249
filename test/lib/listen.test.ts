import { once } from 'node:events';
import { connect, Server } from 'node:net';
import t from 'tap';
import { freePort } from '../../scripts/programs/free-port.js';
import { FaultyProxy } from '../../src/lib/proxy/faulty-proxy.js';
import { openMetricsPort } from '../../src/metrics/metrics-port.js';
import { tcpAgentsPort } from '../../src/mgmt/agents/agents-port.js';
import { httpServer, listenHttp } from '../../src/mgmt/http/http-server.js';
import { FakeClock } from '../../src/testing/fake-clock.js';

/** Each opens its port. @returns its number, and what closes it */
const ports: Readonly<Record<string, () => Promise<{ port: number; close(): Promise<unknown> }>>> = {
  async 'the agents’'() {
    const agentsPort = tcpAgentsPort({ address: '127.0.0.1', port: 0 });
    const { port } = await agentsPort.open(socket => socket.destroy());
    return { port, close: () => agentsPort.close() };
  },
  async 'the API’s'() {
    const handle = async () => ({ status: 200, body: [], isSigned: false });
    const app = httpServer({ clock: new FakeClock(), api: { handle }, notReady: () => undefined });
    return { port: await listenHttp(app, '127.0.0.1', 0), close: () => app.close() };
  },
  async 'a proxy’s'() {
    const proxy = await FaultyProxy.open({ target: 1 });
    return { port: proxy.port, close: () => proxy.close() };
  },
  async 'the metrics’'() {
    const port = await freePort();
    return {
      port,
      close: await openMetricsPort({ address: '127.0.0.1', port }, { contentType: '', text: async () => '' }),
    };
  },
};

for (const [name, open] of Object.entries(ports)) {
  t.test(`regression: ports: connections that fail before they are accepted do not end ${name}`, async t => {
    const { listen } = Server.prototype;
    t.teardown(() => {
      Server.prototype.listen = listen;
    });
    const listening: Server[] = [];
    Server.prototype.listen = function (this: Server, ...at: unknown[]) {
      listening.push(this);
      return Reflect.apply(listen, this, at);
    };
    const { port, close } = await open();
    // accept(2): the kernel hands over network errors of connections that it has not handed over yet.
    const failed = Object.assign(new Error('accept ENETDOWN'), { code: 'ENETDOWN', syscall: 'accept' });
    for (const server of listening.filter(({ listening }) => listening))
      t.doesNotThrow(() => server.emit('error', failed) && server.emit('error', failed));
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    await close();
  });
}
