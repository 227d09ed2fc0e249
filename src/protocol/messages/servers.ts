import { inCancel } from './muster.js';
import { answer, command, optionalLong, text } from './schema.js';

/**
 * In a control packet: the request with this sequence is taken back, if it was not answered yet; or the server that was asked
 * cannot have it answered.
 */
export const CancelCommand = command('com.cloud.agent.api.CancelCommand', {
  sequence: optionalLong,
  reason: text,
  muster: inCancel,
});

/** In a control packet, of Muster's servers: the first one on their link, from the server that has dialled. */
export const ServerLinkCommand = command('com.muster.server.api.ServerLinkCommand', {
  /** Random, of the process. */
  runId: text,
  version: text,
});
/** `result` is false when the link is not wanted; `details` says why, and the link ends. */
export const ServerLinkAnswer = answer('com.muster.server.api.ServerLinkAnswer', { runId: text, version: text });

/** In a control packet, of Muster's servers: the store has a job for the server that gets it. */
export const LookAtJobsCommand = command('com.muster.server.api.LookAtJobsCommand', {});
