import type { AssignmentAttempt } from './assignment-store.js';

/** The global configuration: the same for all servers, each change a new generation. */
export interface ConfigurationStore {
  /** Where the configuration stands, without its values. */
  configurationState(): Promise<ConfigurationState>;
  /** All values at one moment, and the generation they belong to. */
  configuration(): Promise<Configuration>;
  /**
   * Writes each value whose name the store does not have yet.
   * @returns where the store had another value already: that one, which stands
   */
  initialiseConfiguration(values: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>>;
  /**
   * Several values in one generation, and what belongs to them; or nothing of it.
   * @param expectedVersion what the changes were judged by: when the store has another generation, nothing is written
   */
  updateConfiguration(
    changes: ReadonlyMap<string, string>,
    expectedVersion: number,
    also?: ConfigurationAlso,
  ): Promise<ConfigurationUpdate>;
  /** The job by which the hosts of a canary are asked to dial. @returns false: the canary has ended */
  setCanaryJob(id: number, job: string): Promise<boolean>;
}

/** What is written together with values of the configuration. */
export interface ConfigurationAlso {
  /** Its assignments count from now on. When another attempt was begun meanwhile, nothing is written. */
  readonly attempt?: AssignmentAttempt | undefined;
  /** A canary begins, or the one that stands ends. There is at most one: whoever begins it has judged by none. */
  readonly canary?: NewCanary | 'ended' | undefined;
}

/** Values that hold for a few hosts alone, until they hold for all or are taken back. */
export interface NewCanary {
  /** By name of the configuration. */
  readonly changes: ReadonlyMap<string, string>;
  /** Its hosts by id, at most `CANARY_HOSTS`, and with `rendezvous` the preferred host of each. */
  readonly hosts: ReadonlyMap<number, string | null>;
  /** The name of an API key, or the address of a server. */
  readonly createdBy: string;
}

export interface StoredCanary extends NewCanary {
  /** The generation of the configuration that it began with. */
  readonly id: number;
  /** By the store's clock. */
  readonly created: number;
  /** Of `sendCommand`: the hosts dial what they would be told. */
  readonly job: string | null;
}

/** Hosts of a canary: they are read whenever the configuration is. */
export const CANARY_HOSTS = 10_000;

export interface ConfigurationState {
  /** Raised by every change of values, and when a canary begins or ends; 0 before the first. */
  readonly version: number;
  /** The generation of assignments that counts, see `AssignmentStore`; 0 before the first. */
  readonly assignmentGeneration: number;
  /** The id of the last revocation of a certificate, see `CertificateStore`; 0 before the first. */
  readonly revocation: number;
  /** Raised by every change of the CAs, see `AuthorityStore`; 0 before the first. */
  readonly authorities: number;
}

export interface Configuration extends ConfigurationState {
  readonly values: ReadonlyMap<string, string>;
  /** The canary that stands. */
  readonly canary?: StoredCanary | undefined;
}

export interface ConfigurationUpdate {
  /** False: the store's generation was not the expected one, or the attempt was not the latest. */
  readonly done: boolean;
  /** The generation that the store has now; changes that changed nothing make no new one, unless assignments or a canary did. */
  readonly version: number;
}
