import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where distributions have programs, whatever the path of this process is. */
const FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/libexec', '/usr/local/bin', '/usr/local/sbin'];

/** @returns the path of an installed program */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...FOLDERS];
  return folders.map(folder => join(folder, name)).find(path => existsSync(path));
}
