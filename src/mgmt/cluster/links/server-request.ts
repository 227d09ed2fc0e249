import { CancelCommand, type RawBody } from '../../../protocol/index.js';
import { controlPacket } from './server-connection.js';

/** Which host commands are for, and how they are sent: bits of `FLAG`. */
export interface ServerRequest {
  readonly hostId: number;
  readonly flags: number;
  readonly body: RawBody;
  /** The caller can ask again elsewhere: without a link it is told soon. Others wait as long as the server lives. */
  readonly hasIds?: boolean;
}

/** How a caller changes its mind. */
export interface RequestSignals {
  /** Nobody waits for the answer any more. Commands that the agent has not got are not sent. */
  readonly signal: AbortSignal;
  /** Likewise, but the answer is waited for if the agent has got them; it is asked to end them. */
  readonly recall: AbortSignal;
}

/** What became of commands that another server was asked to send. */
export type ServerReply =
  /** The agent's answer, as it came. */
  | { readonly kind: 'answered'; readonly body: RawBody }
  /** The agent has not got them. `isFinal`: nor is it of use to ask again. */
  | { readonly kind: 'notSent'; readonly reason: string; readonly isFinal?: boolean }
  /** The agent may have carried them out. `isRepeatable`: whether it carries out an id once; undefined: not known. */
  | { readonly kind: 'lost'; readonly reason: string; readonly isRepeatable: boolean | undefined };

/** A reply without the agent's answer. */
export type NoAnswer = Exclude<ServerReply, { kind: 'answered' }>;

/** The packet that tells it to the server that has asked. @param msid of the server that replies */
export function noAnswerPacket(sequence: bigint, reply: NoAnswer, msid: bigint): Buffer {
  const muster =
    reply.kind === 'lost'
      ? { isSent: true, isRepeatable: reply.isRepeatable }
      : { isSent: false, isFinal: reply.isFinal };
  return controlPacket(CancelCommand.encode({ sequence, reason: reply.reason, muster }), msid);
}
