import { gunzipSync, gzipSync } from 'node:zlib';
import { ProtocolError } from './errors.js';
import { FLAG, type PacketHeader } from './header.js';
import { decodeJson, encodeJson, RawJson } from './json.js';
import { fieldsTexts } from './json-text.js';
import { LIMITS } from './limits.js';
import { type PacketLimits, readyLimits } from './packet-limits.js';

/**
 * One entry of a packet's body: a command, which asks, or an answer, which replies. Message types such as
 * `ReadyCommand` encode and decode the fields.
 */
export interface Message {
  /** The Java class name, such as `com.cloud.agent.api.ReadyCommand`. */
  readonly type: string;
  /** The JSON object of the class, with unknown fields as well. An integer beyond 2^53 is a bigint. */
  readonly fields: Record<string, unknown>;
}

/** A packet's body as it travels, to be passed on without being read. */
export interface RawBody {
  /** As it travels: JSON in UTF-8, gzipped when `isPacked`. */
  readonly bytes: Buffer;
  /** Bytes of the unpacked body, according to whoever has written it. */
  readonly contentLength: number;
  /** Whether it is gzipped. */
  readonly isPacked: boolean;
}

/**
 * Reads a packet's body: unpacks it when it is gzipped, and parses its JSON.
 * @param header tells whether the body is gzipped, and its unpacked length
 * @param body the bytes behind the header
 * @param limits bounds of the unpacked body
 * @param onCounted called with how many values its JSON has, before they are made
 * @example
 * const { header, body } = decodeHeader(bytes);
 * const messages = decodeBody(header, body);
 * @throws ProtocolError BODY_TOO_LARGE, BODY_GZIP, BODY_JSON, BODY_SHAPE
 */
export function decodeBody(
  header: Pick<PacketHeader, 'flags' | 'contentLength'>,
  body: Buffer,
  limits: PacketLimits = readyLimits(),
  onCounted?: (values: number) => void,
): Message[] {
  const { bytes, values } = limits;
  const plain = header.flags & FLAG.gzip ? unpack(header.contentLength, body, bytes) : body;
  if (plain.length > bytes) throw tooLarge(plain.length, bytes);
  const text = plain.toString('utf8');
  const entries = decodeJson(text, values, onCounted);
  if (!Array.isArray(entries)) throw new ProtocolError('BODY_SHAPE', 'the body is not an array');
  if (entries.length > LIMITS.bodyMessages) {
    throw new ProtocolError('BODY_TOO_LARGE', 'the body has too many messages', {
      messages: entries.length,
      limit: LIMITS.bodyMessages,
    });
  }
  const received = new ReceivedBody(text);
  return entries.map((entry, index) => new ReceivedMessage(asMessage(entry, index), received, index));
}

/** The text that a body came in. */
class ReceivedBody {
  readonly #text: string;
  #fields: readonly string[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text of the fields of one entry. All entries are looked for at once: the time is linear in the text. */
  fieldsOf(index: number): string {
    this.#fields ??= fieldsTexts(this.#text);
    return this.#fields[index] ?? '{}';
  }
}

/** A message that knows where it was received. */
class ReceivedMessage implements Message {
  readonly type: string;
  readonly fields: Record<string, unknown>;
  readonly #body: ReceivedBody;
  readonly #index: number;

  constructor({ type, fields }: Message, body: ReceivedBody, index: number) {
    this.type = type;
    this.fields = fields;
    this.#body = body;
    this.#index = index;
  }

  static textOf(message: Message): string | undefined {
    return #body in message ? message.#body.fieldsOf(message.#index) : undefined;
  }
}

/**
 * The fields of a message as the peer has written them. To write them again costs nothing, and makes them no longer.
 * @returns undefined for a message that `decodeBody` has not made
 * @example
 * const echo = PingAnswer.encode({ _command: receivedFields(ping) ?? ping.fields, result: true });
 */
export function receivedFields(message: Message): RawJson | undefined {
  const text = ReceivedMessage.textOf(message);
  return text === undefined ? undefined : new RawJson(text);
}

/**
 * Writes a body as it travels. It is gzipped when `packed` is true or when it has `LIMITS.gzipFromBytes` bytes or more.
 * @param limits bounds of the body before it is gzipped; none when they are left out
 * @returns the bytes, the unpacked length in bytes, and whether they are gzipped
 * @example
 * const { body, contentLength, packed } = encodeBody([ReadyCommand.encode({ hostId: 7 })], false);
 * @throws ProtocolError BODY_TOO_LARGE, BODY_JSON; TypeError for what JSON cannot represent
 */
export function encodeBody(
  messages: readonly Message[],
  packed: boolean,
  limits?: PacketLimits,
): { body: Buffer; contentLength: number; packed: boolean } {
  const entries = messages.map(({ type, fields }) => ({ [type]: fields }));
  const plain = Buffer.from(encodeJson(entries, limits), 'utf8');
  const contentLength = plain.length;
  if (limits && contentLength > limits.bytes) throw tooLarge(contentLength, limits.bytes);
  if (!packed && contentLength < LIMITS.gzipFromBytes) return { body: plain, contentLength, packed: false };
  return { body: gzipSync(plain), contentLength, packed: true };
}

/** Unpacks at most as many bytes as the header says, and at most `limit`. */
function unpack(contentLength: number, body: Buffer, limit: number): Buffer {
  if (contentLength > limit) throw tooLarge(contentLength, limit);
  let plain: Buffer;
  try {
    plain = gunzipSync(body, { maxOutputLength: Math.max(1, contentLength) });
  } catch (cause) {
    throw new ProtocolError('BODY_GZIP', 'the gzipped body is broken, or longer than its header says', {}, { cause });
  }
  if (plain.length !== contentLength) {
    throw new ProtocolError('BODY_GZIP', 'the gzipped body is shorter than its header says', {
      length: plain.length,
      contentLength,
    });
  }
  return plain;
}

export function tooLarge(length: number, limit: number): ProtocolError {
  return new ProtocolError('BODY_TOO_LARGE', 'the body is too large', { length, limit });
}

/** @throws ProtocolError BODY_SHAPE */
export function asMessage(entry: unknown, index: number): Message {
  if (typeof entry === 'object' && entry !== null && !Array.isArray(entry)) {
    const [type, ...others] = Object.keys(entry);
    const fields: unknown = type !== undefined && (entry as Readonly<Record<string, unknown>>)[type];
    if (type !== undefined && others.length === 0 && isFields(fields)) return { type, fields };
  }
  throw new ProtocolError('BODY_SHAPE', 'an entry of the body is not {"<class>":{fields}}', { index });
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) === null;
}
