import t from 'tap';
import { FrameDecoder, FrameEncoder, RECORD_TYPE } from '../../src/protocol/frame.js';
import {
  dataRecord,
  describeUnit,
  FOLLOWING,
  frame,
  HANDSHAKE,
  inRandomPieces,
  inSteps,
  record,
} from '../helpers/frames.js';
import { seededRandom } from '../helpers/seeded-random.js';

/** What a stream behind a handshake decodes to, a line a unit. */
function unitsOf(...pieces: Buffer[]): string[] {
  const decoder = new FrameDecoder();
  decoder.push(HANDSHAKE);
  return pieces.flatMap(piece => decoder.push(piece)).map(describeUnit);
}

const codeOf = (...pieces: Buffer[]) => unitsOf(...pieces).map(line => line.replace(/^(invalid \w+|\w+).*/, '$1'));

const STREAM = Buffer.concat([
  HANDSHAKE,
  frame(dataRecord(300, 1)),
  frame(dataRecord(17_000, 2), FOLLOWING),
  frame(Buffer.concat([dataRecord(30, 3), dataRecord(0), dataRecord(31, 4)])),
  frame(Buffer.alloc(0)),
  frame(dataRecord(24), FOLLOWING),
  frame(record(RECORD_TYPE.alert, Buffer.alloc(26))),
]);

t.test('frame: any split of the stream yields the same units', async t => {
  const whole = new FrameDecoder().push(STREAM).map(describeUnit);
  t.equal(whole.length, 9);
  const different = [];
  for (const step of [1, 2, 3, 4, 5, 6, 7, 9, 299, 1460, 4096, STREAM.length - 1]) {
    const decoder = new FrameDecoder();
    const units = inSteps(STREAM, step).flatMap(piece => decoder.push(piece));
    if (units.map(describeUnit).join('\n') !== whole.join('\n')) different.push(step);
  }
  t.same(different, []);
});

t.test('frame: any split of a stream that goes wrong yields the same units before the end', async t => {
  const stream = Buffer.concat([STREAM, Buffer.from([0x15, 3, 3, 0]), frame(dataRecord(9))]);
  const whole = new FrameDecoder().push(stream).map(describeUnit);
  t.same(whole.slice(-1), ['invalid FRAME_HEADER']);
  t.equal(whole.length, 10);
  const different = [];
  for (const step of [1, 3, 5, 1460]) {
    const decoder = new FrameDecoder();
    const units = inSteps(stream, step).flatMap(piece => decoder.push(piece));
    if (units.map(describeUnit).join('\n') !== whole.join('\n')) different.push(step);
  }
  t.same(different, []);
});

const SEED = 4711;
const RUNS = 300;
t.test(`frame: what the encoder writes, the decoder reads, in any pieces (seed ${SEED}, ${RUNS} runs)`, async t => {
  const random = seededRandom(SEED);
  const wrong = [];
  for (let run = 0; run < RUNS; run++) {
    const overhead = random.int(2) === 0 ? 24 : 16;
    const encoder = new FrameEncoder();
    const ciphertext: Buffer[] = [HANDSHAKE];
    const expected = [];
    for (let packet = 0; packet < 4; packet++) {
      const bytes = 1 + random.int(random.int(4) === 0 ? 60_000 : 500);
      encoder.announce(bytes);
      for (let left = bytes; left > 0; left -= 16_384) {
        const payload = dataRecord(Math.min(left, 16_384) + overhead, packet);
        ciphertext.push(payload);
        expected.push(`frame ${left > 16_384 ? '+' : '.'} 1 ${payload.toString('hex')}`);
      }
      // An alert between packets is framed too, and ends none.
      if (random.int(5) === 0) {
        const alert = record(RECORD_TYPE.alert, Buffer.alloc(2 + overhead));
        ciphertext.push(alert);
        expected.push(`frame . 1 ${alert.toString('hex')}`);
      }
    }
    const written = inRandomPieces(Buffer.concat(ciphertext), random, 20_000).flatMap(piece =>
      encoder.push(piece, overhead),
    );
    const decoder = new FrameDecoder();
    const units = inRandomPieces(Buffer.concat(written), random, 20_000).flatMap(piece => decoder.push(piece));
    if (units.slice(3).map(describeUnit).join('\n') !== expected.join('\n')) wrong.push(run);
  }
  t.same(wrong, []);
});

t.test('frame: the handshake travels raw, alerts in it too', async t => {
  const stream = Buffer.concat([record(RECORD_TYPE.alert, Buffer.from([1, 90])), HANDSHAKE]);
  t.same(Buffer.concat(new FrameEncoder().push(stream, 0)), stream);
  t.same(
    new FrameDecoder().push(stream).map(unit => unit.kind),
    ['record', 'record', 'record', 'record'],
  );
});

t.test('frame: the encoder waits for a record header that is cut', async t => {
  const encoder = new FrameEncoder();
  encoder.push(HANDSHAKE, 24);
  encoder.announce(10);
  const written = inSteps(dataRecord(34), 1).map(piece => Buffer.concat(encoder.push(piece, 24)));
  t.same(
    written.slice(0, 4).map(bytes => bytes.length),
    [0, 0, 0, 0],
  );
  t.same(Buffer.concat(written), frame(dataRecord(34)));
});

t.test('frame: a length of 18000 is read, a longer or a negative one ends the stream', async t => {
  t.same(codeOf(frame(dataRecord(17_995))), ['frame']);
  for (const length of [18_001, 0x7fff, 0x8000, 0xffff]) {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(length);
    t.same(codeOf(header), ['invalid FRAME_TOO_LONG'], `length ${length}`);
    t.same(codeOf(...inSteps(header, 1)), ['invalid FRAME_TOO_LONG'], `length ${length}, byte by byte`);
  }
});

t.test('frame: the top byte of a header is 0, or the stream ends', async t => {
  for (const top of [0x01, 0x14, 0x15, 0x16, 0x17, 0x80, 0xff]) {
    t.same(codeOf(Buffer.from([top])), ['invalid FRAME_HEADER'], `0x${top.toString(16)}`);
  }
});

t.test('frame: bits 17 to 23 mean nothing', async t => {
  const payload = dataRecord(30);
  t.same(unitsOf(frame(payload, 0xfe0000)), unitsOf(frame(payload)));
  t.same(unitsOf(frame(payload, 0xff0000)), unitsOf(frame(payload, FOLLOWING)));
});

t.test('frame: a record that goes beyond its frame ends the stream', async t => {
  const payload = dataRecord(30);
  for (const cut of [1, 4, 5, 6, payload.length - 1]) {
    t.same(codeOf(frame(payload.subarray(0, cut))), ['invalid FRAME_SPLIT_RECORD'], `${cut} bytes of it`);
    t.same(
      codeOf(frame(Buffer.concat([payload, payload.subarray(0, cut)]))),
      ['invalid FRAME_SPLIT_RECORD'],
      `${cut} bytes of a second one`,
    );
  }
});

t.test('frame: a frame before Finished ends the stream', async t => {
  const early = frame(dataRecord(30));
  const changing = HANDSHAKE.subarray(0, HANDSHAKE.length - 45);
  t.same(new FrameDecoder().push(early).map(describeUnit), ['invalid FRAME_EARLY']);
  t.same(
    new FrameDecoder()
      .push(Buffer.concat([changing, early]))
      .map(describeUnit)
      .slice(2),
    ['invalid FRAME_EARLY'],
  );
});

t.test('frame: in the handshake there are TLS records of bounded length and nothing else', async t => {
  const first = (bytes: Buffer) => new FrameDecoder().push(bytes).map(unit => describeUnit(unit).slice(0, 22));
  t.same(first(Buffer.from('GET / HTTP/1.1')), ['invalid RECORD_INVALID']);
  t.same(first(dataRecord(30)), ['invalid RECORD_INVALID'], 'application data');
  for (const [bytes, found] of [
    [Buffer.from('HTTP/1.1 400 Bad Request'), 'HTTP'],
    [Buffer.from('SSH-2.0'), '0x53'],
    [Buffer.from('H'), '0x48'],
  ] as const) {
    t.match(new FrameDecoder().push(bytes), [
      { error: { message: `what the peer sends is no TLS handshake: it begins with ${found}` } },
    ]);
  }
  const header = Buffer.from([0x16, 3, 3, 0, 0]);
  header.writeUInt16BE(2 ** 14 + 2048, 3);
  t.same(first(header), [], 'the longest');
  header.writeUInt16BE(2 ** 14 + 2049, 3);
  t.same(first(header), ['invalid RECORD_INVALID'], 'too long');
});

t.test('frame: an empty frame is a unit without records', async t => {
  t.same(unitsOf(frame(Buffer.alloc(0))), ['frame . 0 ']);
});

t.test('frame: nothing comes behind an invalid unit', async t => {
  const decoder = new FrameDecoder();
  decoder.push(HANDSHAKE);
  t.equal(decoder.push(Buffer.from([1])).length, 1);
  t.same(decoder.push(frame(dataRecord(30))), []);
});
