import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createFileAtomic } from '../../lib/atomic-file.js';
import { FatalError, reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { readIfThere } from '../../lib/read-if-there.js';

/** The key that all servers of a cluster have, and under which what the store must not tell is kept in it. */
export interface SealingKey {
  seal(name: string, plaintext: Uint8Array): Uint8Array;
  /** Throws a FatalError when the text was sealed under another key or name, or is damaged. */
  unseal(name: string, ciphertext: Uint8Array): Uint8Array;
}

const KEY_BYTES = 32;
const KEY_PATTERN = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Reads the key, and makes it first where there is none. Servers that start together agree on one: only the first
 * of them makes the file, with a sync of its folder, so that the store never outlives its key.
 */
export async function openSealingKey(path: string, { log }: { readonly log: Log }): Promise<SealingKey> {
  try {
    const text = (await readIfThere(path)) ?? (await createKeyFile(path));
    if (((await stat(path)).mode & 0o077) !== 0) {
      log.warn('key.file may be read by other users of this machine: chmod 600 would keep it private', { path });
    }
    if (!KEY_PATTERN.test(text.trim())) throw unusable(path, `not ${KEY_BYTES} bytes in base64`);
    return sealUnder(Buffer.from(text.trim(), 'base64'), `key.file=${path}`);
  } catch (error) {
    if (error instanceof FatalError) throw error;
    throw unusable(path, reasonOf(error), error);
  }
}

function unusable(path: string, reason: string, cause?: unknown): FatalError {
  return new FatalError('KEY_FILE_UNUSABLE', `key.file=${path}: ${reason}`, { cause });
}

/** @returns the text of the file that is there afterwards, ours or another server's */
async function createKeyFile(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // Keys come from the system's generator alone: nobody may be able to pass in one that can be foretold.
  await createFileAtomic(path, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  return readFile(path, 'utf8');
}

/** The first byte of every sealed secret; the rest is nonce, ciphertext, tag. */
const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** @param origin the setting that the key comes from, for whoever has to mend a wrong one */
export function sealUnder(key: Uint8Array, origin: string): SealingKey {
  // A key for each name: no nonce can meet another of a secret that is written more often.
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
            'Copy the key of a server that works with this store, or of its backup, there; all servers need the same one',
          { cause },
        );
      }
    },
  };
}
