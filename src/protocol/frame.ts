import { ProtocolError } from './errors.js';
import { LIMITS } from './limits.js';

/**
 * What the byte stream below TLS is made of. The handshake's records travel raw; after it every record travels in a
 * frame: `[int32be header][records]`, bits 0–15 of the header the length, bit 16 "following".
 */
export type Unit =
  | { readonly kind: 'record'; readonly bytes: Buffer }
  | Frame
  /** The last unit ever: what follows cannot be read. Given in its place, so that what came before it counts. */
  | { readonly kind: 'invalid'; readonly error: ProtocolError };

export interface Frame {
  readonly kind: 'frame';
  /** The next frame carries more of the same packet. */
  readonly following: boolean;
  /** The TLS records of this frame, one after another. */
  readonly payload: Buffer;
  readonly records: readonly RecordInfo[];
}

export interface RecordInfo {
  readonly type: number;
  /** Bytes behind the 5-byte record header. */
  readonly length: number;
}

const FRAME_HEADER_BYTES = 4;
const RECORD_HEADER_BYTES = 5;
export const RECORD_TYPE = { changeCipherSpec: 0x14, alert: 0x15, handshake: 0x16, applicationData: 0x17 } as const;

const FOLLOWING = 0x10000;
const EMPTY = Buffer.alloc(0);

/**
 * Where one direction of a connection stands: the handshake's records travel raw, up to Finished, which is the one
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
 * Puts a frame header before each outbound TLS record behind the handshake. Which record is a packet's last follows from the packet's length:
 * with an AEAD suite a record is longer than its plaintext by a constant.
 */
export class FrameEncoder {
  /** Plaintext bytes of the announced packets that no record has carried yet; the first packet's may be under way. */
  readonly #unsent: number[] = [];
  #phase: Phase = 'raw';
  /** The start of a record header that ended with its chunk. */
  #header: Buffer = EMPTY;
  /** Bytes of the current record still to come. */
  #recordLeft = 0;

  /** Announces a packet before the TLS engine gets its plaintext: one write, never merged with another. */
  announce(packetBytes: number): void {
    this.#unsent.push(packetBytes);
  }

  /**
   * @param chunk what the TLS engine wrote, cut anywhere
   * @param overhead how much longer a record of application data is than its plaintext, its header aside
   * @returns the same bytes with frame headers between
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
 * Cuts the inbound byte stream into records and frames, however it is split. Each unit shows by its first byte which it
 * is: a record starts with its type (0x14–0x17), a frame header with 0.
 */
export class FrameDecoder {
  #phase: Phase = 'raw';
  #ended = false;
  /** Room for one unit that has begun in an earlier chunk, and how much of it is there. */
  #room: Buffer = EMPTY;
  #filled = 0;

  /** An `invalid` unit has FRAME_* or RECORD_INVALID; nothing comes after it. */
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

  /** Copies what the held unit still lacks of its `need` bytes; returns how many there were. */
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

  /** Bytes of the unit that starts here, header included; undefined while its header is not complete. */
  #unitBytes(bytes: Buffer): number | undefined {
    const first = bytes[0];
    if (first === undefined) return undefined;
    if (this.#isRecord(first)) {
      // Application data never travels raw.
      if (first < RECORD_TYPE.changeCipherSpec || first > RECORD_TYPE.handshake) {
        throw new ProtocolError('RECORD_INVALID', `no TLS handshake record starts with 0x${first.toString(16)}`);
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
    // Link.java reads a signed short: 0x8000 and up are negative there, and both kinds close the link.
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
