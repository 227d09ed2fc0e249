import type { Random } from '../../src/lib/random.js';
import { RECORD_TYPE, type Unit } from '../../src/protocol/frame.js';

/** A TLS record with `payload` behind its 5-byte header. */
export function record(type: number, payload: Uint8Array): Buffer {
  const header = Buffer.from([type, 3, 3, 0, 0]);
  header.writeUInt16BE(payload.length, 3);
  return Buffer.concat([header, payload]);
}

/** A record of application data, `bytes` long behind its header. */
export function dataRecord(bytes: number, fill = 0): Buffer {
  return record(RECORD_TYPE.applicationData, Buffer.alloc(bytes, fill));
}

/** A frame around `payload`; `bits` are or-ed into its header (`FOLLOWING`, or what no peer should send). */
export function frame(payload: Uint8Array, bits = 0): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE((payload.length | bits) >>> 0);
  return Buffer.concat([header, payload]);
}

export const FOLLOWING = 0x10000;

/** One direction's records up to Finished: the next byte is a frame's. */
export const HANDSHAKE = Buffer.concat([
  record(RECORD_TYPE.handshake, Buffer.alloc(200, 1)),
  record(RECORD_TYPE.changeCipherSpec, Buffer.from([1])),
  record(RECORD_TYPE.handshake, Buffer.alloc(40, 2)),
]);

/** The bytes in pieces of `step`. */
export function inSteps(bytes: Buffer, step: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += step) pieces.push(bytes.subarray(at, at + step));
  return pieces;
}

/** The bytes in pieces of 1 to `longest` bytes. */
export function inRandomPieces(bytes: Buffer, random: Random, longest: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.int(longest);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

/** A unit in a line, to compare and to print. */
export function describeUnit(unit: Unit): string {
  switch (unit.kind) {
    case 'record':
      return `record ${unit.bytes.toString('hex')}`;
    case 'frame':
      return `frame ${unit.following ? '+' : '.'} ${unit.records.length} ${unit.payload.toString('hex')}`;
    case 'invalid':
      return `invalid ${unit.error.code}`;
  }
}
