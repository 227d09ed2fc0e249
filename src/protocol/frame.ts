import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';

/**
 * One unit of the byte stream below TLS. The records of the handshake travel raw. After the handshake each record
 * travels in a frame: a 4-byte big-endian header, then whole records. Bits 0–15 of the header are the payload's length
 * in bytes; bit 16 says that the next frame continues the same packet.
 */
export type Unit =
  | { readonly kind: 'record'; readonly bytes: Buffer }
  | Frame
  /** The last unit: what follows it cannot be read. The units before it are valid. */
  | { readonly kind: 'invalid'; readonly error: ProtocolError };

/** The payload of one frame, which travels behind the TLS handshake. */
export interface Frame {
  /** What tells a frame from the other units of a stream. */
  readonly kind: 'frame';
  /** The next frame continues the same packet. */
  readonly following: boolean;
  /** Whole TLS records, one after another. */
  readonly payload: Buffer;
  /** The headers of those records, in their order. */
  readonly records: readonly RecordInfo[];
}

/** The header of a TLS record. */
export interface RecordInfo {
  /** RFC 5246, ContentType: 0x15 is an alert, 0x17 application data. */
  readonly type: number;
  /** Bytes behind the 5-byte record header, which are encrypted. */
  readonly length: number;
}

const FRAME_HEADER_BYTES = 4;
const RECORD_HEADER_BYTES = 5;
export const RECORD_TYPE = { changeCipherSpec: 0x14, alert: 0x15, handshake: 0x16, applicationData: 0x17 } as const;

const FOLLOWING = 0x10000;
const EMPTY = Buffer.alloc(0);

/**
 * How one direction of a connection is framed. The handshake's records travel raw, up to Finished, which is the one
 * handshake record behind ChangeCipherSpec.
 *
 *     raw ─ChangeCipherSpec─▶ changing ─Finished─▶ framed
 */
type Phase = 'raw' | 'changing' | 'framed';

function phaseAfter(phase: Phase, recordType: number): Phase {
  if (phase === 'raw' && recordType === RECORD_TYPE.changeCipherSpec) return 'changing';
  return phase === 'changing' && recordType === RECORD_TYPE.handshake ? 'framed' : phase;
}

/**
 * Puts a frame header before each outbound TLS record behind the handshake. The lengths of the announced packets tell
 * which record is the last of its packet: with an AEAD suite a record is longer than its plaintext by a constant.
 * @example
 * const encoder = new FrameEncoder();
 * encoder.announce(packet.length);
 * // For each chunk that TLS writes:
 * for (const part of encoder.push(chunk, recordOverhead(cipherName))) socket.write(part);
 */
export class FrameEncoder {
  /** For each announced packet, its plaintext bytes that are in no record yet. The first packet may be sent in part. */
  readonly #unsent: number[] = [];
  #phase: Phase = 'raw';
  /** The first bytes of a record header whose rest comes with the next chunk. */
  #header: Buffer = EMPTY;
  /** Bytes of the current record that have not come yet. */
  #recordLeft = 0;

  /** Announces a packet, before TLS gets its plaintext in one write that is not merged with another. */
  announce(packetBytes: number): void {
    this.#unsent.push(packetBytes);
  }

  /** Whether records of announced packets are still to come. */
  get isExpecting(): boolean {
    return this.#unsent.length > 0;
  }

  /**
   * Adds the frame headers to bytes that TLS wrote.
   * @param chunk whole or partial records
   * @param overhead bytes by which a record's payload is longer than its plaintext: see `recordOverhead`
   * @returns the same bytes with frame headers between them
   */
  push(chunk: Buffer, overhead: number): Buffer[] {
    const out: Buffer[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#recordLeft === 0) {
        const header = this.#header.length > 0 ? Buffer.concat([this.#header, rest]) : rest;
        if (header.length < RECORD_HEADER_BYTES) {
          this.#header = header;
          break;
        }
        rest = header;
        this.#header = EMPTY;
        const type = header[0] ?? 0;
        const length = header.readUInt16BE(3);
        this.#recordLeft = RECORD_HEADER_BYTES + length;
        if (this.#phase === 'framed') out.push(frameHeader(this.#recordLeft, this.#follows(type, length - overhead)));
        this.#phase = phaseAfter(this.#phase, type);
      }
      const part = rest.subarray(0, this.#recordLeft);
      out.push(part);
      this.#recordLeft -= part.length;
      rest = rest.subarray(part.length);
    }
    return out;
  }

  #follows(recordType: number, plaintextBytes: number): boolean {
    const unsent = this.#unsent[0];
    if (recordType !== RECORD_TYPE.applicationData || unsent === undefined) return false;
    const left = unsent - plaintextBytes;
    if (left > 0) this.#unsent[0] = left;
    else this.#unsent.shift();
    return left > 0;
  }
}

function frameHeader(payloadBytes: number, following: boolean): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeInt32BE(following ? payloadBytes | FOLLOWING : payloadBytes);
  return header;
}

/**
 * Splits the inbound byte stream into raw records and frames, whatever its chunks are. The first byte tells which one a
 * unit is: a record starts with its type (0x14–0x17), a frame header with 0.
 * @example
 * const decoder = new FrameDecoder();
 * socket.on('data', chunk => {
 *   for (const unit of decoder.push(chunk)) console.log(unit.kind);
 * });
 */
export class FrameDecoder {
  #phase: Phase = 'raw';
  #ended = false;
  /** A buffer for one unit that began in an earlier chunk, and how many of its bytes have come. */
  #room: Buffer = EMPTY;
  #filled = 0;

  /**
   * @returns the units that are complete now; an `invalid` one has an error FRAME_* or RECORD_INVALID, and is the last
   */
  push(chunk: Buffer): Unit[] {
    const units: Unit[] = [];
    if (this.#ended) return units;
    try {
      this.#cut(chunk, units);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#ended = true;
      this.#room = EMPTY;
      units.push({ kind: 'invalid', error });
    }
    return units;
  }

  #cut(chunk: Buffer, units: Unit[]): void {
    let rest = chunk;
    while (rest.length > 0) {
      const begun = this.#filled === 0 ? rest : this.#room.subarray(0, this.#filled);
      const size = this.#unitBytes(begun);
      if (this.#filled === 0 && size !== undefined && size <= rest.length) {
        units.push(this.#unit(rest.subarray(0, size)));
        rest = rest.subarray(size);
        continue;
      }
      const need = size ?? this.#headerBytes(begun[0] ?? 0);
      rest = rest.subarray(this.#hold(rest, need));
      const held = this.#room.subarray(0, this.#filled);
      if (this.#filled === this.#unitBytes(held)) {
        this.#room = EMPTY;
        this.#filled = 0;
        units.push(this.#unit(held));
      }
    }
  }

  /** Copies the bytes that are missing to the first `need` bytes of the unit. @returns how many it copied */
  #hold(bytes: Buffer, need: number): number {
    if (this.#room.length < need) {
      const room = Buffer.allocUnsafe(need);
      this.#room.copy(room, 0, 0, this.#filled);
      this.#room = room;
    }
    const copied = bytes.copy(this.#room, this.#filled, 0, need - this.#filled);
    this.#filled += copied;
    return copied;
  }

  #headerBytes(firstByte: number): number {
    return this.#isRecord(firstByte) ? RECORD_HEADER_BYTES : FRAME_HEADER_BYTES;
  }

  #isRecord(firstByte: number): boolean {
    return this.#phase !== 'framed' && firstByte !== 0;
  }

  /** The length of the unit that starts here, with its header; undefined while the header is not complete. */
  #unitBytes(bytes: Buffer): number | undefined {
    const first = bytes[0];
    if (first === undefined) return undefined;
    if (this.#isRecord(first)) {
      // Application data never travels raw.
      if (first < RECORD_TYPE.changeCipherSpec || first > RECORD_TYPE.handshake) {
        // Such as the API of a management server, dialled in the place of its agents' port.
        const found = bytes.toString('latin1', 0, 5) === 'HTTP/' ? 'HTTP' : `0x${first.toString(16)}`;
        throw new ProtocolError('RECORD_INVALID', `what the peer sends is no TLS handshake: it begins with ${found}`);
      }
      if (bytes.length < RECORD_HEADER_BYTES) return undefined;
      const length = RECORD_HEADER_BYTES + bytes.readUInt16BE(3);
      if (length > LIMITS.recordBytes) {
        throw new ProtocolError('RECORD_INVALID', 'TLS record too long', { length, limit: LIMITS.recordBytes });
      }
      return length;
    }
    if (first !== 0) {
      throw new ProtocolError('FRAME_HEADER', `frame header starts with 0x${first.toString(16)} instead of 0`);
    }
    if (this.#phase !== 'framed') {
      throw new ProtocolError('FRAME_EARLY', 'a frame before the end of the TLS handshake');
    }
    if (bytes.length < FRAME_HEADER_BYTES) return undefined;
    // Link.java reads a signed short: lengths from 0x8000 on are negative there, and close the link as well.
    const length = bytes.readUInt16BE(2);
    if (length > LIMITS.frameBytes) {
      throw new ProtocolError('FRAME_TOO_LONG', 'frame too long', { length, limit: LIMITS.frameBytes });
    }
    return FRAME_HEADER_BYTES + length;
  }

  #unit(bytes: Buffer): Unit {
    if (this.#isRecord(bytes[0] ?? 0)) {
      this.#phase = phaseAfter(this.#phase, bytes[0] ?? 0);
      return { kind: 'record', bytes };
    }
    const payload = bytes.subarray(FRAME_HEADER_BYTES);
    return { kind: 'frame', following: (bytes.readInt32BE(0) & FOLLOWING) !== 0, payload, records: recordsIn(payload) };
  }
}

/** @throws ProtocolError FRAME_SPLIT_RECORD when the payload does not end where a record ends */
function recordsIn(payload: Buffer): RecordInfo[] {
  const records: RecordInfo[] = [];
  let at = 0;
  while (at < payload.length) {
    const length = at + RECORD_HEADER_BYTES <= payload.length ? payload.readUInt16BE(at + 3) : payload.length;
    const end = at + RECORD_HEADER_BYTES + length;
    if (end > payload.length) {
      throw new ProtocolError('FRAME_SPLIT_RECORD', 'a TLS record goes beyond its frame', { frame: payload.length });
    }
    records.push({ type: payload[at] ?? 0, length });
    at = end;
  }
  return records;
}
