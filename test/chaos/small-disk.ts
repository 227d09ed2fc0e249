import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from '../../scripts/galera/processes.js';

const BLOCK = Buffer.alloc(64 * 1_024);

/** A file system of its own in memory, which can be full. */
export interface SmallDisk {
  fill(): Promise<void>;
  free(): Promise<void>;
  close(): Promise<void>;
}

/** @returns undefined where this machine does not permit it */
export async function mountSmallDisk(folder: string, megabytes: number): Promise<SmallDisk | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const { end } = await output('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'muster-chaos', folder]);
  if (end !== 0) return undefined;
  const filler = join(folder, 'filler');
  return {
    async fill() {
      const file = await open(filler, 'w');
      try {
        for (const block of [BLOCK, BLOCK.subarray(0, 4_096)]) {
          // To the last page.
          while (await file.write(block).then(({ bytesWritten }) => bytesWritten === block.length, isFull));
        }
      } finally {
        await file.close();
      }
    },
    free: () => rm(filler, { force: true }),
    // Lazily: whoever still has a file open keeps it.
    close: async () => void (await output('umount', ['-l', folder])),
  };
}

function isFull(error: NodeJS.ErrnoException): false {
  if (error.code === 'ENOSPC') return false;
  throw error;
}
