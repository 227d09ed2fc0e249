import type { Sizes } from './conversation.js';

/** One agent of the load, which is Ready. */
export interface LoadAgent {
  /** Of its host, on Muster. */
  readonly uuid: string | undefined;
  /** Of its packets so far. */
  readonly sizes: Sizes;
  /** One at a time. */
  ping(onAnswer: () => void): void;
  end(): void;
}
