/** The global configuration: the same for all servers, each change a new generation. */
export interface ConfigurationStore {
  /** All values at one moment, and the generation they belong to. */
  configuration(): Promise<Configuration>;
  /**
   * Writes each value whose name the store does not have yet.
   * @returns where the store had another value already: that one, which stands
   */
  initialiseConfiguration(values: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>>;
  /** @returns the generation in which the value stands; setting what is there already makes no new one */
  setConfiguration(name: string, value: string): Promise<number>;
  /**
   * Several values in one generation, or none of them.
   * @param expectedVersion what the changes were judged by: when the store has another generation, nothing is written
   */
  updateConfiguration(changes: ReadonlyMap<string, string>, expectedVersion?: number): Promise<ConfigurationUpdate>;
}

export interface Configuration {
  /** Raised by every change; 0 before the first. */
  readonly version: number;
  readonly values: ReadonlyMap<string, string>;
}

export interface ConfigurationUpdate {
  /** False: the store's generation was not the expected one. */
  readonly done: boolean;
  /** The generation that the store has now; changes that changed nothing make no new one. */
  readonly version: number;
}
