import { duplexPair } from 'node:stream';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/lib/clock.js';
import { connectTls, LIMITS, secureContext } from '../../../src/protocol/index.js';
import { plainCertificate } from '../../helpers/certificates.js';
import { contentOf, FakeAgent } from '../../helpers/fake-agent.js';
import { settle } from '../../helpers/fake-clock.js';
import { testServer } from '../../helpers/test-server.js';

async function tlsServer(t: Test, configuration: Record<string, string> = {}) {
  const credentials = await plainCertificate();
  const house = await testServer({ configuration, context: secureContext(credentials) });
  t.teardown(() => house.stop('now'));
  /** A connection as the listener gives it, not secured yet. */
  const accept = () => {
    const [near, far] = duplexPair();
    const served = house.server.serve(far, { address: '192.0.2.50', port: 40_000 });
    // A pair in memory does not tell the one end of the other's destruction.
    return { near, served, ended: () => far.destroyed };
  };
  const dial = async () => {
    const { near } = accept();
    const transport = await connectTls(near, {
      clock: systemClock,
      context: secureContext({}),
      handshakeTimeoutMs: 10_000,
      remote: { address: '192.0.2.1', port: 8250 },
      host: '192.0.2.1',
      judge: () => {},
    });
    return new FakeAgent(transport);
  };
  return { ...house, accept, dial };
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

t.test('server: with as many new connections as it takes, another is closed at once; a Startup makes room', async t => {
  const { accept, dial, server } = await tlsServer(t, { 'agent.max.concurrent.new.connections': '2' });
  const one = await dial();
  const idle = accept();
  const third = accept();
  await third.served;
  await settle();
  t.ok(third.ended());
  t.equal(server.turnedAway, 1);
  t.notOk(idle.ended());
  await one.join();
  const fourth = await dial();
  await fourth.join({ guid: 'g4' });
  t.equal(server.turnedAway, 1);
  idle.near.end();
  await idle.served;
  const both = [await dial(), await dial()];
  t.equal(server.turnedAway, 1, 'a handshake that failed, and Startups, have made room');
  await Promise.all(both.map((one, i) => one.join({ guid: `both${i}` })));
});

t.test('server: a refused agent counts as new, and not for longer than one that is silent', async t => {
  const { accept, dial, server, clock } = await tlsServer(t, { 'agent.max.concurrent.new.connections': '1' });
  const refused = await dial();
  for (let round = 0; round < 2; round++) {
    refused.startup({ dataCenter: 'moon' });
    await refused.receive();
    t.equal(server.arriving, 0);
    await accept().served;
    t.equal(server.turnedAway, round + 1);
    await clock.advance(29_000);
  }
  await clock.advance(2_000);
  t.ok(refused.closed);
  await (await dial()).join();
});

t.test('server: a handshake that takes too long ends', async t => {
  const { accept, clock } = await tlsServer(t, { 'agent.ssl.handshake.timeout': '7' });
  const idle = accept();
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
