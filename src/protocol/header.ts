import { Parser } from 'binary-parser';
import { ProtocolError } from './errors.js';

/** The header of a packet. 64-bit fields are bigint, because the sequences of CloudStack's servers lie beyond 2^53. */
export interface PacketHeader {
  /** 0 (CloudStack's v1), which all programs send, or 2 (v3), whose header has no `via`. */
  readonly version: number;
  /** Bits of `FLAG`. */
  readonly flags: number;
  /** The number of a request, which its answer repeats; −1 when no answer is wanted. */
  readonly sequence: bigint;
  /** Bytes of the unpacked body, according to the sender. */
  readonly contentLength: number;
  /** The msid of the server; −1 in the requests of agents. */
  readonly mgmtId: bigint;
  /** The host id; −1 while it is not known. */
  readonly agentId: bigint;
  /** The host id of the agent on whose link the packet travels; in version 2 the agent id. */
  readonly via: bigint;
}

/** The bits of `PacketHeader.flags`. */
export const FLAG = {
  /** Set in a request, not in a response. */
  request: 0x01,
  /** When one command fails, those behind it in the packet are not carried out. */
  stopOnError: 0x02,
  /** The server sends the next request with this bit only when this one is answered. */
  inSequence: 0x04,
  /** Set in all packets of a server, except a refusing Ready. */
  fromServer: 0x20,
  control: 0x40,
  /** The body is gzipped. */
  gzip: 0x80,
  /**
   * Between Muster's servers only: the agent may have had these commands already. It may be given them only if it carries
   * out each `commandId` once.
   */
  repeated: 0x100,
} as const;

const HEADER_BYTES = { 0: 40, 2: 32 } as const;

/**
 * What the parser fills. It sets and deletes `$parent` and `$root` on each of its objects: deleting own fields would make
 * the object many times slower to read, so these are none.
 */
class HeaderFields {
  version = 0;
  flags = 0;
  sequence = 0n;
  contentLength = 0;
  mgmtId = 0n;
  agentId = 0n;
  via = 0n;

  set $parent(_: unknown) {}
  set $root(_: unknown) {}
}

const common = () =>
  new Parser()
    .create(HeaderFields)
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

/**
 * Splits a packet into its header and the bytes of its body.
 * @example
 * const { header, body } = decodeHeader(bytes);
 * @throws ProtocolError PACKET_EMPTY, PACKET_VERSION, PACKET_SHORT
 */
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
  const { flags, sequence, contentLength, mgmtId, agentId, via }: HeaderFields = PARSERS[version].parse(bytes);
  const header = { version, flags, sequence, contentLength, mgmtId, agentId, via: version === 0 ? via : agentId };
  return { header, body: bytes.subarray(headerBytes) };
}

/**
 * Writes a packet: the header, then `body`, in one buffer.
 * @example
 * const bytes = encodeHeader({ ...header, contentLength: body.length }, body);
 * @throws ProtocolError PACKET_VERSION
 */
export function encodeHeader(header: PacketHeader, body: Uint8Array): Buffer {
  const { version } = header;
  if (!isKnownVersion(version)) throw new ProtocolError('PACKET_VERSION', `packet version ${version}`, { version });
  const headerBytes = HEADER_BYTES[version];
  const bytes = Buffer.allocUnsafe(headerBytes + body.length);
  // Its methods for 64 bits are made by the compiler; those of Buffer compute with bigints.
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  view.setUint8(0, version);
  view.setUint8(1, 0);
  view.setUint16(2, header.flags);
  view.setBigInt64(4, header.sequence);
  view.setInt32(12, header.contentLength);
  view.setBigInt64(16, header.mgmtId);
  view.setBigInt64(24, header.agentId);
  if (version === 0) view.setBigInt64(32, header.via);
  bytes.set(body, headerBytes);
  return bytes;
}
