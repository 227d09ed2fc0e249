import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { writeFileAtomic } from '../../lib/atomic-file.js';
import { readIfThere } from '../../lib/read-if-there.js';
import type { Store } from '../store/store.js';
import type { SealingKey } from './sealing-key.js';

/** What a client signs its requests with; one pair for the whole cluster. */
export interface ApiKeys {
  readonly apiKey: string;
  readonly secretKey: string;
}

const SECRET = 'api.keys';
/** As long as CloudStack's: 86 characters of base64url. */
const KEY_BYTES = 64;

/**
 * The cluster's key pair; the first server makes it.
 * @throws StoreError; FatalError when `key.file` is not the one that the pair is sealed under
 */
export async function openApiKeys(
  store: Pick<Store, 'secret' | 'createSecret'>,
  keyFile: SealingKey,
): Promise<ApiKeys> {
  const standing = await store.secret(SECRET);
  if (standing !== undefined) return read(keyFile.unseal(SECRET, standing));
  const fresh: ApiKeys = { apiKey: randomKey(), secretKey: randomKey() };
  const sealed = await store.createSecret(SECRET, keyFile.seal(SECRET, Buffer.from(JSON.stringify(fresh))));
  // Another server may have been faster: then the pair is its own.
  return read(keyFile.unseal(SECRET, sealed));
}

const INI_FILE = 'cloudstack.ini';

/** Whether `data.dir` has the key pair. */
export async function hasIni(dataDir: string): Promise<boolean> {
  return (await readIfThere(join(dataDir, INI_FILE))) !== undefined;
}

/** For `cs`, for cloudmonkey's users, and for our own command line. @returns the path */
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
  // Sealed by us: nobody else can have written it.
  return JSON.parse(Buffer.from(plaintext).toString('utf8')) as ApiKeys;
}
