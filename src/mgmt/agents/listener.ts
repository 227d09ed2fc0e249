import { createServer, type Server } from 'node:net';
import type { Clock } from '../../lib/clock.js';
import { cannotListen } from '../../lib/listen-error.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { ManagementServer } from './agent-server.js';

export interface Listener {
  readonly address: string;
  /** The real one, where the setting says 0. */
  readonly port: number;
  /** No new connections; resolves when those that are there have ended, or it takes too long. */
  close(): Promise<void>;
}

/** Gives the server its connections. @throws FatalError */
export async function listen(
  server: Pick<ManagementServer, 'serve'>,
  bind: { readonly address: string; readonly port: number },
  clock: Clock,
): Promise<Listener> {
  const sockets = createServer(
    // A dead machine is noticed in 15 s: Node then probes ten times, a second apart.
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: MGMT_LIMITS.keepAliveMs },
    socket => {
      const { remoteAddress = 'unknown', remotePort = 0 } = socket;
      void server.serve(socket, { address: plain(remoteAddress), port: remotePort });
    },
  );
  await bound(sockets, bind);
  const at = sockets.address();
  return {
    address: bind.address,
    port: typeof at === 'object' && at !== null ? at.port : bind.port,
    close: () =>
      new Promise(resolve => {
        const limit = clock.after(MGMT_LIMITS.stopMs, resolve);
        sockets.close(() => {
          limit.cancel();
          resolve();
        });
      }),
  };
}

function bound(sockets: Server, { address, port }: { address: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    sockets.once('error', cause => reject(cannotListen(address, port, cause)));
    sockets.listen({ host: address, port, backlog: MGMT_LIMITS.backlog }, resolve);
  });
}

/** On a socket for both families IPv4 shows as `::ffff:192.0.2.1`. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
