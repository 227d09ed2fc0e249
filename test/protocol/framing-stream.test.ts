import { PassThrough } from 'node:stream';
import t from 'tap';
import { FramingStream } from '../../src/protocol/framing-stream.js';
import { dataRecord, frame, HANDSHAKE } from '../helpers/frames.js';

/** The bytes of what TLS gets at a time, behind a handshake. */
function handedOn(...chunks: readonly Buffer[]): { pieces: number[]; bytes: Buffer } {
  const framing = new FramingStream(new PassThrough(), error => t.error(error));
  framing.receive(HANDSHAKE);
  framing.secured(24, () => undefined);
  framing.read();
  const read: Buffer[] = [];
  framing.push = (piece: Buffer) => {
    read.push(piece);
    return true;
  };
  for (const chunk of chunks) framing.receive(chunk);
  return { pieces: read.map(({ length }) => length), bytes: Buffer.concat(read) };
}

t.test('what is not large goes to TLS in pieces that do not fill its first buffer', async t => {
  const records = [dataRecord(700, 1), dataRecord(1_000, 2), dataRecord(2_000, 3)];
  const { pieces, bytes } = handedOn(...records.map(one => frame(one)));
  t.same(pieces, [705, 1_005, 1_023, 982]);
  t.same(bytes, Buffer.concat(records), 'all of it');
});

t.test('after what is large, everything goes to TLS as it came', async t => {
  const records = [dataRecord(4_200, 1), dataRecord(2_000, 2)];
  const { pieces, bytes } = handedOn(...records.map(one => frame(one)));
  t.same(pieces, [4_205, 2_005]);
  t.same(bytes, Buffer.concat(records));
});
