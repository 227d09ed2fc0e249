import { FatalError } from '../../lib/errors.js';
import type { SecretChange, SecretStore } from '../store/store.js';
import { SALT } from './password-key.js';
import type { SealingKey } from './sealing-key.js';

/** The secrets in the store that are sealed, by name. @throws StoreError */
export async function sealedSecrets(store: Pick<SecretStore, 'secrets'>): Promise<ReadonlyMap<string, Uint8Array>> {
  return new Map([...(await store.secrets())].filter(([name]) => name !== SALT));
}

/**
 * Seals anew, under `key`, what is sealed under one of `formers`; all of it or nothing. What is sealed under `key` already
 * stays.
 * @returns the names of what was sealed anew
 * @throws FatalError KEY_FILE_UNUSABLE when a secret is sealed under none of them; StoreError
 */
export async function reseal(
  store: Pick<SecretStore, 'secrets' | 'replaceSecrets'>,
  formers: readonly SealingKey[],
  key: SealingKey,
): Promise<readonly string[]> {
  for (;;) {
    const changes = new Map<string, SecretChange>();
    for (const [name, sealed] of await sealedSecrets(store)) {
      if (opened(key, name, sealed) !== undefined) continue;
      const plaintext = formers.map(former => opened(former, name, sealed)).find(found => found !== undefined);
      // Its error says what to do.
      changes.set(name, { from: sealed, to: key.seal(name, plaintext ?? key.unseal(name, sealed)) });
    }
    // Of several servers that start at once, one is the first; the others find its work done.
    if (changes.size === 0 || (await store.replaceSecrets(changes))) return [...changes.keys()];
  }
}

function opened(key: SealingKey, name: string, sealed: Uint8Array): Uint8Array | undefined {
  try {
    return key.unseal(name, sealed);
  } catch (error) {
    if (error instanceof FatalError && error.code === 'KEY_FILE_UNUSABLE') return undefined;
    throw error;
  }
}
