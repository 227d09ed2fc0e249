import type { AlertStore } from './alert-store.js';
import type { ApiKeyStore } from './api-key-store.js';
import type { AssignmentStore } from './assignment-store.js';
import type { AuthorityStore } from './authority-store.js';
import type { CertificateStore } from './certificate-store.js';
import type { CommandStore } from './command-store.js';
import type { ConfigurationStore } from './configuration-store.js';
import type { EnrollmentStore } from './enrollment-store.js';
import type { EventStore } from './event-store.js';
import type { HostStore } from './host-store.js';
import type { JobStore } from './job-store.js';
import type { LocationStore } from './location-store.js';
import type { MoveStore } from './move-store.js';
import type { RequestStore } from './request-store.js';
import type { ServerStore } from './server-store.js';

/**
 * What the servers of one cluster share, in the words of the domain. Nobody outside this folder knows that it is SQL.
 *
 * Every method may reject with a `StoreError`; after one, nothing of the call has been written, unless the method says
 * otherwise, or the connection broke in the very moment of the commit. None takes longer than 2 s, or 2 s for each
 * transaction where it says that it needs several.
 * @example
 * const store: Store = await openStore('sqlite:data/muster.db', { log: silentLog });
 * const servers = await store.servers();
 * await store.close();
 */
export interface Store
  extends ConfigurationStore,
    AssignmentStore,
    LocationStore,
    HostStore,
    MoveStore,
    ServerStore,
    JobStore,
    EventStore,
    AlertStore,
    SecretStore,
    ApiKeyStore,
    RequestStore,
    AuthorityStore,
    CertificateStore,
    CommandStore,
    EnrollmentStore {
  /** Lets calls under way end; later ones reject with `STORE_CLOSED`. Idempotent. */
  close(): Promise<void>;
}

export interface SecretStore {
  secret(name: string): Promise<Uint8Array | undefined>;
  /** The first writer wins. @returns what the store has now, which may be another server's */
  createSecret(name: string, ciphertext: Uint8Array): Promise<Uint8Array>;
  /** All of them, by name. */
  secrets(): Promise<ReadonlyMap<string, Uint8Array>>;
  /**
   * Replaces secrets, all or none of them.
   * @param changes by name: what the store must have now, and what it gets
   * @returns false when one of them is another by now, and nothing was written
   */
  replaceSecrets(changes: ReadonlyMap<string, SecretChange>): Promise<boolean>;
}

export interface SecretChange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

export * from './alert-store.js';
export * from './api-key-store.js';
export * from './assignment-store.js';
export type * from './authority-store.js';
export type * from './certificate-store.js';
export * from './command-store.js';
export * from './configuration-store.js';
export type * from './enrollment-store.js';
export * from './event-store.js';
export * from './host-store.js';
export * from './job-store.js';
export type * from './location-store.js';
export * from './move-store.js';
export * from './page.js';
export type * from './request-store.js';
export * from './server-store.js';
