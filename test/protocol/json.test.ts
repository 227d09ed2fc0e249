import { LosslessNumber } from 'lossless-json';
import t from 'tap';
import { decodeJson, encodeJson, RawJson } from '../../src/protocol/json.js';
import { LIMITS } from '../../src/protocol/limits.js';
import { seededRandom } from '../helpers/seeded-random.js';

const BACKSLASH = '\\';

t.test('json: integers up to 2^53 are numbers, from 2^53 on bigint', async t => {
  const wrong = [];
  for (const [text, value] of [
    ['0', 0],
    ['-1', -1],
    ['999999999999999', 999_999_999_999_999],
    ['9007199254740991', 9_007_199_254_740_991],
    ['-9007199254740991', -9_007_199_254_740_991],
    ['9007199254740992', 9_007_199_254_740_992n],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['-9007199254740992', -9_007_199_254_740_992n],
    ['9223372036854775807', 9_223_372_036_854_775_807n],
    ['-9223372036854775808', -9_223_372_036_854_775_808n],
  ] as const) {
    if (decodeJson(text) !== value || encodeJson(value) !== text) wrong.push(text);
    // In every place where a number can stand.
    for (const around of [`[${text}]`, `[1, ${text}]`, `{"a":${text}}`, `{"a": [\n${text}]}`]) {
      if (encodeJson(decodeJson(around)) !== around.replace(/\s/g, '')) wrong.push(around);
    }
  }
  t.same(wrong, []);
});

t.test('json: a number that JavaScript would print differently keeps its text', async t => {
  const wrong = [];
  for (const text of ['1.0', '-0', '-0.0', '0.10', '1e3', '1E400', '-1E-400', '1e21', '100000000000000000000.5']) {
    const value = decodeJson(`{"a":[${text}]}`) as { a: unknown[] };
    if (!(value.a[0] instanceof LosslessNumber)) wrong.push(text);
    if (encodeJson(value) !== `{"a":[${text}]}`) wrong.push(text);
  }
  t.same(wrong, []);
  t.same(decodeJson('[0.5,-1.25,0,5e-324]'), [0.5, -1.25, 0, 5e-324]);
});

t.test('json: objects have no prototype, whichever way they are read', async t => {
  for (const number of ['1', '1.0']) {
    const value = decodeJson(`{"n":${number},"a":[{"b":{}}],"__proto__":{"evil":true},"constructor":1,"toString":2}`);
    const root = value as Record<string, unknown>;
    const inner = root.a as Record<string, unknown>[];
    for (const object of [root, inner[0], inner[0]?.b, Object.values(root)[2]])
      t.equal(Object.getPrototypeOf(object), null);
    t.same(Object.keys(root), ['n', 'a', '__proto__', 'constructor', 'toString']);
    t.equal('evil' in root, false);
    t.match(encodeJson(value), '"__proto__":{"evil":true},"constructor":1,"toString":2');
  }
  t.equal(({} as { evil?: boolean }).evil, undefined);
});

t.test('json: what looks like the inside of a number of ours is a plain object', async t => {
  const text = '{"isLosslessNumber":true,"value":"1,2","toJSON":{},"n":1.0}';
  t.equal(encodeJson(decodeJson(text)), text);
});

t.test('json: of duplicate keys the last one counts', async t => {
  t.same(decodeJson('{"a":1,"b":2,"a":3}'), { a: 3, b: 2 });
  t.same(decodeJson('{"a":1,"a":{"x":0.5}}'), { a: { x: 0.5 } });
  t.equal(encodeJson(decodeJson('{"a":1.0,"a":null}')), '{"a":null}');
});

t.test('json: nests up to a bound', async t => {
  const nested = (depth: number, inner: string) => '['.repeat(depth) + inner + ']'.repeat(depth);
  for (const inner of ['1', '1.0']) {
    t.doesNotThrow(() => decodeJson(nested(LIMITS.bodyDepth, inner)));
    t.throws(() => decodeJson(nested(LIMITS.bodyDepth + 1, inner)), { code: 'BODY_JSON' });
    t.throws(() => decodeJson(nested(500_000, inner)), { code: 'BODY_JSON' }, 'however deep');
    t.throws(() => decodeJson(`${'{"a":'.repeat(101)}${inner}${'}'.repeat(101)}`), { code: 'BODY_JSON' });
  }
});

t.test('regression: json: a body of millions of empty objects is refused before they are made', async t => {
  const objects = (count: number) => `[${'{},'.repeat(count - 1)}{}]`;
  t.throws(() => decodeJson(objects(LIMITS.bodyValues)), { code: 'BODY_TOO_LARGE' });
  t.equal((decodeJson(objects(LIMITS.bodyValues / 2)) as unknown[]).length, LIMITS.bodyValues / 2);
});

t.test('regression: json: an integer of more than 19 digits stays text, at whatever length', async t => {
  for (const digits of [20, 1_000_000]) {
    const text = '7'.repeat(digits);
    for (const sign of ['', '-']) {
      const [value] = decodeJson(`[${sign}${text}]`) as unknown[];
      t.ok(value instanceof LosslessNumber, `${digits} digits`);
      t.equal(encodeJson(value), sign + text);
    }
  }
  t.equal(typeof decodeJson('7'.repeat(19)), 'bigint');
});

t.test('json: values are counted where they are, not in texts', async t => {
  const commas = ','.repeat(1_000);
  t.same(decodeJson(`["${commas}","\\\\","a\\"${commas}"]`, 4), [commas, '\\', `a"${commas}`]);
  t.throws(() => decodeJson('[1,2,3,4,5]', 4), { code: 'BODY_TOO_LARGE' });
  t.throws(() => decodeJson('{"a":{},"b":{"c":1}}', 3), { code: 'BODY_TOO_LARGE' });
});

t.test('json: what is written has bounds, before work is spent on it', async t => {
  const limits = { bytes: 100, values: 5 };
  t.equal(encodeJson([1, 2, 3, 4, 5], limits), '[1,2,3,4,5]');
  const endless: unknown[] = [];
  endless.push(endless);
  for (const [value, code] of [
    [[1, 2, 3, 4, 5, 6], 'BODY_TOO_LARGE'],
    [['x'.repeat(97)], undefined],
    [['x'.repeat(101)], 'BODY_TOO_LARGE'],
    [['<'.repeat(17)], 'BODY_TOO_LARGE'],
    [['x'.repeat(60), 'x'.repeat(60)], 'BODY_TOO_LARGE'],
    [{ a: {}, b: {}, c: {}, d: {} }, 'BODY_TOO_LARGE'],
    [endless, 'BODY_TOO_LARGE'],
  ] as const) {
    let met: unknown;
    try {
      encodeJson(value, limits);
    } catch (error) {
      met = (error as { code: string }).code;
    }
    t.equal(met, code);
  }
  t.throws(() => encodeJson(endless), { code: 'BODY_JSON' }, 'nests too deep');
});

t.test('json: what a reader counts as a value, the writer counts as one', async t => {
  for (const value of [[], {}, [[]], { a: {} }, [1, [2, {}], { a: [], b: 'x,[{' }]]) {
    const text = encodeJson(value);
    let least = 0;
    for (const isEnough of [
      () => void decodeJson(text, least),
      () => void encodeJson(value, { bytes: 99, values: least }),
    ]) {
      for (least = 0; ; least++) {
        try {
          isEnough();
          break;
        } catch {}
      }
      t.equal(least, text.replaceAll(/"[^"]*"/g, '').match(/[[{,]/g)?.length ?? 0, text);
    }
  }
});

t.test('json: text of JSON is written as it is', async t => {
  t.equal(encodeJson({ a: new RawJson('{"b": "<"}') }), '{"a":{"b": "<"}}');
});

t.test('json: writes the escapes that Gson writes, and no others', async t => {
  t.equal(encodeJson(`<>&='`), `"${['003c', '003e', '0026', '003d', '0027'].map(c => `${BACKSLASH}u${c}`).join('')}"`);
  t.equal(encodeJson('\u2028\u2029'), `"${BACKSLASH}u2028${BACKSLASH}u2029"`);
  t.equal(encodeJson('\b\t\n\f\r"\\/'), '"\\b\\t\\n\\f\\r\\"\\\\/"');
  t.equal(encodeJson('\u0000\u001f'), `"${BACKSLASH}u0000${BACKSLASH}u001f"`);
  t.equal(encodeJson('\u007fé中😀'), '"\u007fé中😀"');
  t.equal(encodeJson({ 'a=b': 1 }), `{"a${BACKSLASH}u003db":1}`, 'in keys too');
});

t.test('json: of ASCII, what JSON or Gson escapes is escaped, alone and among others', async t => {
  const wrong = [];
  for (let code = 0; code < 0x80; code++) {
    const character = String.fromCharCode(code);
    const byGson = `${BACKSLASH}u00${code.toString(16)}`;
    const escaped = "<>&='".includes(character) ? byGson : JSON.stringify(character).slice(1, -1);
    for (const around of ['', 'a', '='])
      if (!encodeJson(`${around}${character}b`).endsWith(`${escaped}b"`)) wrong.push(`${around}${code}`);
  }
  t.same(wrong, []);
});

t.test('json: every character comes back, lone surrogates and raw line separators too', async t => {
  const wrong = [];
  for (let code = 0; code < 0x10000; code++) {
    const text = `a${String.fromCharCode(code)}z`;
    if (decodeJson(encodeJson(text)) !== text) wrong.push(code);
  }
  for (const text of ['😀', '\ud83d', '\ude00\ud83d', '\u2028', '\u007f']) {
    for (const number of ['1', '1.0']) {
      const [decoded] = decodeJson(`["${text}",${number}]`) as [string];
      if (decoded !== text || encodeJson(decoded) !== encodeJson(text)) wrong.push(text);
    }
  }
  t.same(wrong, []);
});

t.test('json: undefined fields are left out', async t => {
  t.equal(encodeJson({ a: undefined, b: null, c: [undefined] }), '{"b":null,"c":[null]}');
});

const SEED = 31_337;
const RUNS = 20_000;
t.test(`json: takes and refuses the same texts as JSON.parse (seed ${SEED}, ${RUNS} runs)`, async t => {
  const random = seededRandom(SEED);
  const tokens = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"a"',
    '"\\u00e9"',
    '1',
    '1.5',
    '1.0',
    '-0',
    '01',
    '.5',
    '1.',
    '-',
  ];
  tokens.push(
    '1e',
    '9007199254740993',
    'true',
    'nul',
    'null',
    ' ',
    '\n',
    '\t',
    '\\',
    '\\x',
    '\u0001',
    "'",
    '//',
    'NaN',
  );
  const different = [];
  for (let run = 0; run < RUNS; run++) {
    let text = ['[1.5,{"a":1.0}', '{"a":', '[', ''][random.int(4)] ?? '';
    for (let left = random.int(6); left > 0; left--) text += tokens[random.int(tokens.length)];
    text += ['', ']', '}', ',"b":-0.0}'][random.int(4)];
    if (accepts(() => decodeJson(text)) !== accepts(() => JSON.parse(text))) different.push(text);
  }
  t.same(different, []);

  function accepts(parse: () => unknown): boolean {
    try {
      parse();
      return true;
    } catch {
      return false;
    }
  }
});
