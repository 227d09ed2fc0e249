import type { AssignmentAttempt } from './assignment-store.js';

/** The global configuration: the same for all servers, each change a new generation. */
export interface ConfigurationStore {
  /** All values at one moment, and the generation they belong to. */
  configuration(): Promise<Configuration>;
  /**
   * Writes each value whose name the store does not have yet.
   * @returns where the store had another value already: that one, which stands
   */
  initialiseConfiguration(values: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>>;
  /**
   * Several values in one generation, and the assignments that belong to them; or nothing of it.
   * @param expectedVersion what the changes were judged by: when the store has another generation, nothing is written
   * @param attempt its assignments count from now on; when another attempt was begun meanwhile, nothing is written
   */
  updateConfiguration(
    changes: ReadonlyMap<string, string>,
    expectedVersion: number,
    attempt?: AssignmentAttempt,
  ): Promise<ConfigurationUpdate>;
}

export interface Configuration {
  /** Raised by every change; 0 before the first. */
  readonly version: number;
  readonly values: ReadonlyMap<string, string>;
  /** The generation of assignments that counts, see `AssignmentStore`; 0 before the first. */
  readonly assignmentGeneration: number;
  /** The id of the last revocation of a certificate, see `CertificateStore`; 0 before the first. */
  readonly revocation: number;
  /** Raised by every change of the CAs, see `AuthorityStore`; 0 before the first. */
  readonly authorities: number;
}

export interface ConfigurationUpdate {
  /** False: the store's generation was not the expected one, or the attempt was not the latest. */
  readonly done: boolean;
  /** The generation that the store has now; changes that changed nothing make no new one, unless assignments did. */
  readonly version: number;
}
