import t from 'tap';
import type { Random } from '../../src/lib/random.js';
import { ProtocolError } from '../../src/protocol/errors.js';
import { FrameDecoder } from '../../src/protocol/frame.js';
import { decodePacket, encodePacket } from '../../src/protocol/packet.js';
import { BEFORE_READY } from '../../src/protocol/packet-limits.js';
import { FakeClock, settle } from '../../src/testing/fake-clock.js';
import { recordedPackets } from '../../src/testing/recorded-packets.js';
import { dataRecord, describeUnit, FOLLOWING, frame, HANDSHAKE, inRandomPieces, inSteps } from '../helpers/frames.js';
import { seedFor } from '../helpers/property.js';
import { RawPeer } from '../helpers/raw-peer.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { serverTls } from '../helpers/tls-pair.js';
import { memoryWire } from '../helpers/wire-tap.js';

const RECORDED = [...recordedPackets('4.13'), ...recordedPackets('4.23')].map(({ hex }) => Buffer.from(hex, 'hex'));
/** What stands in JSON where something may break. */
const SPLINTERS = ['{', '}', '[', ']', '"', ',', ':', '\\', '\\u12', '1.0', '-0', '1e999', '9007199254740993'];
SPLINTERS.push('null', '{"__proto__":{}}', '\u2028', '\ud800', '\0', '[[[[[[[[[[[[', '"a":1,"a":2', 'x'.repeat(9000));

/** Some bytes changed, cut out, doubled or put in; sometimes the end cut off. */
function mutated(bytes: Buffer, random: Random): Buffer {
  let result = Buffer.from(bytes);
  for (let changes = 1 + random.int(4); changes > 0; changes--) {
    const at = random.int(result.length + 1);
    const end = Math.min(result.length, at + random.int(random.int(3) === 0 ? 200 : 4));
    const before = result.subarray(0, at);
    switch (random.int(5)) {
      case 0:
        if (at < result.length) result[at] = random.int(256);
        break;
      case 1:
        result = Buffer.concat([before, result.subarray(end)]);
        break;
      case 2:
        result = Buffer.concat([before, result.subarray(at, end), result.subarray(at)]);
        break;
      case 3:
        result = Buffer.concat([
          before,
          Buffer.from(SPLINTERS[random.int(SPLINTERS.length)] ?? ''),
          result.subarray(at),
        ]);
        break;
      default:
        if (random.int(4) === 0) result = Buffer.from(before);
    }
  }
  return result;
}

const PACKETS = { seed: seedFor(1_000_003), runs: 6_000 };
t.test(
  `fuzz: a damaged packet is decoded or is a ProtocolError (seed ${PACKETS.seed}, ${PACKETS.runs} runs)`,
  async t => {
    const random = seededRandom(PACKETS.seed);
    const failures = [];
    const codes = new Map<string, number>();
    for (let run = 0; run < PACKETS.runs; run++) {
      const bytes = mutated(RECORDED[random.int(RECORDED.length)] ?? Buffer.alloc(0), random);
      let code = 'decoded';
      try {
        const packet = decodePacket(bytes, BEFORE_READY);
        // What was read can be written, and reads the same.
        const again = encodePacket(packet);
        if (!encodePacket(decodePacket(again)).equals(again)) failures.push(`run ${run}: another packet comes back`);
      } catch (error) {
        if (error instanceof ProtocolError) code = error.code;
        else failures.push(`run ${run}: ${error}`);
      }
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    t.same(failures, []);
    const expected = ['decoded', 'PACKET_SHORT', 'PACKET_VERSION', 'BODY_JSON', 'BODY_GZIP', 'BODY_TOO_LARGE'];
    t.same(
      expected.filter(code => !codes.has(code)),
      [],
      'every outcome was met',
    );
  },
);

const STREAMS = { seed: seedFor(77_003), runs: 2_000 };
t.test(`fuzz: a damaged stream decodes alike however split (seed ${STREAMS.seed}, ${STREAMS.runs} runs)`, async t => {
  const random = seededRandom(STREAMS.seed);
  const stream = Buffer.concat([
    HANDSHAKE,
    frame(dataRecord(300, 1)),
    frame(dataRecord(2_000, 2), FOLLOWING),
    frame(Buffer.concat([dataRecord(30, 3), dataRecord(0), dataRecord(31, 4)])),
    frame(Buffer.alloc(0)),
    frame(dataRecord(24), 0xfe0000),
  ]);
  const failures = [];
  const kinds = new Set<string>();
  for (let run = 0; run < STREAMS.runs; run++) {
    const bytes = mutated(stream, random);
    const whole = new FrameDecoder().push(bytes).map(describeUnit);
    const decoder = new FrameDecoder();
    const pieces = inRandomPieces(bytes, random, 1 + random.int(600)).flatMap(piece => decoder.push(piece));
    if (pieces.map(describeUnit).join('\n') !== whole.join('\n')) failures.push(`run ${run}: differs when split`);
    const invalid = whole.findIndex(line => line.startsWith('invalid'));
    if (invalid !== -1 && invalid !== whole.length - 1) failures.push(`run ${run}: units behind an invalid one`);
    kinds.add(invalid === -1 ? 'read' : (whole[invalid] ?? ''));
  }
  t.same(failures, []);
  t.ok(kinds.size >= 6, [...kinds].join());
});

const PEERS = { seed: seedFor(5_150), runs: 40 };
t.test(
  `fuzz: a damaged link ends with a ProtocolError and leaves nothing (seed ${PEERS.seed}, ${PEERS.runs} runs)`,
  async t => {
    const random = seededRandom(PEERS.seed);
    const failures = [];
    for (let run = 0; run < PEERS.runs; run++) {
      const clock = new FakeClock();
      const wire = memoryWire();
      const [server, peer] = await Promise.all([serverTls(wire.serverEnd, { clock }), RawPeer.connect(wire.agentEnd)]);
      const ends: (Error | undefined)[] = [];
      server.listen({ onPacket() {}, onClose: error => ends.push(error) });
      const frames = [];
      for (const packet of [RECORDED[run % RECORDED.length] ?? Buffer.alloc(1), Buffer.from('last')]) {
        for (const part of inSteps(packet, 1000))
          frames.push(frame(await peer.encrypt(part), random.int(2) * FOLLOWING));
      }
      for (const piece of inRandomPieces(mutated(Buffer.concat(frames), random), random, 2000))
        wire.agentEnd.write(piece);
      await settle();
      wire.agentEnd.end();
      await settle();
      if (ends.length !== 1) failures.push(`run ${run}: ${ends.length} ends`);
      if (ends[0] !== undefined && !(ends[0] instanceof ProtocolError)) failures.push(`run ${run}: ${ends[0]}`);
      if (!wire.serverEnd.destroyed || clock.pending > 0) failures.push(`run ${run}: something is left`);
    }
    t.same(failures, []);
  },
);
