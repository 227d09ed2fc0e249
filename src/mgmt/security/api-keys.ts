import { createHash, randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import type { Log } from '../../lib/logger.js';
import { invalidArgument, refusedOperation } from '../../lib/operation-error.js';
import type { Random } from '../../lib/random.js';
import { peerText } from '../../lib/text/peer-text.js';
import { MGMT_LIMITS } from '../config/limits.js';
import { type ApiKeyRole, type ApiKeyRow, apiKeySecretName, type NewApiKey, type Store } from '../store/store.js';
import type { SealingKey } from './sealing-key.js';

/** What a client of the HTTP API signs its requests with. */
export interface ApiKeyPair {
  /** Sent with each request. */
  readonly apiKey: string;
  /** The key of the signatures. It is never sent. */
  readonly secretKey: string;
}

/** One of the keys of a cluster. */
export interface ApiKey extends ApiKeyPair {
  /** UUID. */
  readonly id: string;
  /** Unique. What is done with the key is told under this name. */
  readonly name: string;
  /** A `reader` may ask, an `operator` may change as well. */
  readonly role: ApiKeyRole;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** The name of the key that asked for it; null: the first server made it. */
  readonly createdBy: string | null;
}

/** What `ApiKeys` works with. */
export interface ApiKeysParts {
  /** Time and turns of the event loop: `systemClock`, or a clock of a test. */
  readonly clock: Clock;
  /** Chance: `systemRandom`, or one with a seed. */
  readonly random: Random;
  /** Where log lines go. */
  readonly log: Log;
  /** Where keys are kept. */
  readonly store: Pick<Store, 'apiKeys' | 'createFirstApiKey' | 'createApiKey' | 'deleteApiKey' | 'secret'>;
  /** What the secrets in the store are sealed under. */
  readonly sealingKey: SealingKey;
}

/** A key that is asked for. */
export interface CreateApiKeyArguments {
  /** 1 to 64 characters, unique. */
  readonly name: string;
  /** `reader` or `operator`. */
  readonly role: string;
}

/** As long as CloudStack's: 86 characters of base64url. */
const KEY_BYTES = 64;
const NAME_LENGTH = 64;
const ROLES: readonly ApiKeyRole[] = ['reader', 'operator'];
/** The secret in which earlier versions kept the only pair that there was. */
const FORMER_SECRET = 'api.keys';
/** The key that the first server makes. */
const FIRST_NAME = 'operator';
/** Of changes that come in between. */
const ATTEMPTS = 10;

/**
 * The keys with which clients of the HTTP API sign, as this server knows them. They are in the store, their secrets sealed,
 * and are read again when they have changed.
 * @example
 * const sealingKey = sealUnder(randomBytes(32), 'a key of this program');
 * const apiKeys = await ApiKeys.open({ clock: systemClock, random: systemRandom, log: silentLog, store, sealingKey });
 */
export class ApiKeys {
  readonly #parts: ApiKeysParts;
  #version = 0;
  /** By the digest of the key, so that how long a look takes says nothing about the keys. */
  #byDigest: ReadonlyMap<string, ApiKey> = new Map();
  #timer: Timer | undefined;
  #isStopped = false;

  private constructor(parts: ApiKeysParts) {
    this.#parts = parts;
  }

  /**
   * Reads the keys. The first server makes one for an operator; the pair of an earlier version becomes that key.
   * @throws StoreError; FatalError KEY_FILE_UNUSABLE when that pair is sealed under another key
   */
  static async open(parts: ApiKeysParts): Promise<ApiKeys> {
    const keys = new ApiKeys(parts);
    await keys.refresh();
    if (keys.#byDigest.size === 0) {
      await keys.#makeFirst();
      await keys.refresh();
    }
    return keys;
  }

  /** All of them, oldest first. */
  get all(): readonly ApiKey[] {
    return [...this.#byDigest.values()];
  }

  /** The key that a request names. */
  find(apiKey: string): ApiKey | undefined {
    return this.#byDigest.get(digestOf(apiKey));
  }

  /** Reads from now on what other servers change. */
  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(
      MGMT_LIMITS.apiKeyPollMs,
      () => void this.#poll().finally(() => this.start()),
    );
  }

  /** Reads no more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Reads the keys that the store has now. @throws StoreError */
  async refresh(): Promise<void> {
    const { version, keys } = await this.#parts.store.apiKeys(this.#version);
    // An earlier call may come later.
    if (keys === undefined || version < this.#version) return;
    this.#version = version;
    const known = new Map(this.all.map(key => [key.id, key]));
    const opened = keys.map(row => known.get(row.uuid) ?? this.#opened(row)).filter(key => key !== undefined);
    this.#byDigest = new Map(opened.map(key => [digestOf(key.apiKey), key]));
  }

  /**
   * Makes a key. The other servers know it after `MGMT_LIMITS.apiKeyPollMs`.
   * @param createdBy the name of the key that asks for it
   * @throws OperationError ARGUMENT_INVALID (`name`, `role`), OPERATION_REFUSED; StoreError
   */
  async create({ name, role }: CreateApiKeyArguments, createdBy: string | null): Promise<ApiKey> {
    const { store, clock } = this.#parts;
    const wanted = ROLES.find(one => one === role);
    if (wanted === undefined) throw invalidArgument('role', role, `the roles are ${ROLES.join(', ')}`);
    if (name === '' || peerText(name, NAME_LENGTH) !== name) {
      throw invalidArgument('name', name, `1 to ${NAME_LENGTH} characters are allowed, without control characters`);
    }
    const fresh = { name, role: wanted, created: clock.wallTime(), createdBy, ...freshPair() };
    const row = this.#sealed(fresh);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { version, keys = [] } = await store.apiKeys();
      this.#checkRoom(keys, name);
      if (!(await store.createApiKey(row, version))) continue;
      await this.refresh();
      return { ...fresh, id: row.uuid };
    }
    throw refusedOperation('other changes of the API keys came in between again and again');
  }

  /**
   * Deletes a key. The other servers refuse it after `MGMT_LIMITS.apiKeyPollMs`.
   * @returns the key as it was; undefined: this server did not know it
   * @throws OperationError ARGUMENT_INVALID (`id`), OPERATION_REFUSED: it is the last one of an operator; StoreError
   */
  async delete(id: string): Promise<ApiKey | undefined> {
    const key = this.all.find(one => one.id === id);
    const done = await this.#parts.store.deleteApiKey(id);
    await this.refresh();
    if (done === 'unknown') throw invalidArgument('id', id, 'there is no API key with this id');
    if (done === 'last operator') {
      throw refusedOperation('it is the last key of an operator: nobody could make another one');
    }
    return key;
  }

  #checkRoom(keys: readonly ApiKeyRow[], name: string): void {
    if (keys.some(key => key.name === name)) throw invalidArgument('name', name, 'there is an API key with this name');
    if (keys.length >= MGMT_LIMITS.apiKeys) throw refusedOperation(`there are ${keys.length} API keys already`);
    const [oldest] = keys;
    // What this server seals, the others must be able to read.
    if (oldest !== undefined && this.#unsealed(oldest) instanceof Error) {
      throw refusedOperation('the secrets in the store were sealed under another key meanwhile: restart this server');
    }
  }

  async #makeFirst(): Promise<void> {
    const { store, clock, sealingKey } = this.#parts;
    const former = await store.secret(FORMER_SECRET);
    const pair = former === undefined ? freshPair() : formerPair(sealingKey.unseal(FORMER_SECRET, former));
    const key = { name: FIRST_NAME, role: 'operator', created: clock.wallTime(), createdBy: null, ...pair } as const;
    // Another server may have been faster: then the key is its own.
    await store.createFirstApiKey(this.#sealed(key), FORMER_SECRET);
  }

  #sealed({ secretKey, ...key }: Omit<ApiKey, 'id'>): NewApiKey {
    const uuid = this.#parts.random.uuid();
    const sealedSecret = this.#parts.sealingKey.seal(apiKeySecretName(uuid), Buffer.from(secretKey));
    return { ...key, uuid, sealedSecret };
  }

  #opened(row: ApiKeyRow): ApiKey | undefined {
    const secretKey = this.#unsealed(row);
    if (secretKey instanceof Error) {
      // The other keys must work all the same.
      this.#parts.log.error('An API key cannot be used', { name: row.name, reason: secretKey.message });
      return undefined;
    }
    const { uuid, sealedSecret: _sealed, ...key } = row;
    return { ...key, id: uuid, secretKey };
  }

  #unsealed({ uuid, sealedSecret }: ApiKeyRow): string | Error {
    try {
      return Buffer.from(this.#parts.sealingKey.unseal(apiKeySecretName(uuid), sealedSecret)).toString();
    } catch (error) {
      return error as Error;
    }
  }

  async #poll(): Promise<void> {
    try {
      await this.refresh();
    } catch (error) {
      this.#parts.log.debug('The API keys could not be read', { reason: reasonOf(error) });
    }
  }
}

function freshPair(): ApiKeyPair {
  return { apiKey: randomKey(), secretKey: randomKey() };
}

/** Not from `Random`: keys always come from the system's generator. */
function randomKey(): string {
  return randomBytes(KEY_BYTES).toString('base64url');
}

function formerPair(plaintext: Uint8Array): ApiKeyPair {
  // Only a server with the sealing key can have written it.
  return JSON.parse(Buffer.from(plaintext).toString('utf8')) as ApiKeyPair;
}

function digestOf(apiKey: string): string {
  return createHash('sha256').update(apiKey).digest('base64');
}
