import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { FaultyProxy } from '../../../src/lib/proxy/faulty-proxy.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { until } from '../../helpers/until.js';

/** One end of a connection through the proxy. */
class End {
  readonly socket: Socket;
  received = '';
  error: string | undefined;
  isEnded = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.received += text;
    });
    socket.on('end', () => {
      this.isEnded = true;
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      this.error = code;
    });
  }
}

/** A proxy, and a server behind it. */
async function start(t: Test) {
  const ofServer: End[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => ofServer.push(new End(socket)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const at = server.address();
  const clock = new FakeClock();
  const proxy = await FaultyProxy.open({ target: typeof at === 'object' && at !== null ? at.port : 0, clock });
  t.teardown(async () => {
    await proxy.close();
    for (const { socket } of ofServer) socket.destroy();
    server.close();
  });
  const dial = () => {
    const end = new End(connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true, noDelay: true }));
    t.teardown(() => void end.socket.destroy());
    return end;
  };
  /** A connection that is open at both ends. */
  const open = async () => {
    const before = ofServer.length;
    const agent = dial();
    await until(() => ofServer.length > before);
    return { agent, server: ofServer.at(-1) ?? agent };
  };
  return { proxy, clock, server, dial, open };
}

t.test('proxy: without faults bytes and ends go through, in both directions', async t => {
  const { proxy, clock, open } = await start(t);
  const { agent, server } = await open();
  agent.socket.end('question');
  await until(() => server.received === 'question' && server.isEnded);
  server.socket.end('answer');
  await until(() => agent.received === 'answer' && agent.isEnded);
  await until(() => proxy.size === 0);
  t.equal(clock.pending, 0);
  t.equal(proxy.heldBytes, 0);
});

t.test('proxy: a delay holds up what comes, and keeps its order when it ends', async t => {
  const { proxy, clock, open } = await start(t);
  const { agent, server } = await open();
  proxy.faults = { delayMs: 1_000 };
  agent.socket.write('first ');
  await until(() => proxy.heldBytes === 6);
  await clock.advance(999);
  t.equal(proxy.heldBytes, 6, 'it waits');
  proxy.faults = {};
  agent.socket.end('second');
  await until(() => proxy.heldBytes === 12);
  t.equal(server.received, '');
  await clock.advance(1);
  await until(() => server.isEnded);
  t.equal(server.received, 'first second');
});

t.test('proxy: a cut resets both ends, and what was held is lost', async t => {
  const { proxy, clock, open } = await start(t);
  const { agent, server } = await open();
  proxy.faults = { delayMs: 1_000 };
  agent.socket.write('held');
  await until(() => proxy.heldBytes === 4);
  proxy.cut();
  await until(() => agent.error !== undefined && server.error !== undefined);
  t.same([agent.error, server.error], ['ECONNRESET', 'ECONNRESET']);
  t.equal(proxy.size, 0);
  t.equal(clock.pending, 0, 'no timer is left');
  t.equal(server.received, '');
});

t.test('proxy: a connection is cut behind so many bytes, of both directions together', async t => {
  const { proxy, open } = await start(t);
  proxy.faults = { cutAfterBytes: 10 };
  const { agent, server } = await open();
  agent.socket.write('question');
  await until(() => server.received === 'question');
  server.socket.write('answer');
  // A reset that comes at once with data is read as the end of the stream.
  await until(() => (agent.error !== undefined || agent.isEnded) && server.error !== undefined);
  t.equal(agent.received, 'an', 'up to that byte all arrives');
  t.equal(proxy.size, 0);
  const again = await open();
  again.agent.socket.write('q');
  await until(() => again.server.received === 'q');
  t.equal(proxy.size, 1, 'each connection has its own count');
});

t.test('proxy: a silence holds all, leaves the connection open, and ends without a loss', async t => {
  const { proxy, open } = await start(t);
  const { agent, server } = await open();
  proxy.faults = { silent: 'both' };
  agent.socket.write('question');
  server.socket.end('answer');
  await until(() => proxy.heldBytes === 14);
  t.same([agent.received, server.received, agent.isEnded, proxy.size], ['', '', false, 1]);
  proxy.faults = {};
  await until(() => server.received === 'question' && agent.received === 'answer' && agent.isEnded);
});

for (const [silent, heard] of [
  ['toAgent', 'server'],
  ['toServer', 'agent'],
] as const) {
  t.test(`proxy: silent ${silent} alone, the ${heard} hears the other`, async t => {
    const { proxy, open } = await start(t);
    const { agent, server } = await open();
    proxy.faults = { silent };
    agent.socket.write('from the agent');
    server.socket.write('from the server');
    const [hearing, deaf] = heard === 'server' ? [server, agent] : [agent, server];
    await until(() => hearing.received.startsWith('from the') && proxy.heldBytes > 0);
    t.equal(deaf.received, '');
    proxy.faults = {};
    await until(() => deaf.received === `from the ${heard}`);
  });
}

t.test('proxy: bytes trickle, in each direction at the same rate', async t => {
  const { proxy, clock, open } = await start(t);
  const { agent, server } = await open();
  proxy.faults = { bytesPerSecond: 20 };
  agent.socket.write('0123456789');
  server.socket.write('abcdef');
  await until(() => proxy.heldBytes === 8 + 4);
  for (const [held, sent, back] of [
    [6 + 2, '0123', 'abcd'],
    [4 + 0, '012345', 'abcdef'],
    [2 + 0, '01234567', 'abcdef'],
  ] as const) {
    await clock.advance(100);
    t.equal(proxy.heldBytes, held);
    await until(() => server.received === sent && agent.received === back);
  }
  proxy.faults = { bytesPerSecond: 1 };
  await clock.advance(100);
  await until(() => server.received === '012345678');
  await clock.advance(999);
  t.equal(proxy.heldBytes, 1);
  await clock.advance(1);
  await until(() => server.received === '0123456789');
});

t.test('proxy: it refuses new connections, and those that are open go on', async t => {
  const { proxy, dial, open } = await start(t);
  const { agent, server } = await open();
  proxy.faults = { isRefusing: true };
  const refused = dial();
  await until(() => refused.error !== undefined);
  t.equal(refused.error, 'ECONNRESET');
  agent.socket.write('question');
  await until(() => server.received === 'question');
});

t.test('proxy: a server that is not there resets the connection', async t => {
  const { proxy, server, dial } = await start(t);
  server.close();
  const agent = dial();
  await until(() => agent.error !== undefined);
  t.equal(agent.error, 'ECONNRESET');
  await until(() => proxy.size === 0);
});

t.test('proxy: what it holds is bounded: it reads no further, and goes on when the fault is over', async t => {
  const { proxy, open } = await start(t);
  const { agent, server } = await open();
  proxy.faults = { silent: 'toServer' };
  const all = 64 * 1_048_576;
  agent.socket.end(Buffer.alloc(all));
  await until(() => proxy.heldBytes >= 1_048_576);
  const held = proxy.heldBytes;
  await new FakeClock().advance(1);
  t.equal(proxy.heldBytes, held, 'no more is read');
  t.ok(held < 2 * 1_048_576);
  proxy.faults = {};
  await until(() => server.isEnded, 'all has arrived');
  t.equal(server.received.length, all);
});

t.test('proxy: ends connections in order', async t => {
  const { proxy, open } = await start(t);
  const { agent, server } = await open();
  proxy.end();
  await until(() => agent.isEnded && server.isEnded);
  t.strictSame([agent.error, server.error], [undefined, undefined]);
  agent.socket.end();
  server.socket.end();
  await until(() => proxy.size === 0);
});
