import { setTimeout as sleep } from 'node:timers/promises';

/** Until there is nothing more to collect. Node has to run with `--expose-gc`. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await sleep(50);
  }
}
