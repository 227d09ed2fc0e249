import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import { type Sizes, stepsOfAgent } from './conversation.js';
import type { LoadAgent } from './load-agent.js';

/** The agent's side of the same bytes over plain node:tls. */
export function connectPlain(port: number, context: SecureContext, sizes: Sizes, filler: Buffer): Promise<LoadAgent> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', secureContext: context, rejectUnauthorized: false });
    socket.setNoDelay(true);
    const arrival = stepsOfAgent(sizes);
    let step = 0;
    let bytes = 0;
    let onPingAnswer = () => {};
    const ready = () =>
      resolve({
        uuid: undefined,
        sizes,
        ping: onAnswer => {
          onPingAnswer = onAnswer;
          socket.write(filler.subarray(0, sizes.ping));
        },
        end: () => socket.destroy(),
      });
    socket.on('data', chunk => {
      bytes += chunk.length;
      const { bytes: due, replies } = arrival[step] ?? { bytes: sizes.pingAnswer, replies: [] };
      if (bytes < due) return;
      bytes -= due;
      step++;
      for (const reply of replies) socket.write(filler.subarray(0, reply));
      if (step === arrival.length) ready();
      else if (step > arrival.length) onPingAnswer();
    });
    socket.once('secureConnect', () => socket.write(filler.subarray(0, sizes.startup)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server has closed')));
  });
}
