/** The keys with which clients of the HTTP API sign, the same for all servers. */
export interface ApiKeyStore {
  /**
   * All keys, oldest first.
   * @param known the version that the caller has: `keys` is left out when it is still the same
   */
  apiKeys(known?: number): Promise<StoredApiKeys>;
  /**
   * A key for a store that has none.
   * @param former the name of a secret that the key takes the place of: it is deleted
   * @returns false when there is a key, and nothing was written
   */
  createFirstApiKey(key: NewApiKey, former: string): Promise<boolean>;
  /**
   * One more key.
   * @param version what the key was judged by: when the store has another version, nothing is written
   */
  createApiKey(key: NewApiKey, version: number): Promise<boolean>;
  /** Never the last key of an operator. */
  deleteApiKey(uuid: string): Promise<ApiKeyDeletion>;
}

/** A `reader` may ask, an `operator` may change as well. */
export type ApiKeyRole = 'reader' | 'operator';

export interface NewApiKey {
  readonly uuid: string;
  /** Unique. */
  readonly name: string;
  readonly role: ApiKeyRole;
  /** Sent with each request. Unique. */
  readonly apiKey: string;
  /** The key of the signatures, sealed. It is one of the secrets, under `apiKeySecretName`. */
  readonly sealedSecret: Uint8Array;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** The name of the key that asked for it; null: the first server. */
  readonly createdBy: string | null;
}

export type ApiKeyRow = NewApiKey;

export interface StoredApiKeys {
  /** Raised by each change; 0 before the first. */
  readonly version: number;
  /** Undefined: the caller has them already. */
  readonly keys: readonly ApiKeyRow[] | undefined;
}

export type ApiKeyDeletion = 'done' | 'unknown' | 'last operator';

/** Under which name the secret of a key is sealed and kept. */
export function apiKeySecretName(uuid: string): string {
  return `api.key.${uuid}`;
}
