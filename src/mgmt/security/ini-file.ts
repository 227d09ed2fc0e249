import { join, resolve } from 'node:path';
import { writeFileAtomic } from '../../lib/files/atomic-file.js';
import { readIfThere } from '../../lib/files/read-if-there.js';
import type { ApiKeyPair } from './api-keys.js';

const INI_FILE = 'cloudstack.ini';
/** Beside it: the certificates by which clients verify the API's. */
const CA_FILE = 'cloudstack.ca.crt';

/** What `cloudstack.ini` says. */
export interface IniContent extends ApiKeyPair {
  /** The URL of the API. */
  readonly endpoint: string;
  /** Whether clients verify the API's certificate by what `writeCa` has written. @default false */
  readonly isVerifiedByCa?: boolean;
}

/**
 * Whether `data.dir` has the file that `cs` and the command line read. `stale`: with a key that the cluster does not know.
 * @param keys of the cluster
 */
export async function iniState(dataDir: string, keys: readonly ApiKeyPair[]): Promise<'none' | 'current' | 'stale'> {
  const text = await readIfThere(join(dataDir, INI_FILE));
  if (text === undefined) return 'none';
  return keys.some(({ secretKey }) => text.includes(secretKey)) ? 'current' : 'stale';
}

/** Writes the certificates of the CA beside it. @param caPem the API's certificate is verified by them */
export async function writeCa(dataDir: string, caPem: string): Promise<void> {
  await writeFileAtomic(join(dataDir, CA_FILE), caPem, { mode: 0o644 });
}

/** Writes the file that `cs` and the command line read. @returns the path */
export async function writeIni(
  dataDir: string,
  { endpoint, apiKey, secretKey, isVerifiedByCa = false }: IniContent,
): Promise<string> {
  const path = join(dataDir, INI_FILE);
  const lines = ['[cloudstack]', `endpoint = ${endpoint}`, `key = ${apiKey}`, `secret = ${secretKey}`];
  // `cs` takes a relative path as of the folder in which it is called.
  if (isVerifiedByCa) lines.push(`verify = ${resolve(dataDir, CA_FILE)}`);
  await writeFileAtomic(path, [...lines, ''].join('\n'), { mode: 0o600 });
  return path;
}
