import { withinLimit } from '../../lib/abort.js';
import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { peerText } from '../../lib/text/peer-text.js';
import {
  Answer,
  encodeJson,
  IN_PLACE_OF_RESOURCE,
  type Message,
  ProtocolError,
  UnsupportedAnswer,
} from '../../protocol/index.js';
import { objectionToFields } from '../resources/answer-check.js';
import type { Handler, HandlerParts } from './handler.js';

/**
 * Has the resource answer a command. It may be anybody's: what throws, takes too long, is no answer or is too large is an
 * error here, and is logged.
 */
export const handleByResource: Handler = async (command, parts) => {
  const { resource, log, signal } = parts;
  try {
    const answered = await withinTime(command, parts);
    if (answered === undefined || answered === null) return { answer: unsupported(command.type) };
    return { answer: checked(answered, command, parts) };
  } catch (error) {
    if (signal.aborted) throw error;
    log.warn('The resource has failed to answer a command', {
      resource: resource.name,
      command: peerText(command.type),
      reason: peerText(reasonOf(error)),
    });
    return { answer: inPlaceOfResource(reasonOf(error), parts.id) };
  }
};

/** The answer in the place of one that the resource has not given. A server of Muster's, which has given an id, tells operators. */
function inPlaceOfResource(details: string, id: string | undefined): Message {
  const { type, fields } = failed(details);
  return { type, fields: id === undefined ? fields : { ...fields, ...IN_PLACE_OF_RESOURCE } };
}

/** The answer to a command that has failed. @param details may have words of the command in it */
export function failed(details: string): Message {
  return Answer.encode({ result: false, details: peerText(details) });
}

/** The answer to a class that the agent does not know, and to a body that it cannot read. */
export function unsupported(what: string): Message {
  const details = `Unsupported command issued: ${peerText(what)}.  Are you sure you got the right type of server?`;
  return UnsupportedAnswer.encode({ result: false, details });
}

/** So many turns of the event loop a resource has to answer, or to fail, when nobody waits any more. */
const TURNS_TO_END = 10;

async function withinTime(command: Message, parts: HandlerParts): Promise<Message | undefined> {
  const { resource, clock, signal, recall, id, watch, progress, commandTimeoutMs } = parts;
  const waitMs = waitMsOf(command);
  // A server that gives ids says how long it waits; others may answer late, and CloudStack's agents do.
  const limitMs = id !== undefined && waitMs > 0 ? waitMs : Math.max(commandTimeoutMs, waitMs);
  const controller = new AbortController();
  const ended = watch.begin(peerText(command.type));
  let onEnd = () => {};
  const abandoned = new Promise<never>((_resolve, reject) => {
    onEnd = () => {
      controller.abort(signal.reason);
      void afterTurns(clock, TURNS_TO_END).then(() => reject(signal.reason));
    };
  });
  const onRecall = () => controller.abort(recall.reason);
  recall.addEventListener('abort', onRecall, { once: true });
  if (signal.aborted) onEnd();
  signal.addEventListener('abort', onEnd, { once: true });
  const late = () => {
    const why = `the resource did not answer ${peerText(command.type)} within ${limitMs / 1000} s; it may still be at work`;
    controller.abort(new Error(why));
    throw controller.signal.reason;
  };
  const context = { signal: controller.signal, id, progress };
  const call = async () => resource.answer(command, context);
  try {
    return await withinLimit(clock, limitMs, () => Promise.race([call(), abandoned]), late);
  } catch (error) {
    if (error === signal.reason && signal.aborted) parts.abandoned();
    throw error;
  } finally {
    signal.removeEventListener('abort', onEnd);
    recall.removeEventListener('abort', onRecall);
    ended();
  }
}

async function afterTurns(clock: Clock, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await clock.turn();
}

/** How long the server waits for the answer, as it says; 0 when it does not. */
export function waitMsOf({ fields: { wait } }: Message): number {
  return typeof wait === 'number' && wait > 0 ? wait * 1000 : 0;
}

/** @throws when it is no answer, or cannot travel */
function checked(answered: Message, command: Message, { resource, limits }: HandlerParts): Message {
  // The resource may be a module without type checks. A copy: what its getters throw, they throw here.
  const { type, fields } = answered as Partial<Message>;
  if (typeof type !== 'string' || typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new TypeError(`the resource ${resource.name} answered ${peerText(command.type)} by what is no message`);
  }
  const copy = { type, fields: { ...fields } };
  const objection = objectionToFields(copy.fields, limits.values);
  if (objection !== undefined) {
    throw new TypeError(`the answer to ${peerText(command.type)} cannot be sent: ${peerText(objection)}`);
  }
  if (typeof copy.fields.result !== 'boolean') {
    throw new TypeError(`the answer to ${peerText(command.type)} has no result: true or false`);
  }
  // Its text is thrown away: what is too large is to be said of the command that it answers.
  try {
    encodeJson([{ [type]: copy.fields }], limits);
  } catch (cause) {
    if (!(cause instanceof ProtocolError && cause.code === 'BODY_TOO_LARGE')) throw cause;
    const most = `at most ${limits.bytes} bytes and ${limits.values} values can be sent`;
    throw new TypeError(`the answer to ${peerText(command.type)} is too large: ${most}`, { cause });
  }
  return copy;
}
