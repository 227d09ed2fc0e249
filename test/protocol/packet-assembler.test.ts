import t from 'tap';
import { PacketAssembler } from '../../src/protocol/packet-assembler.js';
import { inRandomPieces } from '../helpers/frames.js';
import { seededRandom } from '../helpers/seeded-random.js';

const SEED = 20_260;
const RUNS = 500;
t.test(`packet-assembler: any split of the plaintext yields the packets (seed ${SEED}, ${RUNS} runs)`, async t => {
  const random = seededRandom(SEED);
  const wrong = [];
  for (let run = 0; run < RUNS; run++) {
    const assembler = new PacketAssembler();
    const sent: Buffer[] = [];
    const got: Buffer[] = [];
    const ahead: Buffer[] = [];
    for (let packet = 0; packet < 5; packet++) {
      const bytes = Buffer.alloc(1 + random.int(9000), packet);
      sent.push(bytes);
      const frames = inRandomPieces(bytes, random, 3000);
      const isEndedByEmptyFrame = random.int(9) === 0;
      for (const [index, part] of frames.entries()) {
        assembler.frame(part.length, index < frames.length - 1 || isEndedByEmptyFrame);
        ahead.push(part);
        // Plaintext may come far behind the frames, and in other pieces.
        if (random.int(2) === 0) got.push(...drain(assembler, ahead));
      }
      if (isEndedByEmptyFrame) assembler.frame(0, false);
      got.push(...assembler.push(Buffer.alloc(0)));
    }
    got.push(...drain(assembler, ahead));
    if (assembler.growingBytes !== 0 || !Buffer.concat(got).equals(Buffer.concat(sent)) || got.length !== sent.length) {
      wrong.push(run);
    }
  }
  t.same(wrong, []);

  function drain(assembler: PacketAssembler, ahead: Buffer[]): Buffer[] {
    const bytes = Buffer.concat(ahead.splice(0));
    return inRandomPieces(bytes, random, 5000).flatMap(piece => assembler.push(piece));
  }
});

t.test('packet-assembler: many tiny frames make one packet', async t => {
  const assembler = new PacketAssembler();
  const packets = [];
  for (let at = 0; at < 5000; at++) {
    assembler.frame(1, at < 4999);
    packets.push(...assembler.push(Buffer.from([at % 251])));
  }
  t.equal(packets.length, 1);
  t.same(packets[0], Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251)));
});

t.test('packet-assembler: a packet without bytes is one too, in its place among the others', async t => {
  const assembler = new PacketAssembler();
  assembler.frame(0, false);
  assembler.frame(2, false);
  assembler.frame(0, true);
  assembler.frame(0, false);
  const lengths = (packets: Buffer[]) => packets.map(({ length }) => length);
  t.same(lengths(assembler.push(Buffer.alloc(0))), [0]);
  t.same(lengths(assembler.push(Buffer.from('a'))), []);
  t.same(lengths(assembler.push(Buffer.from('b'))), [2, 0]);
});

t.test('packet-assembler: counts the bytes of the packet that is not complete', async t => {
  const assembler = new PacketAssembler();
  assembler.frame(10, false);
  assembler.frame(5, true);
  t.equal(assembler.growingBytes, 5);
  assembler.push(Buffer.alloc(12));
  t.equal(assembler.growingBytes, 5);
  assembler.push(Buffer.alloc(3));
  assembler.frame(0, false);
  t.equal(assembler.push(Buffer.alloc(0)).length, 1);
  t.equal(assembler.growingBytes, 0);
});

t.test('packet-assembler: what it keeps of a chunk is a copy, so that a few bytes do not hold 16 kB', async t => {
  const assembler = new PacketAssembler();
  const chunk = Buffer.alloc(16_384, 1);
  assembler.frame(16_000, false);
  assembler.frame(384, true);
  assembler.push(chunk);
  assembler.frame(1, false);
  const [packet] = assembler.push(Buffer.from([2]));
  t.equal(packet?.length, 385);
  t.not(packet?.buffer, chunk.buffer);
});
