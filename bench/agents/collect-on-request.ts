import { setTimeout as sleep } from 'node:timers/promises';

// Loaded into a server before its own program: it collects garbage when the bench asks, and ends with the bench.
process.on('message', async () => {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await sleep(50);
  }
  process.send?.('collected');
});
process.on('disconnect', () => process.exit());
