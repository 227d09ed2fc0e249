import { type Message, UnsupportedAnswer } from '../../protocol/index.js';

/** What became of commands for one agent. Exactly one of these. Reasons are for people. */
export type CommandOutcome =
  /** The agent has answered: `result` of each answer may be true or false. */
  | { readonly kind: 'answered'; readonly messages: readonly Message[] }
  /** The agent does not know the class of the first command: nothing was carried out. */
  | { readonly kind: 'unsupported'; readonly messages: readonly Message[] }
  /** They were not sent: the host has no link to any server, or too many commands wait. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** They were taken back before they were sent. */
  | { readonly kind: 'cancelled'; readonly reason: string }
  /** They were sent, and nobody can say whether the agent has carried them out. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Whether an agent has answered that it does not know the class of the first command. */
export function isUnsupported([first]: readonly Message[]): boolean {
  return first !== undefined && UnsupportedAnswer.is(first);
}
