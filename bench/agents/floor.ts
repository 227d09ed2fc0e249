import { constants } from 'node:crypto';
import { createServer, type TLSSocket } from 'node:tls';
import type { TlsCertificates } from '#dist/protocol/index.js';
import { serveParent } from '../child.js';
import { collectGarbage } from '../collect-garbage.js';
import { type Sizes, stepsOfServer } from './conversation.js';

/** As `secureContext` of the protocol, and the certificates of clients are asked for, and judged behind the handshake. */
const AS_MUSTER = {
  ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  requestCert: true,
  rejectUnauthorized: false,
} as const;

/**
 * What the same handshakes and packets cost without Muster: a plain node:tls server that answers by the number of bytes.
 * A process of its own.
 */
const operations = {
  /** @returns the port */
  listen({ certificates, sizes }: { certificates: TlsCertificates; sizes: Sizes }): Promise<number> {
    const filler = Buffer.alloc(Math.max(...Object.values(sizes)), 'x');
    const { arrival, ping } = stepsOfServer(sizes);
    const serve = (socket: TLSSocket) => {
      let step = 0;
      let bytes = 0;
      socket.on('data', chunk => {
        bytes += chunk.length;
        for (
          let { bytes: due, replies } = arrival[step] ?? ping;
          bytes >= due;
          { bytes: due, replies } = arrival[step] ?? ping
        ) {
          bytes -= due;
          step++;
          for (const reply of replies) socket.write(filler.subarray(0, reply));
        }
      });
      socket.on('error', () => {});
    };
    const server = createServer({ ...certificates, ...AS_MUSTER, noDelay: true }, serve);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, () => {
        const address = server.address();
        if (typeof address === 'object' && address !== null) resolve(address.port);
      });
    });
  },
  collect: collectGarbage,
};

export type FloorOperations = typeof operations;

serveParent(operations);
