import t from 'tap';
import { decodeHeader, encodeHeader, FLAG, type PacketHeader } from '../../src/protocol/header.js';

const HEADER: PacketHeader = {
  version: 0,
  flags: 0x27,
  sequence: 1_311_673_391_471_656_967n,
  contentLength: 2,
  mgmtId: 2n ** 48n - 1n,
  agentId: 7n,
  via: 8n,
};

t.test('header: v1 has 40 bytes, big-endian', async t => {
  const bytes = encodeHeader(HEADER, Buffer.from('[]'));
  t.equal(
    bytes.toString('hex'),
    '00000027123400000000000700000002' + '0000ffffffffffff' + '0000000000000007' + '0000000000000008' + '5b5d',
  );
  t.same(decodeHeader(bytes), { header: HEADER, body: Buffer.from('[]') });
});

t.test('header: v3 has 32 bytes, and its via is the agent id', async t => {
  const bytes = encodeHeader({ ...HEADER, version: 2 }, Buffer.from('[]'));
  t.equal(bytes.length, 34);
  t.equal(bytes[0], 2);
  t.same(decodeHeader(bytes), { header: { ...HEADER, version: 2, via: 7n }, body: Buffer.from('[]') });
});

t.test('header: 64-bit fields keep every bit', async t => {
  const wrong = [];
  for (const value of [-1n, 0n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const header = { ...HEADER, sequence: value, mgmtId: value, agentId: value, via: value };
    const decoded = decodeHeader(encodeHeader(header, Buffer.alloc(0))).header;
    if (![decoded.sequence, decoded.mgmtId, decoded.agentId, decoded.via].every(field => field === value)) {
      wrong.push(value);
    }
  }
  t.same(wrong, []);
});

t.test('header: the second byte and unknown flags mean nothing', async t => {
  const bytes = encodeHeader({ ...HEADER, flags: 0xffff & ~FLAG.gzip }, Buffer.alloc(0));
  bytes[1] = 0xff;
  t.equal(decodeHeader(bytes).header.flags, 0xff7f);
});

t.test('header: an unknown version, a short packet and an empty one have codes of their own', async t => {
  t.throws(() => decodeHeader(Buffer.alloc(0)), { code: 'PACKET_EMPTY' });
  const wrong = [];
  for (let version = 0; version < 256; version++) {
    const bytes = Buffer.alloc(60);
    bytes[0] = version;
    const code = codeOf(() => decodeHeader(bytes));
    if (code !== (version === 0 || version === 2 ? undefined : 'PACKET_VERSION')) wrong.push(version);
  }
  for (let length = 1; length <= 40; length++) {
    const v3 = Buffer.alloc(length);
    v3[0] = 2;
    if (codeOf(() => decodeHeader(Buffer.alloc(length))) !== (length < 40 ? 'PACKET_SHORT' : undefined))
      wrong.push(length);
    if (codeOf(() => decodeHeader(v3)) !== (length < 32 ? 'PACKET_SHORT' : undefined)) wrong.push(length);
  }
  t.same(wrong, []);
  t.throws(() => encodeHeader({ ...HEADER, version: 1 }, Buffer.alloc(0)), { code: 'PACKET_VERSION' });
});

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}
