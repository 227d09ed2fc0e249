import { duplexPair } from 'node:stream';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/lib/clock.js';
import { connectTls, LIMITS, secureContext } from '../../../src/protocol/index.js';
import { contentOf, FakeAgent } from '../../../src/testing/fake-agent.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';
import { plainCertificate } from '../../helpers/certificates.js';
import { ANY_NUMBER, type TestServerOptions, testServer } from '../../helpers/test-server.js';

async function tlsServer(t: Test, configuration: Record<string, string> = {}, options: TestServerOptions = {}) {
  const certificates = await plainCertificate();
  const bench = await testServer({ ...options, configuration, context: secureContext(certificates) });
  t.teardown(() => bench.stop('now'));
  /** A connection as the listener gives it, not secured yet. */
  const accept = (address = '192.0.2.50') => {
    const [near, far] = duplexPair();
    const served = bench.server.serve(far, { address, port: 40_000 });
    // A pair in memory does not tell the one end of the other's destruction.
    return { near, served, ended: () => far.destroyed };
  };
  const dial = async () => {
    const { near, ended } = accept();
    const transport = await connectTls(near, {
      clock: systemClock,
      context: secureContext({}),
      handshakeTimeoutMs: 10_000,
      remote: { address: '192.0.2.1', port: 8250 },
      host: '192.0.2.1',
      judge: () => {},
    });
    return Object.assign(new FakeAgent(transport), { ended });
  };
  return { ...bench, accept, dial };
}

t.test('server: an agent becomes Ready and pings over TLS and frames', async t => {
  const { dial, row } = await tlsServer(t);
  const one = await dial();
  await one.join();
  one.ping();
  t.equal(contentOf(await one.receive())[0], 'PingAnswer');
  t.equal(row(1)?.status, 'Up');
});

t.test('server: it never speaks before the agent does', async t => {
  const { dial } = await tlsServer(t);
  const one = await dial();
  await settle();
  t.strictSame(one.received, []);
});

t.test('regression: server: what is no TLS is closed at its first bytes', async t => {
  const { accept, server } = await tlsServer(t);
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\x02hi', 'x']) {
    const { near, served, ended } = accept();
    near.write(bytes);
    await served;
    t.ok(ended(), JSON.stringify(bytes));
  }
  t.equal(server.turnedAway, 0);
});

t.test(
  'server: with as many new connections as it takes, the oldest silent one goes; a Startup makes room',
  async t => {
    const { accept, dial, server } = await tlsServer(t, { 'agent.max.concurrent.new.connections': '2' });
    const one = await dial();
    const silent = accept();
    const third = await dial();
    await silent.served;
    t.ok(silent.ended());
    t.equal(server.turnedAway, 0);
    const refused = accept();
    await refused.served;
    t.ok(refused.ended(), 'the others have begun only just now');
    t.equal(server.turnedAway, 1);
    await one.join();
    await third.join({ guid: 'g3' });
    const both = [await dial(), await dial()];
    await Promise.all(both.map((one, i) => one.join({ guid: `both${i}` })));
    t.equal(server.turnedAway, 1, 'Startups have made room');
  },
);

t.test('server: an address that has its share loses its own connections, and does not keep others out', async t => {
  const { accept, dial, lines } = await tlsServer(t, {
    'agent.max.concurrent.new.connections': '4',
    'agent.max.concurrent.new.connections.per.address': '3',
  });
  const silent = Array.from({ length: 10 }, () => accept('203.0.113.9'));
  await settle();
  t.same(
    silent.map(({ ended }) => ended()),
    [...Array(7).fill(true), false, false, false],
  );
  await (await dial()).join();
  t.equal(silent.filter(({ ended }) => ended()).length, 7);
  t.match(
    lines.filter(({ level }) => level === 'warn'),
    [{ message: /Too many connections that have not registered/, fields: { address: '203.0.113.9' } }],
    'told once',
  );
});

t.test('server: a refused agent counts as one that has not registered, and goes when the place is needed', async t => {
  const { dial, clock, accept, server } = await tlsServer(t, { 'agent.max.concurrent.new.connections': '1' });
  const refused = await dial();
  refused.startup({ dataCenter: 'moon' });
  await refused.receive();
  t.equal(server.arriving, 0);
  await accept().served;
  t.equal(server.turnedAway, 1);
  await clock.advance(5_000);
  await (await dial()).join();
  t.ok(refused.ended());
});

t.test('server: who comes while it has enough to do waits unread, and is served when its turn comes', async t => {
  const { accept, dial, server, clock } = await tlsServer(t, {
    'agent.max.concurrent.new.connections.per.address': '200',
  });
  const silent = Array.from({ length: 64 }, () => accept());
  const waiting = accept('192.0.2.60');
  waiting.near.write('\x16');
  await settle();
  t.match(server.underWay, { waiting: 1, handshake: 64 });
  silent[0]?.near.end();
  await silent[0]?.served;
  await settle();
  t.match(server.underWay, { waiting: 0, handshake: 64 });
  const late = dial();
  await settle();
  t.equal(server.underWay.waiting, 1);
  // Those that say nothing have had their turn, and their time.
  await clock.advance(1_100);
  await (await late).join();
  t.equal(server.underWay.waiting, 0);
  t.equal(server.turnedAway, 0);
});

t.test('server: what connections cost is measured while they come, and not when none is left', async t => {
  const clock = new FakeClock();
  const asked: number[] = [];
  const loopUtilization = () => {
    asked.push(clock.now());
    return 0.25;
  };
  const { dial, server } = await tlsServer(t, ANY_NUMBER, { clock, loopUtilization });
  const join = async (guid: string) => (await dial()).join({ guid });
  await join('g0');
  await clock.advance(5_000);
  t.same(asked.splice(0), [0, 100]);
  for (let window = 0; window < 12; window++) {
    for (let n = 0; n < 10; n++) await join(`g${window}-${n}`);
    await clock.advance(100);
  }
  const told = Array.from({ length: 12 }, (_, window) => [5_000 + 100 * window, 5_100 + 100 * window]).flat();
  t.same(asked, told, 'what was before the first one that comes is left out');
  t.equal(
    Math.round(server.rate),
    Math.round(121 / (13 * 0.1 * 0.25)),
    '121 in 13 windows, in a quarter of their time',
  );
});

t.test('server: connections that end unmeasured count as none', async t => {
  const { accept, dial, server, clock } = await tlsServer(t, ANY_NUMBER);
  const all = Array.from({ length: 60 }, () => accept());
  await settle();
  server.closeArriving();
  for (const { served } of all) await served;
  await (await dial()).join();
  await clock.advance(2_000);
  t.equal(server.rate, 200);
});

t.test('server: a connection that waits for its turn is closed with the port', async t => {
  const { accept, server } = await tlsServer(t, { 'agent.max.concurrent.new.connections.per.address': '200' });
  const all = Array.from({ length: 70 }, () => accept());
  await settle();
  t.equal(server.underWay.waiting, 6);
  server.closeArriving();
  for (const { served } of all) await served;
  t.ok(all.every(({ ended }) => ended()));
  t.match(server.underWay, { waiting: 0, handshake: 0 });
});

t.test('server: a refused agent that nobody needs the place of stays no longer than one that is silent', async t => {
  const { dial, clock } = await tlsServer(t);
  const refused = await dial();
  for (let round = 0; round < 2; round++) {
    refused.startup({ dataCenter: 'moon' });
    await refused.receive();
    await clock.advance(29_000);
    t.notOk(refused.closed);
  }
  await clock.advance(2_000);
  t.ok(refused.closed);
});

t.test(
  'server: a connection that says nothing for 5 s is closed; one that has begun has the time of the handshake',
  async t => {
    const { accept, clock } = await tlsServer(t);
    const silent = accept();
    const slow = accept();
    slow.near.write('\x16');
    await clock.advance(4_999);
    t.notOk(silent.ended());
    await clock.advance(1);
    await silent.served;
    t.ok(silent.ended());
    t.notOk(slow.ended());
    await clock.advance(25_000);
    await slow.served;
    t.ok(slow.ended());
  },
);

t.test('server: what has come while the event loop was busy counts as said in time', async t => {
  const { accept, clock } = await tlsServer(t);
  const one = accept();
  clock.stall(10_000);
  one.near.write('\x16');
  await clock.advance(0);
  t.notOk(one.ended());
});

t.test('server: of one host that registers again and again without becoming Ready, the newest links stay', async t => {
  const { dial } = await tlsServer(t);
  const links = [];
  for (let i = 0; i < 10; i++) {
    const one = await dial();
    one.startup();
    await one.receive();
    links.push(one);
  }
  t.same(
    links.map(({ ended }) => ended()),
    [true, true, ...Array(8).fill(false)],
  );
});

t.test('server: a handshake that takes too long ends', async t => {
  const { accept, clock } = await tlsServer(t, { 'agent.ssl.handshake.timeout': '7' });
  const idle = accept();
  idle.near.write('\x16');
  await clock.advance(6_999);
  t.notOk(idle.ended());
  await clock.advance(1);
  await idle.served;
  await settle();
  t.ok(idle.ended());
});

t.test('server: a body too large before Ready closes the link; on a Ready one it is served', async t => {
  const { agent } = await testServer();
  const ping = {
    type: 'com.cloud.agent.api.PingCommand',
    fields: { padding: 'x'.repeat(LIMITS.packetBytesBeforeReady) },
  };
  const ready = agent();
  await ready.join();
  ready.request([ping], { flags: 0x83 });
  t.equal(contentOf(await ready.receive())[0], 'PingAnswer');
  const stranger = agent();
  stranger.request([ping], { flags: 0x81 });
  await t.rejects(stranger.receive());
});

t.test('server: one that stops takes nobody, and ends what is on its way', async t => {
  const { accept, dial, stop } = await tlsServer(t);
  const one = await dial();
  await one.join();
  const handshaking = accept();
  await stop('orderly');
  await handshaking.served;
  const late = accept();
  await late.served;
  await settle();
  t.ok(handshaking.ended());
  t.ok(late.ended());
  t.ok(one.closed);
});
