import { gunzipSync, gzipSync } from 'node:zlib';
import { ProtocolError } from './errors.js';
import { FLAG, type PacketHeader } from './header.js';
import { decodeJson, encodeJson } from './json.js';
import { LIMITS } from './limits.js';

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

/**
 * Reads a packet's body: unpacks it when it is gzipped, and parses its JSON.
 * @param header tells whether the body is gzipped, and its unpacked length
 * @param body the bytes behind the header
 * @param limit the most bytes that the unpacked body may have
 * @example
 * const { header, body } = decodeHeader(bytes);
 * const messages = decodeBody(header, body, LIMITS.packetBytes);
 * @throws ProtocolError BODY_TOO_LARGE, BODY_GZIP, BODY_JSON, BODY_SHAPE
 */
export function decodeBody(header: PacketHeader, body: Buffer, limit: number): Message[] {
  const plain = header.flags & FLAG.gzip ? unpack(header.contentLength, body, limit) : body;
  if (plain.length > limit) throw tooLarge(plain.length, limit);
  const entries = decodeJson(plain.toString('utf8'));
  if (!Array.isArray(entries)) throw new ProtocolError('BODY_SHAPE', 'the body is not an array');
  return entries.map(asMessage);
}

/**
 * Writes a body as it travels. It is gzipped when `packed` is true or when it has `LIMITS.gzipFromBytes` bytes or more.
 * @returns the bytes, the unpacked length in bytes, and whether they are gzipped
 * @example
 * const { body, contentLength, packed } = encodeBody([ReadyCommand.encode({ hostId: 7 })], false);
 */
export function encodeBody(
  messages: readonly Message[],
  packed: boolean,
): { body: Buffer; contentLength: number; packed: boolean } {
  const plain = Buffer.from(encodeJson(messages.map(({ type, fields }) => ({ [type]: fields }))), 'utf8');
  const contentLength = plain.length;
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

function tooLarge(length: number, limit: number): ProtocolError {
  return new ProtocolError('BODY_TOO_LARGE', 'the body is too large', { length, limit });
}

function asMessage(entry: unknown, index: number): Message {
  if (typeof entry === 'object' && entry !== null && !Array.isArray(entry)) {
    const [pair, ...others] = Object.entries(entry);
    const fields: unknown = pair?.[1];
    if (pair && others.length === 0 && isFields(fields)) return { type: pair[0], fields };
  }
  throw new ProtocolError('BODY_SHAPE', 'an entry of the body is not {"<class>":{fields}}', { index });
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) === null;
}
