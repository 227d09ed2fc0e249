import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, FatalError, reasonOf } from '../../lib/errors.js';
import { createFileAtomic } from '../../lib/files/atomic-file.js';
import { makeFolder } from '../../lib/files/make-folder.js';
import { readIfThere } from '../../lib/files/read-if-there.js';
import type { Log } from '../../lib/logger.js';
import { StoreError } from '../store/store-error.js';

/** The key under which the secrets in the store are encrypted. All servers of a cluster have the same one. */
export interface SealingKey {
  /** Encrypts a secret. @param name of the secret in the store */
  seal(name: string, plaintext: Uint8Array): Uint8Array;
  /**
   * Decrypts a secret.
   * @throws FatalError KEY_FILE_UNUSABLE when it was sealed under another key or name, or is damaged; STORE_TOO_NEW when
   *   a later version has sealed it
   */
  unseal(name: string, ciphertext: Uint8Array): Uint8Array;
}

const KEY_BYTES = 32;
const KEY_PATTERN = /^[A-Za-z0-9+/]{43}=$/;

interface KeyFileParts {
  readonly log: Log;
  /** Whether the store has secrets: then the key is not made anew. */
  hasSecrets(): Promise<boolean>;
}

/**
 * Reads the key from its file, which is made if there is none and the store has no secrets yet. Of servers that start at
 * the same time, one makes the file. The file and its folder are synced before the key is used, so that no crash leaves
 * secrets without their key.
 * @throws ConfigError when the file is missing, and the store has secrets; FatalError KEY_FILE_UNUSABLE; StoreError
 */
export async function openSealingKey(path: string, { log, hasSecrets }: KeyFileParts): Promise<SealingKey> {
  try {
    const text = (await readIfThere(path)) ?? (await newKey(path, hasSecrets));
    if (((await stat(path)).mode & 0o077) !== 0) {
      log.warn('key.file may be read by other users of this machine: chmod 600 would keep it private', { path });
    }
    const key = keyOfText(text);
    if (key === undefined) throw unusable(path, `not ${KEY_BYTES} bytes in base64`);
    return sealUnder(key, `key.file=${path}`);
  } catch (error) {
    if (error instanceof FatalError || error instanceof ConfigError || error instanceof StoreError) throw error;
    throw unusable(path, reasonOf(error), error);
  }
}

async function newKey(path: string, hasSecrets: () => Promise<boolean>): Promise<string> {
  if (!(await hasSecrets())) return createKeyFile(path);
  // Another server may have made both after the first look.
  const text = await readIfThere(path);
  if (text === undefined) throw new ConfigError('key.file', path, LOST);
  return text;
}

const LOST =
  'there is no such file, and the store has secrets that are sealed under a key: copy the file from another server of this ' +
  'cluster, or from a backup. If the key is lost for good, delete the rows of the table secret: the servers make a new CA, ' +
  'which every agent has to be given, and new API keys';

function unusable(path: string, reason: string, cause?: unknown): FatalError {
  return new FatalError('KEY_FILE_UNUSABLE', `key.file=${path}: ${reason}`, { cause });
}

/** @returns the text of the file, which this server has made, or another one at the same time */
async function createKeyFile(path: string): Promise<string> {
  await makeFolder(dirname(path), 0o700);
  // Not from `Random`: keys always come from the system's generator.
  await createFileAtomic(path, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  return readFile(path, 'utf8');
}

/** The first byte of a sealed secret. Nonce, ciphertext and tag follow. */
const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** The key that the text of a key file is; undefined when it is none. */
export function keyOfText(text: string): Uint8Array | undefined {
  return KEY_PATTERN.test(text.trim()) ? Buffer.from(text.trim(), 'base64') : undefined;
}

/**
 * A sealing key from its 32 bytes.
 * @param origin the setting that the key comes from, for the message of an error
 * @example
 * const sealingKey = sealUnder(randomBytes(32), 'a key of this program');
 */
export function sealUnder(key: Uint8Array, origin: string): SealingKey {
  // A key for each name: nonces of different secrets cannot collide.
  const keyOf = (name: string) => Buffer.from(hkdfSync('sha256', key, '', `muster secret ${name}`, KEY_BYTES));
  return {
    seal(name, plaintext) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, keyOf(name), nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(name));
      const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
      return new Uint8Array(Buffer.concat([Buffer.of(FORMAT), nonce, body, cipher.getAuthTag()]));
    },
    unseal(name, sealed) {
      if (sealed[0] !== FORMAT) {
        const format = sealed[0] ?? 'none';
        throw new FatalError('STORE_TOO_NEW', `secret ${name}: format ${format}, and this server knows only ${FORMAT}`);
      }
      try {
        if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES) throw new Error('too short');
        const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
        const decipher = createDecipheriv(CIPHER, keyOf(name), nonce, { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(name));
        decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
        const body = decipher.update(sealed.subarray(1 + NONCE_BYTES, -TAG_BYTES));
        return new Uint8Array(Buffer.concat([body, decipher.final()]));
      } catch (cause) {
        throw new FatalError(
          'KEY_FILE_UNUSABLE',
          `${origin} does not fit the store: secret ${name} was sealed under another key. ` +
            'Copy the key of a server that works with this store, or of its backup, there; all servers need the same one. ' +
            'After a change of the key or of the password: reseal.from=FILE, with the former one, seals the secrets anew',
          { cause },
        );
      }
    },
  };
}
