import type { Duplex } from 'node:stream';
import type { Clock } from '../../lib/clock.js';
import { MGMT_LIMITS } from '../config/limits.js';

/**
 * The first bytes of a connection that was accepted without being read. It is read no further.
 * @throws Error: it has ended, or was silent for `MGMT_LIMITS.firstByteMs`; it is closed then
 */
export function firstBytes(socket: Duplex, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let isSilent = true;
    const settle = () => {
      isSilent = false;
      due.cancel();
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onEnd);
    };
    const onData = (chunk: Buffer) => {
      settle();
      socket.pause();
      resolve(chunk);
    };
    const onEnd = () => {
      settle();
      drop(socket);
      reject(new Error('the connection ended without a byte'));
    };
    const due = clock.after(MGMT_LIMITS.firstByteMs, async () => {
      // An event loop that was busy runs its timers before it reads.
      await clock.turn();
      if (isSilent) onEnd();
    });
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onEnd);
    socket.resume();
  });
}

/** Closes a connection of which nothing more is of interest, errors included. */
export function drop(socket: Duplex): void {
  socket.on('error', () => {});
  socket.destroy();
}
