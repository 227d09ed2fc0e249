import type { Message } from '../../../protocol/index.js';

/** What the command of an agent leads to. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: Message }
  /** This command and those after it get no answer, and the link closes. */
  | { readonly kind: 'close'; readonly reason: string };

/** What a handler may use. */
export interface HandlerParts {
  /** Addresses that agents are advised not to dial. */
  readonly avoidMsList: readonly string[];
  /** The spread, when it is another one than the agent was told; undefined as well for one of CloudStack's. */
  newSpreadMs(): number | undefined;
  /** The agent has pinged. @param roundTripMs of its ping before this one; undefined when it does not say */
  pinged(roundTripMs: number | undefined): void;
}

/** Carries out a command of one class. */
export type Handler = (command: Message, parts: HandlerParts) => Outcome;
