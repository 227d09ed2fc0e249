import net from 'node:net';
import tls from 'node:tls';
import { systemClock } from '#dist/lib/clock.js';
import {
  acceptTls,
  connectTls,
  Link,
  secureContext,
  type TlsCertificates,
  type Transport,
} from '#dist/protocol/index.js';

/** Five kinds of connections, which have the same conversation: the server sends back each packet of `PACKET_BYTES`. */
export const KIND_NAMES = ['node:net', 'node:tls', 'node:tls, unmerged', 'transport', 'link'] as const;
export type KindName = (typeof KIND_NAMES)[number];

interface Kind {
  /** @returns the port on 127.0.0.1 */
  listen(certificates: TlsCertificates): Promise<number>;
  /** @param onEcho for each packet that has come back */
  connect(port: number, onEcho: () => void): Promise<Connection>;
}

export interface Connection {
  /** Sends one packet. */
  send(): void;
  close(): void;
}

export const PACKET_BYTES = 300;
const PACKET = Buffer.alloc(PACKET_BYTES, 'x');
const MESSAGES = [{ type: 'com.cloud.agent.api.AgentControlCommand', fields: { filler: 'x'.repeat(190), wait: 0 } }];
const HEADER = { flags: 0, mgmtId: -1n, agentId: 7n, via: 7n };
const ANSWER_TIMEOUT_MS = 60_000;
const ADDRESS = '127.0.0.1';
/** No peer is held back: the pace at which a server reads of one link is far below what is measured. */
const ANY_RATE = { perSecond: Number.MAX_SAFE_INTEGER, burst: Number.MAX_SAFE_INTEGER };
const TLS_OPTIONS = {
  clock: systemClock,
  handshakeTimeoutMs: 30_000,
  remote: { address: ADDRESS, port: 0 },
  readRate: { bytes: ANY_RATE, packets: ANY_RATE },
};
const ignore = () => {};

export const KINDS: Readonly<Record<KindName, Kind>> = {
  'node:net': {
    listen: () => listening(net.createServer({ noDelay: true }, echoBytes)),
    connect: (port, onEcho) => connected(net.connect({ port, noDelay: true }), 'connect', onEcho),
  },
  'node:tls': {
    listen: certificates =>
      listening(tls.createServer({ ...certificates, maxVersion: 'TLSv1.2', noDelay: true }, echoBytes)),
    connect: (port, onEcho) =>
      connected(tls.connect({ port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' }), 'secureConnect', onEcho),
  },
  'node:tls, unmerged': {
    listen: certificates =>
      listening(
        tls.createServer({ ...certificates, maxVersion: 'TLSv1.2', noDelay: true }, socket => {
          echoBytes(unmerged(socket));
        }),
      ),
    connect: (port, onEcho) => {
      const socket = tls.connect({ port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
      return connected(unmerged(socket), 'secureConnect', onEcho);
    },
  },
  transport: {
    listen: certificates =>
      listeningSecurely(certificates, transport => {
        transport.listen({ onPacket: packet => transport.send(packet), onClose: ignore });
      }),
    async connect(port, onEcho) {
      const transport = await dial(port);
      transport.listen({ onPacket: onEcho, onClose: ignore });
      return { send: () => transport.send(PACKET), close: () => transport.close() };
    },
  },
  link: {
    listen: certificates =>
      listeningSecurely(certificates, transport => {
        const link = new Link(transport, { clock: systemClock, nextSequence: () => 0n, ownFlags: 0x20 });
        link.start({ onRequest: request => link.answer(request, MESSAGES), onUnreadable: ignore, onClose: ignore });
      }),
    async connect(port, onEcho) {
      let sequence = 0n;
      const link = new Link(await dial(port), { clock: systemClock, nextSequence: () => sequence++ });
      link.start({ onRequest: ignore, onUnreadable: ignore, onClose: ignore });
      return {
        send: () => void link.request(MESSAGES, HEADER, ANSWER_TIMEOUT_MS).then(onEcho, ignore),
        close: () => link.close('measured'),
      };
    },
  },
};

function listening(server: net.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host: ADDRESS }, () => {
      const address = server.address();
      if (typeof address === 'object' && address !== null) resolve(address.port);
    });
  });
}

function listeningSecurely(
  certificates: TlsCertificates,
  onTransport: (transport: Transport) => void,
): Promise<number> {
  const context = secureContext(certificates);
  return listening(
    net.createServer({ noDelay: true }, socket => {
      acceptTls(socket, { ...TLS_OPTIONS, context }).then(onTransport, ignore);
    }),
  );
}

const CLIENT_CONTEXT = secureContext({});

function dial(port: number): Promise<Transport> {
  const socket = net.connect({ port, noDelay: true });
  return connectTls(socket, { ...TLS_OPTIONS, context: CLIENT_CONTEXT, host: ADDRESS, judge: ignore });
}

/** Each write has a record of its own, as framing demands. */
function unmerged(socket: tls.TLSSocket): tls.TLSSocket {
  (socket as { _writev: unknown })._writev = null;
  return socket;
}

/** One write for each packet, as a server that answers requests makes. */
function echoBytes(socket: net.Socket): void {
  socket.on(
    'data',
    wholePackets(() => socket.write(PACKET)),
  );
  socket.on('error', ignore);
}

function wholePackets(onPacket: () => void): (chunk: Buffer) => void {
  let bytes = 0;
  return chunk => {
    bytes += chunk.length;
    for (; bytes >= PACKET_BYTES; bytes -= PACKET_BYTES) onPacket();
  };
}

function connected(
  socket: net.Socket,
  readyEvent: 'connect' | 'secureConnect',
  onEcho: () => void,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.on('data', wholePackets(onEcho));
    socket.once(readyEvent, () => resolve({ send: () => socket.write(PACKET), close: () => socket.end() }));
  });
}
