import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { writeFileAtomic } from '../../lib/files/atomic-file.js';
import { readIfThere } from '../../lib/files/read-if-there.js';
import type { Store } from '../store/store.js';
import type { SealingKey } from './sealing-key.js';

/** The key pair with which clients sign requests of the HTTP API. A cluster has one pair. */
export interface ApiKeys {
  /** Sent with each request. */
  readonly apiKey: string;
  /** The key of the signatures. It is never sent. */
  readonly secretKey: string;
}

const SECRET = 'api.keys';
/** As long as CloudStack's: 86 characters of base64url. */
const KEY_BYTES = 64;

/**
 * The cluster's key pair. The first server makes it.
 * @throws StoreError; FatalError KEY_FILE_UNUSABLE when the pair is sealed under another key
 */
export async function openApiKeys(
  store: Pick<Store, 'secret' | 'createSecret'>,
  sealingKey: SealingKey,
): Promise<ApiKeys> {
  const standing = await store.secret(SECRET);
  if (standing !== undefined) return read(sealingKey.unseal(SECRET, standing));
  const fresh: ApiKeys = { apiKey: randomKey(), secretKey: randomKey() };
  const sealed = await store.createSecret(SECRET, sealingKey.seal(SECRET, Buffer.from(JSON.stringify(fresh))));
  // Another server may have been faster: then the pair is its own.
  return read(sealingKey.unseal(SECRET, sealed));
}

const INI_FILE = 'cloudstack.ini';

/** Whether `data.dir` has the file, and with this key pair: an operator may have replaced the pair. */
export async function iniState(dataDir: string, { secretKey }: ApiKeys): Promise<'none' | 'current' | 'stale'> {
  const text = await readIfThere(join(dataDir, INI_FILE));
  if (text === undefined) return 'none';
  return text.includes(secretKey) ? 'current' : 'stale';
}

/** Writes the file that `cs` and the command line read. @param endpoint the URL of the API @returns the path */
export async function writeIni(dataDir: string, endpoint: string, keys: ApiKeys): Promise<string> {
  const path = join(dataDir, INI_FILE);
  const lines = ['[cloudstack]', `endpoint = ${endpoint}`, `key = ${keys.apiKey}`, `secret = ${keys.secretKey}`, ''];
  await writeFileAtomic(path, lines.join('\n'), { mode: 0o600 });
  return path;
}

function randomKey(): string {
  return randomBytes(KEY_BYTES).toString('base64url');
}

function read(plaintext: Uint8Array): ApiKeys {
  // Only a server with the sealing key can have written it.
  return JSON.parse(Buffer.from(plaintext).toString('utf8')) as ApiKeys;
}
