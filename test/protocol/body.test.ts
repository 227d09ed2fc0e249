import { gzipSync } from 'node:zlib';
import t from 'tap';
import { decodeBody, encodeBody, receivedFields } from '../../src/protocol/body.js';
import { FLAG, type PacketHeader } from '../../src/protocol/header.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { decodePacket, encodePacket } from '../../src/protocol/packet.js';
import { BEFORE_READY, readyLimits } from '../../src/protocol/packet-limits.js';

const LIMIT = 2 ** 20;

function headerOf(flags: number, contentLength: number): PacketHeader {
  return { version: 0, flags, sequence: 1n, contentLength, mgmtId: -1n, agentId: 1n, via: 1n };
}

const plain = (body: string | Buffer, contentLength = body.length) =>
  decodeBody(headerOf(0, contentLength), Buffer.from(body), readyLimits(LIMIT));
const packed = (body: Buffer, contentLength: number, limit = LIMIT) =>
  decodeBody(headerOf(FLAG.gzip, contentLength), body, readyLimits(limit));

/** A message whose body has exactly `bytes` bytes. */
function messageOf(bytes: number) {
  const empty = encodeBody([{ type: 'a.B', fields: { f: '' } }], false).contentLength;
  return { type: 'a.B', fields: { f: 'x'.repeat(bytes - empty) } };
}

t.test('body: 8191 bytes travel plain, 8192 gzipped, and both come back', async t => {
  const packet = { version: 0, flags: FLAG.request, sequence: 1n, mgmtId: -1n, agentId: 1n, via: 1n };
  for (const [bytes, gzipped] of [
    [8191, false],
    [8192, true],
  ] as const) {
    const message = messageOf(bytes);
    const encoded = encodePacket({ ...packet, messages: [message] });
    const decoded = decodePacket(encoded);
    t.equal(encoded.length - 40 === bytes, !gzipped);
    t.equal((decoded.flags & FLAG.gzip) !== 0, gzipped);
    t.equal(encoded.readInt32BE(12), bytes, 'the content length is that of the unpacked body');
    t.same(decoded.messages, [message]);
  }
});

t.test('body: a large plain body and a small gzipped one are read, and a gzipped one stays so', async t => {
  t.equal(plain(JSON.stringify([{ 'a.B': { f: 'x'.repeat(100_000) } }])).length, 1);
  const text = Buffer.from('[{"a.B":{}}]');
  t.same(packed(gzipSync(text), text.length), [{ type: 'a.B', fields: {} }]);
  t.equal(encodeBody([{ type: 'a.B', fields: {} }], true).packed, true);
});

t.test('body: a wrong content length means nothing without gzip, and is an error with it', async t => {
  const text = Buffer.from('[{"a.B":{}}]');
  for (const length of [-1, 0, 1, text.length + 1, 2 ** 31 - 1]) {
    t.same(plain(text, length), [{ type: 'a.B', fields: {} }], `${length}, plain`);
  }
  for (const length of [-(2 ** 31), -1, 0, 1, text.length - 1, text.length + 1]) {
    t.throws(() => packed(gzipSync(text), length), { code: 'BODY_GZIP' }, `${length}, gzipped`);
  }
});

t.test('body: its limit holds for plain and for unpacked bodies', async t => {
  const text = Buffer.from(JSON.stringify([{ 'a.B': { f: 'x'.repeat(LIMIT) } }]));
  t.throws(() => plain(text), { code: 'BODY_TOO_LARGE' });
  t.throws(() => packed(gzipSync(text), text.length), { code: 'BODY_TOO_LARGE' });
  t.throws(() => packed(Buffer.from('no gzip at all'), 2 ** 31 - 1), { code: 'BODY_TOO_LARGE' });
  t.equal(packed(gzipSync(text), text.length, text.length).length, 1, 'exactly at the limit');
});

t.test('body: a gzip bomb takes no more memory than its header admits', async t => {
  const bomb = gzipSync(Buffer.alloc(2 ** 26, ' '));
  const before = process.memoryUsage();
  let highest = 0;
  for (const length of [-1, 0, 12, 100_000, LIMIT]) {
    t.throws(() => packed(bomb, length), { code: 'BODY_GZIP' }, `${length}`);
    const now = process.memoryUsage();
    highest = Math.max(highest, now.arrayBuffers + now.external - before.arrayBuffers - before.external);
  }
  t.throws(() => packed(bomb, 2 ** 26), { code: 'BODY_TOO_LARGE' });
  t.ok(highest < 16 * LIMIT, `${highest} bytes`);
});

t.test('body: broken gzip is an error', async t => {
  const text = Buffer.from('[{"a.B":{}}]');
  const good = gzipSync(text);
  const accepted = [];
  for (let cut = 0; cut < good.length; cut++) {
    if (codeOf(() => packed(good.subarray(0, cut), text.length)) !== 'BODY_GZIP') accepted.push(`cut at ${cut}`);
  }
  // Flags and time stamps of the gzip header may change; method, data, checksum and length may not.
  for (const at of [0, 1, 2, 12, good.length - 8, good.length - 1]) {
    const broken = Buffer.from(good);
    broken[at] = (broken[at] ?? 0) ^ 0x55;
    if (codeOf(() => packed(broken, text.length)) !== 'BODY_GZIP') accepted.push(`flipped at ${at}`);
  }
  t.same(accepted, []);
  t.throws(() => packed(text, text.length), { code: 'BODY_GZIP' }, 'the flag, but no gzip');
});

t.test('body: bytes behind the JSON or the gzip stream are an error, blanks and padding are not', async t => {
  t.throws(() => plain('[{"a.B":{}}]x'), { code: 'BODY_JSON' });
  t.throws(() => plain('[{"a.B":{}}]\0'), { code: 'BODY_JSON' });
  t.equal(plain(' [ {"a.B" : {} } ]\r\n').length, 1);
  t.throws(() => packed(Buffer.concat([gzipSync('[]'), Buffer.from('tail')]), 2), { code: 'BODY_GZIP' });
  t.same(packed(Buffer.concat([gzipSync('[]'), Buffer.alloc(4)]), 2), []);
});

t.test('body: an array of objects with one class each, or an error', async t => {
  t.same(plain('[]'), []);
  for (const text of ['', '[', 'nul', '[{"a.B":{}}', '{"a.B":}', '[{"a.B":{"f":01}}]', '[{a:{}}]', '\ufeff[]']) {
    t.throws(() => plain(text), { code: 'BODY_JSON' }, text);
  }
  for (const text of [
    ...['null', '1', '1.0', '"text"', '{}', '{"a.B":{}}'],
    ...['[1]', '[1.0]', '[null]', '["a.B"]', '[{}]', '[[]]', '[[{"a.B":{}}]]'],
    ...['[{"a.B":null}]', '[{"a.B":1}]', '[{"a.B":1.0}]', '[{"a.B":[]}]', '[{"a.B":"x"}]', '[{"a.B":{},"a.C":{}}]'],
    '[{"a.B":{}},{"a.B":{}},null]',
  ]) {
    t.throws(() => plain(text), { code: 'BODY_SHAPE' }, text);
  }
});

t.test('body: so many messages, and no more', async t => {
  const body = (count: number) => `[${'{"a.B":{}},'.repeat(count - 1)}{"a.B":{}}]`;
  t.equal(plain(body(LIMITS.bodyMessages)).length, LIMITS.bodyMessages);
  t.throws(() => plain(body(LIMITS.bodyMessages + 1)), { code: 'BODY_TOO_LARGE' });
});

t.test('body: before Ready fewer bytes and values are read', async t => {
  const read = (body: string) => decodeBody(headerOf(0, body.length), Buffer.from(body), BEFORE_READY);
  const values = (count: number) => `[{"a.B":{"f":[${'1,'.repeat(count - 1)}1]}}]`;
  t.equal(read(values(LIMITS.bodyValuesBeforeReady - 3)).length, 1);
  t.throws(() => read(values(LIMITS.bodyValuesBeforeReady)), { code: 'BODY_TOO_LARGE' });
  t.equal(plain(values(LIMITS.bodyValuesBeforeReady)).length, 1);
  const text = (bytes: number) => `[{"a.B":{"f":"${'x'.repeat(bytes - 18)}"}}]`;
  t.equal(read(text(LIMITS.packetBytesBeforeReady)).length, 1);
  t.throws(() => read(text(LIMITS.packetBytesBeforeReady + 1)), { code: 'BODY_TOO_LARGE' });
});

t.test('body: a message that was received can be written as it came', async t => {
  const written = ['{"b":1.0, "c" : "<\\"}{"}', '{}', '{"d":[{"e":{}}]}'];
  const [first, second, third] = plain(
    `[ {"a.B":${written[0]}}, {"a.C":{"x":1},"a.C":${written[1]}},{"a.D":${written[2]}}]`,
  );
  const again = [first, second, third].map(message => message && receivedFields(message)?.text);
  t.same(again, written);
  t.equal(receivedFields({ type: 'a.B', fields: {} }), undefined);
  const echo = encodeBody([{ type: 'a.E', fields: { echo: first && receivedFields(first) } }], false);
  t.equal(echo.body.toString(), `[{"a.E":{"echo":${written[0]}}}]`);
});

t.test('body: any class name and any field is let through', async t => {
  const text = '[{"__proto__":{"__proto__":{},"a":null}},{"":{}}]';
  const [first, second] = plain(text);
  t.equal(first?.type, '__proto__');
  t.same(Object.keys(first?.fields ?? {}), ['__proto__', 'a']);
  t.equal(second?.type, '');
});

t.test('body: bytes that are no UTF-8 become replacement characters', async t => {
  const text = Buffer.concat([Buffer.from('[{"a.B":{"f":"'), Buffer.from([0xff, 0xc3]), Buffer.from('"}}]')]);
  t.same(plain(text), [{ type: 'a.B', fields: { f: '\ufffd\ufffd' } }]);
});

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}
