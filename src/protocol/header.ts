import { Parser } from 'binary-parser';
import { ProtocolError } from './errors.js';

/** The header of a packet. 64-bit fields are bigint: server sequences lie beyond 2^53. */
export interface PacketHeader {
  /** 0 ("v1"), the one in use, or 2 ("v3"), which has no `via` of its own. */
  readonly version: number;
  /** See `FLAG`. */
  readonly flags: number;
  readonly sequence: bigint;
  /** UTF-8 bytes of the unpacked body, as the sender says. */
  readonly contentLength: number;
  /** The server's msid; −1 in an agent's own requests. */
  readonly mgmtId: bigint;
  /** The host id; −1 when not known yet. */
  readonly agentId: bigint;
  readonly via: bigint;
}

export const FLAG = {
  /** Unset in a response. */
  request: 0x01,
  stopOnError: 0x02,
  /** The server holds the next such request back until this one is answered. */
  inSequence: 0x04,
  fromServer: 0x20,
  control: 0x40,
  gzip: 0x80,
} as const;

/** v3 is v1 without `via`, which then is the agent id. */
const HEADER_BYTES = { 0: 40, 2: 32 } as const;

const common = () =>
  new Parser()
    .endianness('big')
    .uint8('version')
    .seek(1)
    .uint16('flags')
    .int64('sequence')
    .int32('contentLength')
    .int64('mgmtId')
    .int64('agentId');
const PARSERS = { 0: common().int64('via'), 2: common() } as const;

function isKnownVersion(version: number): version is keyof typeof HEADER_BYTES {
  return Object.hasOwn(HEADER_BYTES, version);
}

/** @throws ProtocolError PACKET_EMPTY, PACKET_VERSION, PACKET_SHORT */
export function decodeHeader(bytes: Buffer): { header: PacketHeader; body: Buffer } {
  const version = bytes[0];
  if (version === undefined) throw new ProtocolError('PACKET_EMPTY', 'an empty packet');
  if (!isKnownVersion(version)) {
    throw new ProtocolError('PACKET_VERSION', `packet version ${version}; known are 0 and 2`, { version });
  }
  const headerBytes = HEADER_BYTES[version];
  if (bytes.length < headerBytes) {
    throw new ProtocolError('PACKET_SHORT', `a packet of ${bytes.length} bytes; its header alone has ${headerBytes}`, {
      length: bytes.length,
    });
  }
  const fields = PARSERS[version].parse(bytes);
  return { header: { via: fields.agentId, ...fields }, body: bytes.subarray(headerBytes) };
}

/** The header's bytes followed by `body`, in one buffer. @throws ProtocolError PACKET_VERSION */
export function encodeHeader(header: PacketHeader, body: Uint8Array): Buffer {
  const { version } = header;
  if (!isKnownVersion(version)) throw new ProtocolError('PACKET_VERSION', `packet version ${version}`, { version });
  const headerBytes = HEADER_BYTES[version];
  const bytes = Buffer.allocUnsafe(headerBytes + body.length);
  bytes.writeUInt8(version, 0);
  bytes.writeUInt8(0, 1);
  bytes.writeUInt16BE(header.flags, 2);
  bytes.writeBigInt64BE(header.sequence, 4);
  bytes.writeInt32BE(header.contentLength, 12);
  bytes.writeBigInt64BE(header.mgmtId, 16);
  bytes.writeBigInt64BE(header.agentId, 24);
  if (version === 0) bytes.writeBigInt64BE(header.via, 32);
  bytes.set(body, headerBytes);
  return bytes;
}
