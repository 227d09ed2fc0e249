import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export interface StoreProcess {
  /** Opens the store and registers hosts all at once. @returns what ids they got, in that order */
  register(file: string, guids: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** Another process with the store's code loaded, so that several can be let go at the same moment. */
export async function storeProcess(t: Test): Promise<StoreProcess> {
  const child = fork(fileURLToPath(new URL('./store-process-main.js', import.meta.url)));
  t.teardown(() => void child.kill());
  await once(child, 'message');
  return {
    async register(file, guids) {
      child.send({ file, guids });
      const [answer] = await once(child, 'message');
      if (!Array.isArray(answer)) throw new Error(String(answer));
      return new Map(answer);
    },
  };
}
