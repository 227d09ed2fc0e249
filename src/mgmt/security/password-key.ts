import { hkdfSync, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { SecretStore } from '../store/store.js';
import { type SealingKey, sealUnder } from './sealing-key.js';

/** In the store's table of secrets, in plain: the password alone is secret. */
export const SALT = 'key.salt';
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** 32 MiB and about 0.1 s for each guess of who has a dump of the database. `maxmem` has to be more than what it takes. */
const COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 };

const derive = promisify<string, Uint8Array, number, typeof COST, Buffer>(scrypt);

/** What a password gives. */
export interface PasswordKeys {
  readonly key: SealingKey;
  /** How earlier versions made the key of the same password: without salt, so that one guess served for all stores. */
  readonly unsalted: SealingKey;
}

/**
 * The keys of the password of a database, which all servers know and a dump of the database does not have. The salt is
 * made once and kept in the store.
 * @param origin the setting that the password comes from @throws StoreError
 */
export async function passwordKeys(
  password: string,
  origin: string,
  store: Pick<SecretStore, 'secret' | 'createSecret'>,
): Promise<PasswordKeys> {
  const salt = (await store.secret(SALT)) ?? (await store.createSecret(SALT, randomBytes(SALT_BYTES)));
  return {
    key: sealUnder(await derive(password, salt, KEY_BYTES, COST), origin),
    unsalted: sealUnder(new Uint8Array(hkdfSync('sha256', password, '', 'muster key of db.url', KEY_BYTES)), origin),
  };
}
