import fc from 'fast-check';
import { FrameDecoder } from '../../src/protocol/frame.js';
import { decodeHeader, encodeHeader } from '../../src/protocol/header.js';
import { PacketAssembler } from '../../src/protocol/packet-assembler.js';
import { dataRecord, describeUnit, FOLLOWING, frame, HANDSHAKE } from '../helpers/frames.js';
import { property } from '../helpers/property.js';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const header = fc.record({
  version: fc.constantFrom(0, 2),
  flags: fc.nat(0xffff),
  sequence: int64,
  contentLength: fc.integer(),
  mgmtId: int64,
  agentId: int64,
  via: int64,
});

property('headers: each comes back with its body', fc.tuple(header, fc.uint8Array()), ([sent, body]) => {
  const read = decodeHeader(encodeHeader(sent, body));
  const via = sent.version === 2 ? sent.agentId : sent.via;
  return (
    read.body.equals(body) &&
    Object.entries({ ...sent, via }).every(([name, value]) => read.header[name as keyof typeof read.header] === value)
  );
});

property('headers: any bytes are a header or a ProtocolError', fc.uint8Array({ maxLength: 60 }), bytes => {
  try {
    decodeHeader(Buffer.from(bytes));
  } catch (error) {
    return /^PACKET_(EMPTY|VERSION|SHORT)$/.test((error as { code?: string }).code ?? '');
  }
  return true;
});

const sentFrames = fc.array(fc.record({ bytes: fc.nat(2_000), following: fc.boolean(), fill: fc.nat(255) }), {
  maxLength: 12,
});
const cuts = fc.array(fc.nat(4_000), { maxLength: 30 });

function piecesOf(bytes: Buffer, at: readonly number[]): Buffer[] {
  const edges = [...at.filter(edge => edge <= bytes.length), bytes.length].sort((one, other) => one - other);
  return edges.map((edge, index) => bytes.subarray(edges[index - 1] ?? 0, edge));
}

property('frames: whatever the chunks are, the units are the same', fc.tuple(sentFrames, cuts), ([frames, at]) => {
  const records = frames.map(({ bytes, following, fill }) => frame(dataRecord(bytes, fill), following ? FOLLOWING : 0));
  const stream = Buffer.concat([HANDSHAKE, ...records]);
  const whole = new FrameDecoder().push(stream).map(describeUnit);
  const decoder = new FrameDecoder();
  const split = piecesOf(stream, at).flatMap(piece => decoder.push(piece).map(describeUnit));
  return split.join('\n') === whole.join('\n') && whole.length >= frames.length;
});

property(
  'frames: any bytes behind a handshake end in an invalid unit, or in none',
  fc.tuple(fc.uint8Array(), cuts),
  ([bytes, at]) => {
    const decoder = new FrameDecoder();
    decoder.push(HANDSHAKE);
    const units = piecesOf(Buffer.from(bytes), at).flatMap(piece => decoder.push(piece));
    const invalid = units.findIndex(({ kind }) => kind === 'invalid');
    return invalid === -1 || invalid === units.length - 1;
  },
);

property(
  'frames: the packets are those that the frames say, whatever the chunks of plaintext',
  fc.tuple(sentFrames, cuts),
  ([frames, at]) => {
    const assembler = new PacketAssembler();
    const expected: number[] = [];
    let growing = 0;
    for (const { bytes, following } of frames) {
      assembler.frame(bytes, following);
      growing += bytes;
      if (!following) expected.push(growing);
      if (!following) growing = 0;
    }
    const plaintext = Buffer.concat(frames.map(({ bytes, fill }) => Buffer.alloc(bytes, fill)));
    const packets = [...piecesOf(plaintext, at), Buffer.alloc(0)].flatMap(piece => assembler.push(piece));
    return (
      packets.map(({ length }) => length).join() === expected.join() &&
      Buffer.concat(packets).equals(plaintext.subarray(0, plaintext.length - growing))
    );
  },
);
