import { once } from 'node:events';
import { createServer } from 'node:net';
import { codeOf } from '#dist/lib/errors.js';

/** A port that nobody has, on any address, and that Linux gives to no connection by itself: those begin at 32768. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer().listen(port, '0.0.0.0');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (codeOf(error) === 'EADDRINUSE') continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
