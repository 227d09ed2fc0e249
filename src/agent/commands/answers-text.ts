import { reasonOf } from '../../lib/errors.js';
import { decodeJson, encodeJson, keptMessages, LIMITS, type Message, type PacketLimits } from '../../protocol/index.js';
import { failed } from '../handlers/by-resource.js';

/** What the header and the class names of a packet of kept answers may take. */
const AROUND_BYTES = 4096;
const AROUND_VALUES = 1000;

/** Answers of commands with an id have room in a packet of kept answers, on a link with the usual bounds. */
export const KEPT_LIMITS: PacketLimits = {
  bytes: LIMITS.packetBytes - AROUND_BYTES,
  values: LIMITS.bodyValues - AROUND_VALUES,
};

/** The answers of a packet as the text of a body. When they are too large together, each is replaced by result=false. */
export function answersText(answers: readonly Message[]): string {
  try {
    const text = bodyOf(answers, KEPT_LIMITS);
    if (Buffer.byteLength(text) <= KEPT_LIMITS.bytes) return text;
    return tooLarge(answers, `they have more than ${KEPT_LIMITS.bytes} bytes`);
  } catch (error) {
    return tooLarge(answers, reasonOf(error));
  }
}

/** The messages of such a text. */
export function messagesOf(text: string): readonly Message[] {
  const entries = decodeJson(text);
  return keptMessages(Array.isArray(entries) ? entries : []);
}

function tooLarge(answers: readonly Message[], why: string): string {
  const failure = failed(`The commands were carried out, and their answers cannot be sent: ${why}`);
  return bodyOf(answers.map(() => failure));
}

function bodyOf(answers: readonly Message[], limits?: PacketLimits): string {
  return encodeJson(
    answers.map(({ type, fields }) => ({ [type]: fields })),
    limits,
  );
}
