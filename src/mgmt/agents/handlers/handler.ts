import type { Message } from '../../../protocol/index.js';

/** What a command of an agent's leads to. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: Message }
  /** No answer, to this and what follows it; the link closes. */
  | { readonly kind: 'close'; readonly reason: string };

/** What a handler may know and touch. */
export interface HandlerContext {
  /** Addresses that agents are advised not to dial. */
  readonly avoidMsList: readonly string[];
  /** The agent pinged. @param roundTripMs of its ping before this one, where it says so */
  pinged(roundTripMs: number | undefined): void;
}

export type Handler = (command: Message, context: HandlerContext) => Outcome;
