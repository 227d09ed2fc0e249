import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, createSecureContext } from 'node:tls';
import t from 'tap';
import { RECORD_TYPE } from '../../src/protocol/frame.js';
import { connectTls } from '../../src/protocol/framed-tls.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { Link } from '../../src/protocol/link.js';
import { MemoryBudget } from '../../src/protocol/memory-budget.js';
import { secureContext } from '../../src/protocol/tls-profile.js';
import type { Transport } from '../../src/protocol/transport.js';
import { FakeClock, settle } from '../../src/testing/fake-clock.js';
import { cloudstackCa, plainCertificate } from '../helpers/certificates.js';
import { FOLLOWING, frame, inSteps } from '../helpers/frames.js';
import { RawPeer } from '../helpers/raw-peer.js';
import { agentTls, serverTls, type TlsPairOptions, tlsPair } from '../helpers/tls-pair.js';
import { until } from '../helpers/until.js';
import { loopbackWire, memoryWire, socketPair } from '../helpers/wire-tap.js';

/** All that a transport told: packets and the end. */
class Heard {
  readonly packets: Buffer[] = [];
  readonly ends: (Error | undefined)[] = [];

  constructor(transport: Transport, onPacket?: (packet: Buffer) => void) {
    transport.listen({
      onPacket: packet => {
        this.packets.push(packet);
        onPacket?.(packet);
      },
      onClose: error => this.ends.push(error),
    });
  }

  async packetCount(count: number): Promise<void> {
    await until(() => this.packets.length >= count || this.ends.length > 0, `${count} packets`);
  }

  /** The code of the error that it ended with, or `good`. */
  async end(): Promise<string> {
    await until(() => this.ends.length > 0, 'the end');
    await settle();
    return this.ends.map(error => (error ? ((error as { code?: string }).code ?? error.message) : 'good')).join();
  }
}

/** One of our servers with a peer that puts on the wire what the test says. */
async function rawClient(options: TlsPairOptions = {}) {
  const clock = new FakeClock();
  const wire = memoryWire();
  const [server, peer] = await Promise.all([
    serverTls(wire.serverEnd, { clock, ...options }),
    RawPeer.connect(wire.agentEnd),
  ]);
  return { clock, wire, server, peer, heard: new Heard(server) };
}

/** Whatever happens, nothing may be left behind. */
function isCleanedUp(clock: FakeClock, ...sockets: Duplex[]): boolean {
  return clock.pending === 0 && sockets.every(socket => socket.destroyed);
}

t.test('framed-tls: packets of any size arrive whole and in order, both ways', async t => {
  const { agent, server } = await tlsPair();
  for (const side of [agent, server]) side.raiseLimits(LIMITS.packetBytes);
  const sizes = [1, 39, 300, 16_383, 16_384, 16_385, 60_000, 1, 2, 3, 500_000];
  const packets = sizes.map((size, index) => Buffer.alloc(size, index));
  const [atServer, atAgent] = [new Heard(server), new Heard(agent)];
  for (const packet of packets) {
    agent.send(packet);
    server.send(packet);
  }
  await atServer.packetCount(sizes.length);
  await atAgent.packetCount(sizes.length);
  t.ok(Buffer.concat(atServer.packets).equals(Buffer.concat(packets)));
  t.ok(Buffer.concat(atAgent.packets).equals(Buffer.concat(packets)));
  t.same(
    atServer.packets.map(packet => packet.length),
    sizes,
  );
});

for (const [kind, wireOf] of [
  ['memory', memoryWire],
  ['loopback sockets', loopbackWire],
] as const) {
  t.test(`framed-tls: any split of the ciphertext yields the same packets, over ${kind}`, async t => {
    const packets = [1, 300, 40_000, 2, 16_384, 16_385].map((size, index) => Buffer.alloc(size, index));
    const wrong = [];
    for (const step of [1, 2, 3, 5, 7, 1460, 65_536]) {
      const clock = new FakeClock();
      const wire = await wireOf(step);
      const { agent, server } = await tlsPair({ clock, wire });
      const [atServer, atAgent] = [new Heard(server), new Heard(agent)];
      for (const packet of packets) {
        agent.send(packet);
        server.send(packet);
      }
      for (const heard of [atServer, atAgent]) {
        await heard.packetCount(packets.length);
        const same = heard.packets.every((packet, index) => packets[index]?.equals(packet));
        if (!same || heard.packets.length !== packets.length) wrong.push(`pieces of ${step}`);
      }
      agent.close();
      if ((await atServer.end()) !== 'good' || (await atAgent.end()) !== 'good') wrong.push(`end, pieces of ${step}`);
      await until(() => isCleanedUp(clock, wire.agentEnd, wire.serverEnd), `cleaned up, pieces of ${step}`);
    }
    t.same(wrong, []);
  });
}

t.test('framed-tls: a packet of 45629 bytes travels as three frames, as real peers send it', async t => {
  const wire = memoryWire();
  const { agent, server } = await tlsPair({ wire });
  const heard = new Heard(server);
  agent.send(Buffer.alloc(45_629));
  agent.send(Buffer.alloc(16_384));
  agent.send(Buffer.alloc(300));
  await heard.packetCount(3);
  t.same(
    wire.toServer.frames.map(({ payload, following }) => `${payload.length}${following ? '(F)' : ''}`),
    ['16413(F)', '16413(F)', '12890', '16413', '329'],
  );
});

t.test('framed-tls: every packet starts a record of its own, however fast they come', async t => {
  const wire = memoryWire();
  const { agent, server } = await tlsPair({ wire });
  const heard = new Heard(server);
  for (let packet = 0; packet < 200; packet++) agent.send(Buffer.alloc(10 + packet));
  await heard.packetCount(200);
  t.same(
    wire.toServer.frames.map(({ payload }) => payload.length - 29),
    Array.from({ length: 200 }, (_, packet) => 10 + packet),
  );
});

t.test('framed-tls: packets that wait for each other leave in few writes, one alone in its own at once', async t => {
  const wire = memoryWire();
  const { agent, server } = await tlsPair({ wire });
  const heard = new Heard(server);
  const before = wire.toServer.writes;
  for (let packet = 0; packet < 100; packet++) agent.send(Buffer.alloc(300, packet));
  await heard.packetCount(100);
  t.same(
    heard.packets.map(([first]) => first),
    Array.from({ length: 100 }, (_, packet) => packet),
  );
  // Each has 33 bytes of frame and record, and 16 kB are not held back.
  t.equal(wire.toServer.writes - before, 2);
  agent.send(Buffer.alloc(300));
  await heard.packetCount(101);
  t.equal(wire.toServer.writes - before, 3);
  await until(() => agent.queuedBytes === 0, 'the end of the queue');
});

t.test('framed-tls: an empty packet is not sent, and spoils no other', async t => {
  const wire = memoryWire();
  const { agent, server } = await tlsPair({ wire });
  const heard = new Heard(server);
  agent.send(Buffer.alloc(0));
  agent.send(Buffer.alloc(20_000));
  agent.send(Buffer.alloc(5));
  await heard.packetCount(2);
  t.same(
    heard.packets.map(({ length }) => length),
    [20_000, 5],
  );
});

t.test('framed-tls: all six suites work in both roles, with P-256 and RSA certificates', async t => {
  const certificates = { ECDSA: await plainCertificate(), RSA: await cloudstackCa() };
  const failures = [];
  for (const kind of ['ECDSA', 'RSA'] as const) {
    for (const cipher of ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']) {
      const only = { ciphers: `ECDHE-${kind}-${cipher}`, maxVersion: 'TLSv1.2' } as const;
      for (const contexts of [
        {
          serverContext: createSecureContext({ ...certificates[kind], ...only }),
          agentContext: secureContext({}),
        },
        { serverContext: secureContext(certificates[kind]), agentContext: createSecureContext(only) },
      ]) {
        const wire = memoryWire();
        const { agent, server } = await tlsPair({ ...contexts, wire });
        const [atServer, atAgent] = [new Heard(server), new Heard(agent)];
        for (const size of [300, 40_000]) {
          agent.send(Buffer.alloc(size, size));
          server.send(Buffer.alloc(size, size));
        }
        await atServer.packetCount(2);
        await atAgent.packetCount(2);
        const sizes = [...atServer.packets, ...atAgent.packets].map(({ length }) => length);
        const overhead = (wire.toServer.frames[0]?.payload.length ?? 0) - 305;
        if (sizes.join() !== '300,40000,300,40000' || overhead !== (cipher.startsWith('CHACHA') ? 16 : 24)) {
          failures.push(`${only.ciphers}: ${sizes}, ${overhead}`);
        }
      }
    }
  }
  t.same(failures, []);
});

t.test('framed-tls: a packet sent right before close arrives, then the peer sees a normal end', async t => {
  const clock = new FakeClock();
  const wire = memoryWire();
  const { agent, server } = await tlsPair({ clock, wire });
  const [atServer, atAgent] = [new Heard(server), new Heard(agent)];
  agent.send(Buffer.alloc(60_000, 1));
  agent.send(Buffer.from('shutdown'));
  agent.close();
  agent.send(Buffer.from('never'));
  t.equal(await atServer.end(), 'good');
  t.equal(await atAgent.end(), 'good');
  t.same(atServer.packets.slice(1), [Buffer.from('shutdown')]);
  t.same(
    wire.toServer.frames.filter(({ records }) => records.some(({ type }) => type === RECORD_TYPE.alert)),
    [],
    'FIN alone, no close_notify',
  );
  await until(() => isCleanedUp(clock, wire.agentEnd, wire.serverEnd));
});

t.test('framed-tls: a FIN before anybody listens is told to whoever then does', async t => {
  const { agent, server } = await tlsPair();
  agent.send(Buffer.from('first'));
  agent.close();
  await settle();
  const heard = new Heard(server);
  t.equal(await heard.end(), 'good');
  t.same(heard.packets, [Buffer.from('first')]);
  const late = new Heard(server);
  t.equal(await late.end(), 'good', 'and to a second one at once');
});

t.test('regression: framed-tls: what is queued still goes out behind the FIN of a peer, over sockets', async t => {
  const [agentSocket, serverSocket] = await socketPair();
  agentSocket.allowHalfOpen = true;
  const clock = new FakeClock();
  const [server, peer] = await Promise.all([serverTls(serverSocket, { clock }), RawPeer.connect(agentSocket)]);
  const answer = Buffer.alloc(4 * 2 ** 20, 7);
  const heard = new Heard(server, () => {
    for (let packet = 0; packet < 3; packet++) server.send(answer);
  });
  agentSocket.write(frame(await peer.encrypt(Buffer.from('request'))));
  agentSocket.end();
  await once(agentSocket, 'end');
  t.equal(Buffer.concat(peer.received).length, 3 * answer.length);
  t.equal(await heard.end(), 'good');
  await until(() => isCleanedUp(clock, agentSocket, serverSocket));
});

t.test('framed-tls: closing gives the peer some time for its FIN, and no more', async t => {
  const { clock, wire, server, heard, peer } = await rawClient();
  const late = frame(await peer.encrypt(Buffer.from('late')));
  server.close();
  server.close();
  await settle();
  wire.agentEnd.write(late);
  await clock.advance(LIMITS.lingerMs - 1);
  t.same([heard.packets, heard.ends, wire.serverEnd.destroyed], [[], [], false]);
  await clock.advance(1);
  t.equal(await heard.end(), 'good');
  t.ok(isCleanedUp(clock, wire.serverEnd));
  server.destroy();
  server.close();
  server.send(Buffer.from('into the void'));
  server.raiseLimits(LIMITS.packetBytes);
  t.equal(heard.ends.length, 1);
});

t.test('framed-tls: destroy ends at once, by either side', async t => {
  const clock = new FakeClock();
  const wire = memoryWire();
  const { agent, server } = await tlsPair({ clock, wire });
  const [atServer, atAgent] = [new Heard(server), new Heard(agent)];
  agent.destroy();
  t.equal(atAgent.ends.length, 1);
  t.ok(wire.agentEnd.destroyed);
  agent.destroy();
  t.equal(await atServer.end(), 'good');
  await until(() => isCleanedUp(clock, wire.agentEnd, wire.serverEnd));
  const after = new Heard(agent);
  t.equal(await after.end(), 'good');
});

t.test('framed-tls: a handler that destroys its transport hears of nothing more', async t => {
  const { agent, server } = await tlsPair();
  const heard = new Heard(server, () => server.destroy());
  new Heard(agent);
  for (let packet = 0; packet < 5; packet++) agent.send(Buffer.alloc(10));
  t.equal(await heard.end(), 'good');
  t.equal(heard.packets.length, 1);
});

t.test('framed-tls: a reset is an end with an error', async t => {
  const clock = new FakeClock();
  const [agentSocket, serverSocket] = await socketPair();
  const { server } = await tlsPair({ clock, wire: { agentEnd: agentSocket, serverEnd: serverSocket } });
  const heard = new Heard(server);
  (agentSocket as Socket).resetAndDestroy();
  t.equal(await heard.end(), 'ECONNRESET');
  await until(() => isCleanedUp(clock, serverSocket));
});

t.test('framed-tls: a handshake that does not end in time fails, on both sides', async t => {
  for (const side of [serverTls, agentTls]) {
    const clock = new FakeClock();
    const wire = memoryWire();
    const secured = t.rejects(side(side === serverTls ? wire.serverEnd : wire.agentEnd, { clock }), {
      code: 'HANDSHAKE_TIMEOUT',
    });
    await clock.advance(9_999);
    t.equal(clock.pending, 1);
    await clock.advance(1);
    await secured;
    t.ok(isCleanedUp(clock, side === serverTls ? wire.serverEnd : wire.agentEnd));
  }
});

t.test('framed-tls: a FIN during the handshake fails it, on both sides', async t => {
  for (const [side, end, other] of [
    [serverTls, 'serverEnd', 'agentEnd'],
    [agentTls, 'agentEnd', 'serverEnd'],
  ] as const) {
    for (const begun of [Buffer.alloc(0), Buffer.from([0x16, 3, 1, 2, 0, 1])]) {
      const clock = new FakeClock();
      const wire = memoryWire();
      const secured = t.rejects(side(wire[end], { clock }), { code: 'HANDSHAKE_CLOSED' });
      await settle();
      wire[other].write(begun);
      wire[other].end();
      await secured;
      t.ok(isCleanedUp(clock, wire[end]));
    }
  }
});

t.test('framed-tls: what is no TLS fails the handshake', async t => {
  for (const [bytes, code] of [
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'RECORD_INVALID'],
    [Buffer.from([0, 0, 0, 50]), 'FRAME_EARLY'],
    [Buffer.from([0x16, 3, 1, 0, 4, 9, 9, 9, 9]), 'TLS_FAILED'],
    [Buffer.from([0x15, 3, 3, 0, 2, 2, 40]), 'TLS_FAILED'],
  ] as const) {
    const clock = new FakeClock();
    const wire = memoryWire();
    const secured = t.rejects(serverTls(wire.serverEnd, { clock }), { name: 'ProtocolError', code });
    await settle();
    wire.agentEnd.write(bytes);
    await secured;
    t.ok(isCleanedUp(clock, wire.serverEnd), code);
    // As a server does, which waits for the first bytes before it makes anything.
    const before = memoryWire();
    await t.rejects(serverTls(before.serverEnd, { clock, received: bytes }), { name: 'ProtocolError', code });
    t.ok(isCleanedUp(clock, before.serverEnd), `regression: ${code}, with what was read before`);
  }
});

t.test('framed-tls: a client that speaks only TLS 1.3, or only CBC, is refused with a raw alert', async t => {
  for (const offer of [
    { minVersion: 'TLSv1.3' },
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-SHA' },
  ] as const) {
    const clock = new FakeClock();
    const wire = memoryWire();
    const secured = t.rejects(serverTls(wire.serverEnd, { clock }), { code: 'TLS_FAILED' });
    const client = connect({ socket: wire.agentEnd, rejectUnauthorized: false, ...offer });
    const refused = once(client, 'error').catch(error => [error]);
    await secured;
    await settle();
    t.equal(wire.toAgent.bytes[0] ?? RECORD_TYPE.alert, RECORD_TYPE.alert);
    t.ok(isCleanedUp(clock, wire.serverEnd));
    client.destroy();
    await Promise.race([refused, settle()]);
  }
});

t.test('framed-tls: a server that the judge refuses hears nothing from us', async t => {
  const clock = new FakeClock();
  const wire = memoryWire();
  const accepted = serverTls(wire.serverEnd, { clock });
  const refusal = new Error('not one of ours');
  await t.rejects(
    connectTls(wire.agentEnd, {
      clock,
      context: secureContext({}),
      handshakeTimeoutMs: 10_000,
      remote: { address: '127.0.0.1', port: 8250 },
      host: 'ms.example.org',
      judge: peer => {
        if (!peer.getPeerX509Certificate()) throw new Error('no certificate to judge');
        throw refusal;
      },
    }),
    refusal,
  );
  const server = await accepted;
  t.equal(await new Heard(server).end(), 'good');
  t.same(wire.toServer.frames, []);
  t.ok(isCleanedUp(clock, wire.agentEnd, wire.serverEnd));
});

t.test('framed-tls: only a dotted name travels as SNI', async t => {
  const sent = [];
  for (const host of ['ms.example.org', 'localhost', '10.0.0.1', '::1', 'fe80::1%eth0.5']) {
    const wire = memoryWire();
    const accepted = serverTls(wire.serverEnd);
    const agent = await connectTls(wire.agentEnd, {
      clock: new FakeClock(),
      context: secureContext({}),
      handshakeTimeoutMs: 10_000,
      remote: { address: '127.0.0.1', port: 8250 },
      host,
      judge: () => {},
    });
    if (wire.toServer.bytes.includes(host)) sent.push(host);
    agent.destroy();
    (await accepted).destroy();
  }
  t.same(sent, ['ms.example.org']);
});

t.test('framed-tls: a peer that does not frame loses its link', async t => {
  const clock = new FakeClock();
  const wire = memoryWire();
  const accepted = serverTls(wire.serverEnd, { clock });
  const client = connect({ socket: wire.agentEnd, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
  client.on('error', () => {});
  await once(client, 'secureConnect');
  const heard = new Heard(await accepted);
  client.write('raw');
  t.equal(await heard.end(), 'FRAME_HEADER');
  t.ok(isCleanedUp(clock, wire.serverEnd));
  client.destroy();
});

t.test('framed-tls: frames right behind Finished, in one segment with it, are read', async t => {
  for (const step of [Number.POSITIVE_INFINITY, 1]) {
    const wire = memoryWire(step);
    const accepted = serverTls(wire.serverEnd);
    const connected = agentTls(wire.agentEnd);
    await until(() => wire.toAgent.bytes.length > 0);
    wire.toAgent.hold();
    const server = await accepted;
    const sent = [Buffer.from('at once'), Buffer.alloc(30_000, 1), Buffer.from('and more')];
    for (const packet of sent) server.send(packet);
    await settle();
    wire.toAgent.release();
    const heard = new Heard(await connected);
    await heard.packetCount(3);
    t.ok(Buffer.concat(heard.packets).equals(Buffer.concat(sent)));
  }
});

t.test('framed-tls: several records in a frame, and tiny records with following, are one packet each', async t => {
  const { wire, peer, heard } = await rawClient();
  const parts = [];
  for (const part of inSteps(Buffer.from('three records'), 5)) parts.push(await peer.encrypt(part));
  wire.agentEnd.write(frame(Buffer.concat(parts)));
  const tiny = Buffer.from('byte by byte');
  for (const byte of inSteps(tiny, 1)) wire.agentEnd.write(frame(await peer.encrypt(byte), FOLLOWING));
  wire.agentEnd.write(frame(Buffer.alloc(0)));
  wire.agentEnd.write(frame(Buffer.alloc(0)));
  wire.agentEnd.write(frame(await peer.encrypt(Buffer.from('last'))));
  await heard.packetCount(4);
  t.same(heard.packets.map(String), ['three records', 'byte by byte', '', 'last']);
});

t.test('regression: framed-tls: a packet is heard, whether what breaks the stream comes with it or later', async t => {
  const closeNotify = Buffer.from([0x15, 3, 3, 0, 26]);
  for (const [code, breaks] of [
    ['FRAME_HEADER', closeNotify],
    ['RECORD_INVALID', frame(Buffer.from([0x14, 3, 3, 0, 1, 1]))],
  ] as const) {
    for (const together of [true, false]) {
      const { clock, wire, peer, heard } = await rawClient();
      const packet = frame(await peer.encrypt(Buffer.from('shutdown')));
      if (together) wire.agentEnd.write(Buffer.concat([packet, breaks]));
      else for (const bytes of [packet, breaks]) wire.agentEnd.write(bytes);
      t.equal(await heard.end(), code);
      t.same(heard.packets.map(String), ['shutdown']);
      t.ok(isCleanedUp(clock, wire.serverEnd));
    }
  }
});

t.test('framed-tls: a framed close_notify is a normal end', async t => {
  const { wire, peer, heard } = await rawClient();
  const closeNotify = await peer.records(tls => tls.end());
  t.equal(closeNotify[0], RECORD_TYPE.alert);
  wire.agentEnd.write(frame(closeNotify));
  t.equal(await heard.end(), 'good');
});

t.test('framed-tls: damaged ciphertext ends the link, with an alert in a frame', async t => {
  const { clock, wire, peer, heard } = await rawClient();
  const record = await peer.encrypt(Buffer.from('to be damaged'));
  record[record.length - 1] = (record.at(-1) ?? 0) ^ 1;
  wire.agentEnd.write(frame(record));
  t.equal(await heard.end(), 'TLS_FAILED');
  t.ok(isCleanedUp(clock, wire.serverEnd));
  t.same(
    wire.toAgent.frames.map(({ following, records }) => [following, records.map(({ type }) => type)]),
    [[false, [RECORD_TYPE.alert]]],
  );
  t.same(
    wire.toAgent.units.filter(({ kind }) => kind === 'invalid'),
    [],
  );
});

t.test('framed-tls: records that hold no packet end the link', async t => {
  for (const [what, payload] of [
    ['too short for the cipher', Buffer.from([0x17, 3, 3, 0, 23, ...Buffer.alloc(23)])],
    ['a change of cipher', Buffer.from([0x14, 3, 3, 0, 1, 1])],
    ['a record of no known type', Buffer.from([0x18, 3, 3, 0, 1, 1])],
  ] as const) {
    const { clock, wire, heard } = await rawClient();
    wire.agentEnd.write(frame(payload));
    t.equal(await heard.end(), 'RECORD_INVALID', what);
    t.ok(isCleanedUp(clock, wire.serverEnd), what);
  }
});

t.test('regression: framed-tls: a renegotiation ends the link, whoever begins it', async t => {
  const begun = await rawClient();
  const hello = await begun.peer.records(tls => tls.renegotiate({}, () => {}));
  t.equal(hello[0], RECORD_TYPE.handshake);
  begun.wire.agentEnd.write(frame(hello));
  t.equal(await begun.heard.end(), 'RECORD_INVALID');
  t.ok(isCleanedUp(begun.clock, begun.wire.serverEnd));

  const clock = new FakeClock();
  const wire = memoryWire();
  // Ours would not even ask.
  const context = createSecureContext({ ...(await plainCertificate()), maxVersion: 'TLSv1.2' });
  const [agent, peer] = await Promise.all([
    agentTls(wire.agentEnd, { clock }),
    RawPeer.accept(wire.serverEnd, context),
  ]);
  const heard = new Heard(agent);
  const request = await peer.records(tls => tls.renegotiate({}, () => {}));
  t.equal(request[0], RECORD_TYPE.handshake);
  wire.serverEnd.write(frame(request));
  t.equal(await heard.end(), 'RECORD_INVALID');
  t.ok(isCleanedUp(clock, wire.agentEnd));
});

t.test('framed-tls: before Ready a packet has a small bound, and it ends the link before memory is spent', async t => {
  const { clock, wire, peer, heard } = await rawClient();
  const part = frame(await peer.encrypt(Buffer.alloc(16_384)), FOLLOWING);
  wire.agentEnd.write(part);
  let sent = 16_384;
  for (; heard.ends.length === 0 && sent < 2 * LIMITS.packetBytesBeforeReady; sent += 16_384) {
    wire.agentEnd.write(frame(await peer.encrypt(Buffer.alloc(16_384)), FOLLOWING));
  }
  t.equal(await heard.end(), 'PACKET_TOO_LARGE');
  t.equal(sent, LIMITS.packetBytesBeforeReady + 16_384);
  t.ok(isCleanedUp(clock, wire.serverEnd));
});

t.test('framed-tls: a packet of exactly the bound passes, and a larger one when the bound is raised', async t => {
  const { agent, server } = await tlsPair();
  const heard = new Heard(server);
  agent.send(Buffer.alloc(LIMITS.packetBytesBeforeReady));
  await heard.packetCount(1);
  server.raiseLimits(LIMITS.packetBytes);
  agent.send(Buffer.alloc(3 * LIMITS.packetBytesBeforeReady));
  await heard.packetCount(2);
  t.same(
    heard.packets.map(({ length }) => length),
    [LIMITS.packetBytesBeforeReady, 3 * LIMITS.packetBytesBeforeReady],
  );
});

t.test('framed-tls: links before Ready share a budget, and give all of it back', async t => {
  const budget = new MemoryBudget({ beforeReady: 100_000, ready: 0 });
  const begin = async (bytes: number) => {
    const client = await rawClient({ budget });
    for (let left = bytes; left > 0; left -= 16_384) {
      const part = await client.peer.encrypt(Buffer.alloc(Math.min(left, 16_384)));
      client.wire.agentEnd.write(frame(part, FOLLOWING));
    }
    await settle();
    return client;
  };
  const first = await begin(50_000);
  t.equal(budget.taken, 50_000);
  const second = await begin(60_000);
  t.equal(await second.heard.end(), 'MEMORY_BUDGET');
  t.equal(budget.taken, 50_000, 'the link that ended gave back what it had');

  first.wire.agentEnd.write(frame(await first.peer.encrypt(Buffer.from('end'))));
  await first.heard.packetCount(1);
  t.equal(budget.taken, 0, 'delivery gives back');

  const closes = [(server: Transport) => server.destroy(), (server: Transport) => server.close()];
  for (const close of closes) {
    const third = await begin(50_000);
    t.equal(budget.taken, 50_000);
    close(third.server);
    t.equal(budget.taken, 0);
    third.wire.agentEnd.write(frame(await third.peer.encrypt(Buffer.alloc(1000)), FOLLOWING));
    await settle();
    t.equal(budget.taken, 0, 'and takes nothing more');
    third.wire.agentEnd.end();
    t.equal(await third.heard.end(), 'good');
    t.equal(budget.taken, 0);
  }
  const fourth = await begin(50_000);
  fourth.wire.agentEnd.end();
  t.equal(await fourth.heard.end(), 'good');
  t.equal(budget.taken, 0, 'a FIN in the middle of a packet gives back');
});

t.test('framed-tls: who fills the memory is closed, and not who asks for a little when it is full', async t => {
  const budget = new MemoryBudget({ beforeReady: 100_000, ready: 300_000 });
  const begin = async (bytes: number, isReady = false) => {
    const client = await rawClient({ budget });
    if (isReady) client.server.raiseLimits(LIMITS.packetBytes);
    for (let left = bytes; left > 0; left -= 16_000) {
      const part = await client.peer.encrypt(Buffer.alloc(Math.min(left, 16_000)));
      client.wire.agentEnd.write(frame(part, FOLLOWING));
    }
    await settle();
    return client;
  };
  const ready = await begin(200_000, true);
  const greedy = await begin(60_000);
  const others = [await begin(20_000), await begin(19_000), await begin(2_000)];
  t.equal(await greedy.heard.end(), 'MEMORY_BUDGET');
  t.same(
    [ready, ...others].map(({ heard }) => heard.ends.length),
    [0, 0, 0, 0],
  );
  const second = await begin(150_000, true);
  t.equal(await ready.heard.end(), 'MEMORY_BUDGET', 'Ready links have a share of their own, with the same rule');
  t.equal(budget.taken, 191_000);
  for (const { server } of [...others, second]) server.destroy();
  t.equal(budget.taken, 0);
});

t.test('framed-tls: what a peer does not read counts in the budget too', async t => {
  const budget = new MemoryBudget({ beforeReady: 10_000_000 });
  const [agentEnd, serverEnd] = await socketPair();
  const { server } = await tlsPair({ wire: { agentEnd, serverEnd }, budget });
  const heard = new Heard(server);
  for (let packet = 0; packet < 200; packet++) server.send(Buffer.alloc(100_000));
  t.equal(await heard.end(), 'MEMORY_BUDGET');
  t.equal(budget.taken, 0);
  agentEnd.destroy();
});

const SLOW = { bytes: { perSecond: 1_000, burst: 10_000 }, packets: { perSecond: 10, burst: 20 } };

t.test('framed-tls: packets above the rate come later, all of them, in their order', async t => {
  const { clock, wire, peer, heard, server } = await rawClient({ readRate: SLOW });
  const frames = [];
  for (let packet = 0; packet < 100; packet++) frames.push(frame(await peer.encrypt(Buffer.from([packet]))));
  // Each frame counts as LIMITS.frameCostBytes: the bytes are used up first.
  wire.agentEnd.write(Buffer.concat(frames.slice(0, 39)));
  await settle();
  t.equal(heard.packets.length, 21, 'the burst, and one more');
  await clock.advance(1_000);
  t.equal(heard.packets.length, 31);
  await clock.advance(1_000);
  t.equal(heard.packets.length, 39);
  wire.agentEnd.write(Buffer.concat(frames.slice(39)));
  wire.agentEnd.end();
  await clock.advance(60_000);
  t.same(
    heard.packets.map(packet => packet[0]),
    Array.from({ length: 100 }, (_, packet) => packet),
  );
  t.equal(await heard.end(), 'good', 'the end comes last');
  server.destroy();
  t.ok(isCleanedUp(clock, wire.serverEnd));
});

t.test('framed-tls: bytes above the rate pause the socket, those by unpacking and of empty frames too', async t => {
  const flood = async (options: { readonly frames: readonly Buffer[]; readonly charged?: number }) => {
    const { clock, wire, server, heard, peer } = await rawClient({ readRate: SLOW });
    if (options.charged) server.charge(options.charged);
    wire.agentEnd.write(Buffer.concat(options.frames));
    await settle();
    wire.agentEnd.write(frame(await peer.encrypt(Buffer.from('one'))));
    await settle();
    const before = heard.packets.length;
    const isPaused = wire.serverEnd.isPaused();
    await clock.advance(60_000);
    const after = heard.packets.length;
    server.destroy();
    return [before, isPaused, after];
  };
  t.same(await flood({ frames: [] }), [1, false, 1]);
  t.same(await flood({ frames: [], charged: 12_000 }), [0, true, 1]);
  t.same(await flood({ frames: Array.from({ length: 50 }, () => frame(Buffer.alloc(0), FOLLOWING)) }), [0, true, 1]);
});

t.test('framed-tls: a link that ends while it is paused leaves nothing', async t => {
  for (const end of [
    (server: Transport) => server.destroy(),
    (server: Transport) => server.close(),
    (_: Transport, peer: Duplex) => peer.end(),
  ]) {
    const { clock, wire, server, heard } = await rawClient({ readRate: SLOW });
    server.charge(20_000);
    wire.agentEnd.write(frame(Buffer.alloc(0)));
    await settle();
    t.equal(clock.pending, 1);
    end(server, wire.agentEnd);
    await clock.advance(60_000);
    t.equal(await heard.end(), 'good');
    t.ok(isCleanedUp(clock, wire.serverEnd));
  }
});

t.test('framed-tls: a side that does not listen yet stops the other side by TCP, and loses nothing', async t => {
  const [agentEnd, serverEnd] = await socketPair();
  const { agent, server } = await tlsPair({ wire: { agentEnd, serverEnd } });
  agent.raiseLimits(LIMITS.packetBytes);
  const packets = Array.from({ length: 400 }, (_, index) => Buffer.alloc(100_000, index));
  for (const packet of packets) server.send(packet);
  let still = 0;
  for (let before = -1; still < 50; before = serverEnd.bytesWritten) {
    await settle();
    still = before === serverEnd.bytesWritten ? still + 1 : 0;
  }
  t.ok(agentEnd.bytesRead < 2 ** 20, `${agentEnd.bytesRead} bytes were read`);
  t.ok(server.queuedBytes > 20 * 2 ** 20, `${server.queuedBytes} bytes wait`);
  const heard = new Heard(agent);
  await heard.packetCount(packets.length);
  t.ok(Buffer.concat(heard.packets).equals(Buffer.concat(packets)));
  await until(() => server.queuedBytes === 0);
  agent.destroy();
  t.equal(await new Heard(server).end(), 'good');
});

t.test('framed-tls: a peer that never reads loses its link when the queue is full', async t => {
  const clock = new FakeClock();
  const [agentEnd, serverEnd] = await socketPair();
  const { server } = await tlsPair({ clock, wire: { agentEnd, serverEnd } });
  const link = new Link(server, { clock, nextSequence: () => 1n });
  const closes: unknown[] = [];
  link.start({ onRequest() {}, onUnreadable() {}, onClose: reason => closes.push(reason) });
  // Gzip must not shrink it.
  const noise = Array.from({ length: 100_000 }, (_, index) => (index * 2_654_435_761) % 2 ** 32).join();
  const messages = [{ type: 'a.B', fields: { noise } }];
  let posted = 0;
  t.throws(
    () => {
      for (; posted < 1000; posted++) link.post(messages, { flags: 0, mgmtId: 1n, agentId: 1n, via: 1n });
    },
    { code: 'QUEUE_FULL' },
  );
  t.match(closes, [{ kind: 'error', error: { code: 'QUEUE_FULL' } }]);
  t.ok(isCleanedUp(clock, serverEnd));
  agentEnd.destroy();
});

t.test('framed-tls: a close that the peer does not read ends by itself', async t => {
  const clock = new FakeClock();
  const [agentEnd, serverEnd] = await socketPair();
  const { server } = await tlsPair({ clock, wire: { agentEnd, serverEnd } });
  const heard = new Heard(server);
  for (let packet = 0; packet < 200; packet++) server.send(Buffer.alloc(50_000));
  server.close();
  await clock.advance(LIMITS.lingerMs);
  t.equal(await heard.end(), 'good');
  t.ok(isCleanedUp(clock, serverEnd));
  agentEnd.destroy();
});

t.test('framed-tls: a packet holds on to its own bytes only, not to what came with it', async t => {
  const { wire, peer, heard } = await rawClient();
  const records = [];
  for (let packet = 0; packet < 100; packet++) records.push(frame(await peer.encrypt(Buffer.alloc(50, packet))));
  wire.agentEnd.write(Buffer.concat(records));
  await heard.packetCount(100);
  const held = heard.packets.map(({ buffer }) => buffer.byteLength);
  t.ok(Math.max(...held) <= 16_384, `${Math.max(...held)} bytes`);
});
