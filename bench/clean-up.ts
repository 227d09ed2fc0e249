import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What is to be done before this process ends, however it does. */
const due = new Set<() => void>();
const INTERRUPTED = 130;

process.on('exit', () => {
  for (const action of due) action();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(INTERRUPTED));

/** @returns carries the action out now; without that it is carried out when the process ends. Once */
export function atEnd(action: () => void): () => void {
  const once = () => {
    if (due.delete(once)) action();
  };
  due.add(once);
  return once;
}

/** Gives a temporary folder, and removes it afterwards. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-bench-'));
  const remove = atEnd(() => rmSync(folder, { recursive: true, force: true }));
  try {
    return await use(folder);
  } finally {
    remove();
  }
}
