/** The signed requests that change something and have been carried out: each is good once, at whichever server. */
export interface RequestStore {
  /**
   * Notes a request before it is carried out. The first writer wins. Those whose time is over, by the store's clock, are
   * forgotten meanwhile, some at each call.
   * @param digest SHA-256 of its signature, hex
   * @param keptMs for how long it is noted
   * @returns false when it was noted before
   */
  noteRequest(digest: string, keptMs: number): Promise<boolean>;
}
