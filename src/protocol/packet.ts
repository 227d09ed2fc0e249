import { decodeBody, encodeBody, type Message, type RawBody } from './body.js';
import { decodeHeader, encodeHeader, FLAG, type PacketHeader } from './header.js';
import { type PacketLimits, readyLimits } from './packet-limits.js';

/** A request or a response: the header's fields and the messages of the body. */
export interface Packet extends Omit<PacketHeader, 'contentLength'> {
  /** A request has commands, a response their answers. */
  readonly messages: readonly Message[];
}

/**
 * Reads a whole packet.
 * @param bytes the header and the body, as they are in the TLS plaintext
 * @param limits bounds of the unpacked body; those of a Ready link when they are left out
 * @example
 * const packet = decodePacket(bytes);
 * for (const message of packet.messages) console.log(message.type);
 * @throws ProtocolError PACKET_EMPTY, PACKET_SHORT, PACKET_VERSION, BODY_TOO_LARGE, BODY_GZIP, BODY_JSON, BODY_SHAPE
 */
export function decodePacket(bytes: Buffer, limits: PacketLimits = readyLimits()): Packet {
  const { header, body } = decodeHeader(bytes);
  return packetOf(header, decodeBody(header, body, limits));
}

/**
 * Writes a whole packet. The body is gzipped when the flags say so, or when it has `LIMITS.gzipFromBytes` bytes or
 * more.
 * @param limits bounds of the body before it is gzipped; none when they are left out
 * @example
 * const bytes = encodePacket({
 *   version: 0,
 *   flags: FLAG.request,
 *   sequence: 1n,
 *   mgmtId: -1n,
 *   agentId: 7n,
 *   via: 7n,
 *   messages: [PingCommand.encode({ hostId: 7 })],
 * });
 * @throws ProtocolError PACKET_VERSION, BODY_TOO_LARGE, BODY_JSON; TypeError for what JSON cannot represent
 */
export function encodePacket(packet: Packet, limits?: PacketLimits): Buffer {
  const { version, sequence, mgmtId, agentId, via } = packet;
  const { body, contentLength, packed } = encodeBody(packet.messages, (packet.flags & FLAG.gzip) !== 0, limits);
  const flags = packed ? packet.flags | FLAG.gzip : packet.flags;
  return encodeHeader({ version, flags, sequence, contentLength, mgmtId, agentId, via }, body);
}

/** A request or a response whose body is passed on without being read. */
export interface RawPacket extends Omit<PacketHeader, 'contentLength'> {
  /** The body as it travels. */
  readonly body: RawBody;
}

/**
 * Splits a packet, and does not read its body.
 * @example
 * const { agentId, body } = decodeRawPacket(bytes);
 * @throws ProtocolError PACKET_EMPTY, PACKET_VERSION, PACKET_SHORT
 */
export function decodeRawPacket(bytes: Buffer): RawPacket {
  const { header, body } = decodeHeader(bytes);
  return rawPacketOf(header, body);
}

/**
 * Writes a packet with a body that is written already.
 * @example
 * const bytes = encodeRawPacket({ ...decodeRawPacket(received), sequence: 7n });
 * @throws ProtocolError PACKET_VERSION
 */
export function encodeRawPacket(packet: RawPacket): Buffer {
  const { version, sequence, mgmtId, agentId, via } = packet;
  const { bytes, contentLength, isPacked } = packet.body;
  const flags = isPacked ? packet.flags | FLAG.gzip : packet.flags & ~FLAG.gzip;
  return encodeHeader({ version, flags, sequence, contentLength, mgmtId, agentId, via }, bytes);
}

/**
 * The messages of a body.
 * @param limits bounds of the unpacked body; those of a Ready link when they are left out
 * @example
 * const [first] = messagesOf(decodeRawPacket(bytes).body);
 * @throws ProtocolError BODY_TOO_LARGE, BODY_GZIP, BODY_JSON, BODY_SHAPE
 */
export function messagesOf({ bytes, contentLength, isPacked }: RawBody, limits?: PacketLimits): Message[] {
  return decodeBody({ contentLength, flags: isPacked ? FLAG.gzip : 0 }, bytes, limits);
}

/**
 * Messages as they travel.
 * @param limits bounds of the body before it is gzipped; none when they are left out
 * @example
 * const body = rawBodyOf([CheckHealthCommand.encode({ wait: 5 })]);
 * @throws ProtocolError BODY_TOO_LARGE, BODY_JSON; TypeError for what JSON cannot represent
 */
export function rawBodyOf(messages: readonly Message[], limits?: PacketLimits): RawBody {
  const { body, contentLength, packed } = encodeBody(messages, false, limits);
  return { bytes: body, contentLength, isPacked: packed };
}

export function rawPacketOf(header: PacketHeader, bytes: Buffer): RawPacket {
  const { version, flags, sequence, contentLength, mgmtId, agentId, via } = header;
  const body = { bytes, contentLength, isPacked: (flags & FLAG.gzip) !== 0 };
  return { version, flags, sequence, mgmtId, agentId, via, body };
}

export function packetOf(header: PacketHeader, messages: readonly Message[]): Packet {
  const { version, flags, sequence, mgmtId, agentId, via } = header;
  return { version, flags, sequence, mgmtId, agentId, via, messages };
}

/**
 * Whether a packet is a request; otherwise it is a response.
 * @example
 * if (isRequest(packet)) link.answer(packet, [Answer.encode({ result: true })]);
 */
export function isRequest({ flags }: { readonly flags: number }): boolean {
  return (flags & FLAG.request) !== 0;
}
