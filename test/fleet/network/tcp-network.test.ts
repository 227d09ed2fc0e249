import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { addressRange } from '../../../src/fleet/load/numbering.js';
import { HeldSocket } from '../../../src/fleet/network/held-socket.js';
import { TcpNetwork } from '../../../src/fleet/network/tcp-network.js';
import { CheckHealthCommand, secureContext } from '../../../src/protocol/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { FakeServer } from '../../../src/testing/fake-server.js';
import { plainCertificate } from '../../helpers/certificates.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { until } from '../../helpers/until.js';

const context = secureContext(await plainCertificate());
const HEADER = { flags: 0, mgmtId: 1n, agentId: 1n, via: 1n };

async function start(t: Test, hasProxies = false) {
  const server = new FakeServer('127.0.0.1', context);
  const port = await server.listen();
  const clock = new FakeClock();
  const addresses = addressRange('127.1.0.0/16');
  const network = new TcpNetwork({ clock, log: new RecordingLog(), hasProxies, addresses });
  t.teardown(async () => {
    await server.close();
    await network.close();
  });
  return {
    ...{ network, server, clock },
    /** A secured connection of an agent: how many packets have come, and why it has ended. */
    async link(agent: number) {
      const wire = await network.dialerOf(agent).connect('127.0.0.1', port, new AbortController().signal);
      const transport = await wire.secure({ clock, context, handshakeTimeoutMs: 5_000, host: '127.0.0.1', judge() {} });
      const link = { packets: 0, ended: undefined as string | undefined, wire, transport };
      transport.listen({
        onPacket: () => link.packets++,
        onClose: error => {
          link.ended = error?.message ?? 'closed';
        },
      });
      return link;
    },
  };
}

t.test('network: servers on loopback see each agent at an address of its own', async t => {
  const { network, server, link } = await start(t);
  const [one, other] = [await link(1), await link(300)];
  await until(() => server.links.length === 2);
  t.strictSame(server.links.map(({ link: { remote } }) => remote.address).sort(), ['127.1.0.1', '127.1.1.44']);
  t.match(one.wire.remote, { address: '127.0.0.1' });
  t.equal(await one.wire.isUnacknowledged(), false);
  t.strictSame(await network.dialerOf(1).addresses('192.0.2.1'), ['192.0.2.1']);
  one.transport.destroy();
  other.transport.destroy();
});

t.test('network: all connections of an agent are reset, for both ends, and those of others stay', async t => {
  const { network, server, link } = await start(t);
  const [one, also, other] = [await link(1), await link(1), await link(2)];
  await until(() => server.links.length === 3);
  network.reset(1);
  t.strictSame([one.ended, also.ended, other.ended], ['reset by the fleet', 'reset by the fleet', undefined]);
  await until(() => server.links.filter(({ closed }) => closed !== undefined).length === 2);
  t.match(server.links.find(({ closed }) => closed !== undefined)?.closed, {
    kind: 'error',
    error: { code: 'ECONNRESET' },
  });
  network.reset(1);
  network.reset(99);
  other.transport.destroy();
});

t.test('network: an agent that is held reads nothing, also on a new connection, until it is let go', async t => {
  const { network, server, link } = await start(t);
  const one = await link(1);
  await until(() => server.links.length === 1);
  const post = () => server.last.link.post([CheckHealthCommand.encode({})], HEADER);
  network.hold(1, true);
  const other = await link(2);
  await until(() => server.links.length === 2);
  server.links[0]?.link.post([CheckHealthCommand.encode({})], HEADER);
  post();
  await until(() => other.packets === 1, 'others read');
  t.equal(one.packets, 0);
  network.hold(1, false);
  await until(() => one.packets === 1);
  post();
  await until(() => other.packets === 2);
  one.transport.destroy();
  other.transport.destroy();
});

t.test('network: through proxies servers see the same addresses, and connections are cut and refused', async t => {
  const { network, server, link } = await start(t, true);
  const { proxies } = network;
  proxies?.setFaults(server => (server === '127.0.0.1' ? {} : { isRefusing: true }));
  const one = await link(7);
  await until(() => server.links.length === 1);
  t.match(server.last.link.remote, { address: '127.1.0.7' });
  t.match(one.wire.remote, { address: '127.0.0.1' });
  proxies?.cut('127.0.0.9');
  t.equal(one.ended, undefined);
  proxies?.cut('127.0.0.1');
  await until(() => one.ended !== undefined);
  proxies?.setFaults(() => ({ isRefusing: true }));
  await t.rejects(link(7));
  proxies?.setFaults(() => ({}));
  const again = await link(7);
  proxies?.cut(undefined);
  await until(() => again.ended !== undefined);
});

/** Both ends of a connection; the near one is read as it comes. */
async function pair(t: Test): Promise<{ near: Socket; far: Socket; received: () => number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  const near = connect(typeof at === 'object' && at !== null ? at.port : 0, '127.0.0.1');
  const [far]: Socket[] = await once(server, 'connection');
  if (far === undefined) throw new Error('nobody has connected');
  t.teardown(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  let bytes = 0;
  near.on('data', chunk => {
    bytes += chunk.length;
  });
  return { near, far, received: () => bytes };
}

t.test('held socket: nothing is read, whoever resumes it, and the sender is held up', async t => {
  const { near, far, received } = await pair(t);
  far.write(Buffer.alloc(1_000));
  await until(() => received() === 1_000);
  const held = new HeldSocket(near, new FakeClock());
  t.notOk(held.set(true, undefined));
  near.resume();
  const all = 64 * 2 ** 20;
  far.write(Buffer.alloc(all));
  await until(() => far.writableLength > 0 && near.bytesRead <= 1_000 + 2 ** 17);
  near.resume();
  t.ok(held.set(false, undefined), 'as any socket again');
  await until(() => received() === 1_000 + all);
  near.pause();
  near.resume();
  far.write('x');
  await until(() => received() === 1_001 + all);
});

t.test(
  'held socket: a slow reader takes what comes at once, and then rests as long as it would have taken',
  async t => {
    const { near, far, received } = await pair(t);
    const clock = new FakeClock();
    const held = new HeldSocket(near, clock);
    held.set(false, 1_000);
    far.write(Buffer.alloc(500));
    await until(() => received() === 500);
    far.write(Buffer.alloc(2_000));
    await clock.advance(499);
    t.equal(received(), 500);
    await clock.advance(1);
    await until(() => received() === 2_500);
    held.set(true, 1_000);
    t.equal(clock.pending, 0);
    held.set(false, undefined);
    far.write('x');
    await until(() => received() === 2_501);
    t.equal(clock.pending, 0);
  },
);
