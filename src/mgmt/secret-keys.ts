import { readFile } from 'node:fs/promises';
import { ConfigError, reasonOf } from '../lib/errors.js';
import type { Log } from '../lib/logger.js';
import type { MgmtSettings } from './config/settings.js';
import { defaultSealingKey } from './open-store.js';
import { passwordKeys } from './security/password-key.js';
import { reseal, sealedSecrets } from './security/reseal.js';
import { keyOfText, openSealingKey, type SealingKey, sealUnder } from './security/sealing-key.js';
import type { Store } from './store/store.js';

interface SecretKeysParts {
  readonly settings: Pick<MgmtSettings, 'keyFile' | 'dbUrl'>;
  readonly store: Store;
  readonly log: Log;
}

/**
 * The key that the settings say. All secrets in the store are sealed under it then: what an earlier version has sealed under
 * the same password in another way is sealed anew.
 * @throws ConfigError, FatalError KEY_FILE_UNUSABLE, StoreError
 */
export async function openSecretKey(parts: SecretKeysParts): Promise<SealingKey> {
  const hasSecrets = async () => (await sealedSecrets(parts.store)).size > 0;
  const { key, formers } = await keysOf(parts, hasSecrets);
  const names = await reseal(parts.store, formers, key);
  if (names.length > 0) parts.log.info('Sealed the secrets in the store anew, under a salted key', { names });
  return key;
}

/**
 * Seals the secrets in the store anew, under the key that the settings say.
 * @param formerFile has the former key of `key.file`, or the former password of `db.url`
 * @returns the names of what was sealed anew
 * @throws ConfigError, FatalError KEY_FILE_UNUSABLE, StoreError
 */
export async function resealFrom(formerFile: string, parts: SecretKeysParts): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(formerFile, 'utf8');
  } catch (error) {
    throw new ConfigError(RESEAL_FROM, formerFile, reasonOf(error), { cause: error });
  }
  const former = keyOfText(text);
  const { key, unsalted } = await passwordKeys(text.replace(/\r?\n$/, ''), RESEAL_FROM, parts.store);
  const formers = [...(former === undefined ? [] : [sealUnder(former, RESEAL_FROM)]), key, unsalted];
  const now = await keysOf(parts, async () => false);
  return reseal(parts.store, [...formers, ...now.formers], now.key);
}

/** On the command line of `mgmt`. */
export const RESEAL_FROM = 'reseal.from';

/** @param hasSecrets whether a key file that is missing must not be made */
async function keysOf(
  { settings: { keyFile, dbUrl }, store, log }: SecretKeysParts,
  hasSecrets: () => Promise<boolean>,
): Promise<{ readonly key: SealingKey; readonly formers: readonly SealingKey[] }> {
  const source = keyFile === undefined ? defaultSealingKey(dbUrl) : { file: keyFile };
  if ('file' in source) return { key: await openSealingKey(source.file, { log, hasSecrets }), formers: [] };
  const { key, unsalted } = await passwordKeys(source.password, source.origin, store);
  return { key, formers: [unsalted] };
}
