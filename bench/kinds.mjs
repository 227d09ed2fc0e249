import net from 'node:net';
import tls from 'node:tls';
import { systemClock } from '../dist/lib/clock.js';
import { acceptTls, connectTls, Link, secureContext } from '../dist/protocol/index.js';

/**
 * The same conversation over four kinds of connections: a server that sends back each packet of `PACKET_BYTES`, and a
 * client. `listen` returns the port; `connect` returns `{ send, close }` and calls `onEcho` for each packet that is back.
 */
export const PACKET_BYTES = 300;
const PACKET = Buffer.alloc(PACKET_BYTES, 'x');
const MESSAGES = [{ type: 'com.cloud.agent.api.AgentControlCommand', fields: { filler: 'x'.repeat(190), wait: 0 } }];
const HEADER = { flags: 0, mgmtId: -1n, agentId: 7n, via: 7n };
const REMOTE = { address: '127.0.0.1', port: 0 };
const OURS = { clock: systemClock, handshakeTimeoutMs: 30_000, remote: REMOTE };

export const KINDS = {
  'node:net': {
    listen: () => listening(net.createServer({ noDelay: true }, echoBytes)),
    connect: (port, onEcho) => connected(net.connect({ port, noDelay: true }), 'connect', onEcho),
  },
  'node:tls': {
    listen: credentials =>
      listening(tls.createServer({ ...credentials, maxVersion: 'TLSv1.2', noDelay: true }, echoBytes)),
    connect: (port, onEcho) =>
      connected(tls.connect({ port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' }), 'secureConnect', onEcho),
  },
  transport: {
    listen: credentials =>
      securely(credentials, transport => {
        transport.listen({ onPacket: packet => transport.send(packet), onClose() {} });
      }),
    async connect(port, onEcho) {
      const transport = await dial(port);
      transport.listen({ onPacket: onEcho, onClose() {} });
      return { send: () => transport.send(PACKET), close: () => transport.close() };
    },
  },
  link: {
    listen: credentials =>
      securely(credentials, transport => {
        const link = new Link(transport, { clock: systemClock, nextSequence: () => 0n, ownFlags: 0x20 });
        link.start({ onRequest: request => link.answer(request, MESSAGES), onUnreadable() {}, onClose() {} });
      }),
    async connect(port, onEcho) {
      let sequence = 0n;
      const link = new Link(await dial(port), { clock: systemClock, nextSequence: () => sequence++ });
      link.start({ onRequest() {}, onUnreadable() {}, onClose() {} });
      const ignore = () => {};
      return {
        send: () => void link.request(MESSAGES, HEADER, 60_000).then(onEcho, ignore),
        close: () => link.close('measured'),
      };
    },
  },
};

function listening(server) {
  return new Promise(resolve => server.listen({ port: 0, host: '127.0.0.1' }, () => resolve(server.address().port)));
}

function securely(credentials, onTransport) {
  const context = secureContext(credentials);
  return listening(
    net.createServer({ noDelay: true }, socket => {
      acceptTls(socket, { ...OURS, context }).then(onTransport, () => {});
    }),
  );
}

const CLIENT = secureContext({});

async function dial(port) {
  const socket = net.connect({ port, noDelay: true });
  return connectTls(socket, { ...OURS, context: CLIENT, host: '127.0.0.1', judge() {} });
}

/** Sends packet by packet, as one who answers requests does. */
function echoBytes(socket) {
  const send = () => socket.write(PACKET);
  socket.on('data', wholePackets(send));
  socket.on('error', () => {});
}

function wholePackets(onPacket) {
  let bytes = 0;
  return chunk => {
    bytes += chunk.length;
    for (; bytes >= PACKET_BYTES; bytes -= PACKET_BYTES) onPacket();
  };
}

function connected(socket, event, onEcho) {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.on('data', wholePackets(onEcho));
    socket.once(event, () => resolve({ send: () => socket.write(PACKET), close: () => socket.end() }));
  });
}
