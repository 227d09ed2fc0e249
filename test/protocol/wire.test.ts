import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { decodeHeader, FLAG } from '../../src/protocol/header.js';
import { decodePacket, encodePacket } from '../../src/protocol/packet.js';
import { recordedPackets } from '../../src/testing/recorded-packets.js';

for (const release of ['4.13', '4.23'] as const) {
  const packets = recordedPackets(release);

  t.test(`wire: every recorded packet of CloudStack ${release} decodes to its fields`, async t => {
    t.ok(packets.length >= 37);
    for (const wire of packets) {
      const packet = decodePacket(Buffer.from(wire.hex, 'hex'));
      t.match(
        packet,
        {
          version: wire.version,
          flags: wire.flags,
          sequence: BigInt(wire.sequence),
          mgmtId: BigInt(wire.mgmtId),
          agentId: BigInt(wire.agentId),
          via: BigInt(wire.via),
        },
        wire.name,
      );
      t.equal(JSON.stringify(packet.messages.map(m => ({ [m.type]: m.fields }))), unescaped(wire.content), wire.name);
    }
  });

  t.test(`wire: every recorded packet of CloudStack ${release} encodes back to its bytes`, async t => {
    for (const wire of packets) {
      const recorded = Buffer.from(wire.hex, 'hex');
      const encoded = encodePacket(decodePacket(recorded));
      if (wire.flags & FLAG.gzip) {
        t.same(encoded.subarray(0, 40), recorded.subarray(0, 40), `${wire.name}: header`);
        t.equal(gunzipSync(decodeHeader(encoded).body).toString(), wire.content, `${wire.name}: body`);
      } else {
        t.equal(encoded.toString('hex'), wire.hex, wire.name);
      }
    }
  });
}

/** The recorded body without Gson's escapes, to compare with what JSON.stringify makes of the decoded one. */
function unescaped(content: string): string {
  return JSON.stringify(JSON.parse(content));
}
