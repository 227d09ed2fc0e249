import t from 'tap';
import { parseProperties } from '../../../src/lib/files/properties.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const asObject = (source: string | Uint8Array) => {
  const document = parseProperties(source);
  return Object.fromEntries([...document.keys()].map(key => [key, document.get(key)]));
};
const edit = (text: string, changes: Record<string, string | undefined>) =>
  parseProperties(text)
    .with(new Map(Object.entries(changes)))
    .toString();

// What java.util.Properties makes of these (JDK 17), but for the cases that say otherwise.
const READ: readonly [what: string, text: string, expected: Record<string, string>][] = [
  ['the plain form', 'a=1\nb=2\n', { a: '1', b: '2' }],
  ['blanks around the separator', ' key = value \n\tk\t:\tv\n', { key: 'value', k: 'v' }],
  ['a colon', 'key: value\nother:x', { key: 'value', other: 'x' }],
  ['a blank as the separator', 'key value=more\nk  :  v\n', { key: 'value=more', k: 'v' }],
  ['only the first separator', 'db.url=mysql://u:p=q@h:3306/x\n', { 'db.url': 'mysql://u:p=q@h:3306/x' }],
  ['no value', 'a\nb=\nc:\nd ', { a: '', b: '', c: '', d: '' }],
  ['CRLF', 'a=1\r\nb=2\r\n\r\nc=3', { a: '1', b: '2', c: '3' }],
  ['lone CR', 'a=1\rb=2', { a: '1', b: '2' }],
  ['comments and blank lines', '# a=1\n! b=2\n \t\n  #c=3\nd=4', { d: '4' }],
  ['# and ! within a line', 'a=1#2\nb#c=x!y\n', { a: '1#2', 'b#c': 'x!y' }],
  ['escaped separators', 'time=12\\:30\nurl=http\\://h\\:1/?a\\=b\n', { time: '12:30', url: 'http://h:1/?a=b' }],
  ['escapes in keys', 'a\\:b\\=c\\ d\\#e=1\n\\!f=2\n', { 'a:b=c d#e': '1', '!f': '2' }],
  ['control escapes', 'a=x\\ty\\nz\\r\\f\n', { a: 'x\ty\nz\r\f' }],
  ['backslashes', 'a=C:\\\\dir\\\\\nb=\\q\\u0041\\u00e9\\uD83D\\uDE00\n', { a: 'C:\\dir\\', b: 'qAé😀' }],
  ['a doubled backslash before u', 'a=\\\\u0041', { a: '\\u0041' }],
  ['text beyond ASCII', 'ключ=зна\u2028ч', { ключ: 'зна\u2028ч' }],
  ['continuation lines', 'a=b,\\\n    c,\\\r\n  d\nke\\\n  y=v', { a: 'b,c,d', key: 'v' }],
  ['a comment sign on a continuation line', 'a=b\\\n#c', { a: 'b#c' }],
  ['a comment that ends in a backslash', '# x\\\na=1', { a: '1' }],
  ['an even number of backslashes at the end', 'a=b\\\\\nc=d', { a: 'b\\', c: 'd' }],
  ['a backslash as the last character', 'a=b\\', { a: 'b' }],
  ['an escape across a continuation', 'a=\\u00\\\ne9', { a: 'é' }],
  ['duplicate keys: the last wins', 'a=1\nb=x\na=2', { a: '2', b: 'x' }],
  ['brackets', '[section]\na=1\n[b]=2\nc=[x]\n', { '[section]': '', a: '1', '[b]': '2', c: '[x]' }],
  ['no coercion', 'a=true\nb=007\nc=null\nd=1e3\ne=\n', { a: 'true', b: '007', c: 'null', d: '1e3', e: '' }],
  ['escaped blanks at the ends', 'a=\\ x\\ \nb=\\u0020\n', { a: ' x ', b: ' ' }],
  ['no-break spaces', 'a=\u00a0x\u00a0\n', { a: '\u00a0x\u00a0' }],
  ['a byte order mark (Java: part of the key)', '\ufeffa=1\n', { a: '1' }],
  ['trailing blanks dropped (Java: kept)', 'a=1 \t\nb=2 \r\n', { a: '1', b: '2' }],
  ['a broken \\u (Java: refused)', 'a=C:\\users\n', { a: 'C:users' }],
  ['an empty key is no property (Java: it is)', '=x\n: y\na=1\n', { a: '1' }],
  ['nothing', '', {}],
];

for (const [what, text, expected] of READ) {
  t.test(`properties: read: ${what}`, async t => {
    t.strictSame(asObject(text), expected);
    t.equal(parseProperties(text).toString(), text, 'and untouched it is what it was');
  });
}

t.test('properties: keys that objects have are plain keys', async t => {
  const document = parseProperties('__proto__=x\nconstructor=y\n');
  t.strictSame([...document.keys()], ['__proto__', 'constructor']);
  t.equal(document.get('__proto__'), 'x');
  t.equal(document.get('toString'), undefined);
  t.equal(parseProperties('').has('__proto__'), false);
  t.equal(
    parseProperties('')
      .with(new Map([['__proto__', 'z']]))
      .toString(),
    '__proto__=z\n',
  );
});

const EDITED: readonly [what: string, text: string, changes: Record<string, string | undefined>, expected: string][] = [
  ['in place', '# c\na=1\nb=2\n', { a: '3' }, '# c\na=3\nb=2\n'],
  ['behind the own separator and indentation', '  a : 1  \nb\t2\n', { a: '3', b: '4' }, '  a : 3\nb\t4\n'],
  ['with the own line end', 'a=1\r\nb=2\nc=3\r\n', { a: 'x', b: 'y' }, 'a=x\r\nb=y\nc=3\r\n'],
  ['a key without a separator', 'a\nb\\', { a: '1', b: '2' }, 'a=1\nb=2'],
  ['a value over several lines', 'a = b,\\\n    c\nd=e\n', { a: 'x' }, 'a = x\nd=e\n'],
  ['a value on the next line', 'a=\\\n    c\nd=e\n', { a: 'x' }, 'a=x\nd=e\n'],
  ['the last of duplicates', 'a=1\nb=2\na=3\n', { a: '4' }, 'a=1\nb=2\na=4\n'],
  ['all duplicates on removal', 'a=1\nb=2\na=3\n', { a: undefined }, 'b=2\n'],
  ['nothing, for a value as it is', ' a = h\\:1 \nb=2', { a: 'h:1', b: '2', c: undefined }, ' a = h\\:1 \nb=2'],
  ['new keys at the end', 'a=1\n# end\n', { c: '3', b: '2' }, 'a=1\n# end\nc=3\nb=2\n'],
  ['a new key after no final newline', 'a=1', { b: '2' }, 'a=1\nb=2\n'],
  ['a new key after no final newline, CRLF', '#\r\na=1', { b: '2' }, '#\r\na=1\r\nb=2\r\n'],
  ['a new key after a last backslash', 'a=1\\', { b: '2' }, 'a=1\\\n\nb=2\n'],
  ['a new key after a last backslash and newline', 'a=1\\\n', { b: '2' }, 'a=1\\\n\nb=2\n'],
  ['a new key after a comment with a backslash', '# a\\', { b: '2' }, '# a\\\nb=2\n'],
  ['the first key behind a byte order mark', '\ufeffa=1\n', { a: undefined, b: '2' }, '\ufeffb=2\n'],
  ['a new key in an empty file', '', { a: '1', b: undefined }, 'a=1\n'],
  ['what needs no escape', '', { a: 'mysql://u:p=q@h/#!x' }, 'a=mysql://u:p=q@h/#!x\n'],
  ['what needs one', '', { a: ' \\x\t\n\r\fé\0 ' }, 'a=\\u0020\\\\x\\t\\n\\r\\f\\u00E9\\u0000\\u0020\n'],
  ['a value that could be the separator', 'a x\n', { a: '=1' }, 'a \\=1\n'],
  ['a key that needs escapes', '', { '# a:b=c\\é': '1' }, '\\#\\u0020a\\:b\\=c\\\\\\u00E9=1\n'],
  ['lines that are no entries are left', 'junk here\n[x]\n=y\n', { a: '1' }, 'junk here\n[x]\n=y\na=1\n'],
];

for (const [what, text, changes, expected] of EDITED) {
  t.test(`properties: edit: ${what}`, async t => {
    const before = parseProperties(text);
    t.equal(before.with(new Map(Object.entries(changes))).toString(), expected);
    t.equal(before.toString(), text, 'the document itself does not change');
    for (const [key, value] of Object.entries(changes)) t.equal(parseProperties(expected).get(key), value);
  });
}

t.test('properties: a key cannot be empty', async t => {
  t.throws(() => edit('a=1', { '': 'x' }), TypeError);
});

t.test('properties: bytes that are not UTF-8 are Latin-1, and stay so', async t => {
  const latin1 = Buffer.from('# gr\xfc\xdfe\nname=J\xf6rg\n', 'latin1');
  t.equal(parseProperties(latin1).get('name'), 'Jörg');
  t.strictSame(
    Buffer.from(
      parseProperties(latin1)
        .with(new Map([['zone', 'ü']]))
        .toBytes(),
    ),
    Buffer.from('# gr\xfc\xdfe\nname=J\xf6rg\nzone=\\u00FC\n', 'latin1'),
  );
  const utf8 = Buffer.from('\ufeff# grüße\nname=Jörg\n');
  t.strictSame(asObject(utf8), { name: 'Jörg' });
  t.strictSame(Buffer.from(parseProperties(utf8).toBytes()), utf8);
});

const SEED = 20260101;
const RUNS = 3000;
const ATOMS = [
  'a',
  'b',
  '=',
  ':',
  '#',
  '\\',
  '\\\\',
  ' ',
  '\t',
  '\n',
  '\r',
  '\r\n',
  '[',
  ']',
  '\\u0041',
  'é',
  '\u2028',
];

t.test(
  `properties: any edit of any text changes what it says and nothing else (seed ${SEED}, ${RUNS} runs)`,
  async t => {
    const random = seededRandom(SEED);
    const text = (atoms: number) =>
      Array.from({ length: random.int(atoms) }, () => ATOMS[random.int(ATOMS.length)]).join('');
    const failures: unknown[] = [];
    for (let run = 0; run < RUNS; run++) {
      const before = parseProperties(text(24));
      const keys = [...before.keys(), 'new', `k${text(3)}`];
      const key = keys[random.int(keys.length)] ?? '';
      const value = random.int(4) === 0 ? undefined : text(6);
      const after = before.with(new Map([[key, value]]));
      const expected = new Map([...before.keys()].map(k => [k, before.get(k)]));
      if (value === undefined) expected.delete(key);
      else expected.set(key, value);
      const same = [...after.keys()].length === expected.size && [...expected].every(([k, v]) => after.get(k) === v);
      if (!same || parseProperties(before.toString()).toString() !== before.toString()) {
        failures.push({ before: before.toString(), key, value, after: after.toString() });
      }
    }
    t.strictSame(failures, []);
  },
);

t.test('properties: a key has the line on which its value begins', async t => {
  const document = parseProperties('\ufeff# a\r\na=1\r\nb=2,\\\r\n  3\r\n\rnothing\na=4\n');
  t.same(
    ['a', 'b', 'nothing', 'c'].map(key => document.lineOf(key)),
    [7, 3, 6, undefined],
  );
});
