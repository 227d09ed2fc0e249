import { decodeBody, encodeBody, type Message } from './body.js';
import { decodeHeader, encodeHeader, FLAG, type PacketHeader } from './header.js';
import { LIMITS } from './limits.js';

/** A request or a response: the header's fields and the messages of the body. */
export interface Packet extends Omit<PacketHeader, 'contentLength'> {
  readonly messages: readonly Message[];
}

/**
 * A whole packet, header first, as it stands in the TLS plaintext.
 * @param limit bytes of the unpacked body
 * @throws ProtocolError PACKET_EMPTY, PACKET_SHORT, PACKET_VERSION, BODY_TOO_LARGE, BODY_GZIP, BODY_JSON, BODY_SHAPE
 */
export function decodePacket(bytes: Buffer, limit: number = LIMITS.packetBytes): Packet {
  const { header, body } = decodeHeader(bytes);
  return packetOf(header, decodeBody(header, body, limit));
}

/** The gzip flag follows from the body's size; a packet that came with it keeps it. */
export function encodePacket(packet: Packet): Buffer {
  const { body, contentLength, packed } = encodeBody(packet.messages, (packet.flags & FLAG.gzip) !== 0);
  const flags = packed ? packet.flags | FLAG.gzip : packet.flags;
  return encodeHeader({ ...packet, flags, contentLength }, body);
}

export function packetOf(header: PacketHeader, messages: readonly Message[]): Packet {
  const { version, flags, sequence, mgmtId, agentId, via } = header;
  return { version, flags, sequence, mgmtId, agentId, via, messages };
}

export function isRequest({ flags }: { readonly flags: number }): boolean {
  return (flags & FLAG.request) !== 0;
}
