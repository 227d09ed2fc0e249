import t from 'tap';
import { age } from '../../src/admin/age.js';
import { formatTable, objectTable } from '../../src/admin/table.js';
import { API } from '../../src/api/commands/index.js';

const NOW = Date.UTC(2026, 0, 10, 12);
const ago = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString().slice(0, 19).concat('+0000');

t.test('age: two units at most, none that is nothing', async t => {
  const cases: [number, string][] = [
    [-5, '0 s'],
    [0, '0 s'],
    [59, '59 s'],
    [60, '1 min'],
    [61, '1 min 1 s'],
    [3_600, '1 h'],
    [3_601, '1 h'],
    [3_660, '1 h 1 min'],
    [86_400 * 3 + 3_600 * 4 + 59, '3 d 4 h'],
    [86_400 * 400, '400 d'],
  ];
  t.same(
    cases.map(([seconds]) => age(ago(seconds), NOW)),
    cases.map(([, text]) => text),
  );
  t.same(
    [undefined, null, 'x', 7].map(wrong => age(wrong, NOW)),
    ['', '', '', ''],
  );
});

t.test('table: columns are aligned, numbers to the right, and nothing trails', async t => {
  t.strictSame(
    formatTable([
      ['NAME', 'COUNT', 'WHY'],
      ['a', '5', ''],
      ['longer', '1234', 'x'],
      ['c', '', ''],
    ]),
    ['NAME    COUNT  WHY', 'a           5', 'longer   1234  x', 'c'],
  );
  t.strictSame(formatTable([['A', 'B']]), ['A  B']);
});

t.test('table: in a narrow terminal the widest columns are cut, so that no line is broken', async t => {
  const rows = [
    ['NAME', 'DESCRIPTION', 'N'],
    ['a-rather-long-name', 'a description that goes on and on', '7'],
  ];
  const lines = formatTable(rows, 40);
  t.ok(lines.every(line => line.length <= 40));
  t.equal(lines[1], 'a-rather-long-name  a description th…  7');
  t.strictSame(formatTable(rows, 200), formatTable(rows), 'a wide one shows all');
  t.ok(
    formatTable(rows, 5).every(line => line.includes('…') || line.length <= 30),
    'too narrow for anything',
  );
});

t.test('table: what an agent calls itself cannot move the cursor', async t => {
  const [, line = ''] = formatTable([['NAME'], ['a\x1b[2Jb\r\nc\u202ed\x9b31m']]);
  t.notMatch(line, /[\p{Cc}\p{Cf}]/u);
});

t.test('table: objects of the API: ages, moments of history, lists, and what is not there', async t => {
  const host = { name: 'h1', state: 'Up', clustername: 'z', hosttags: 'a,b', lastpinged: ago(12) };
  t.strictSame(objectTable(API.listHosts, [host], NOW), [
    'NAME  STATE  IPADDRESS  CLUSTERNAME  MANAGEMENTSERVERNAME  HOSTTAGS  VERSION  LASTPINGED',
    'h1    Up                z                                  a,b                12 s ago',
  ]);
  for (const [seconds, text] of [
    [-30, /0 s ago/],
    [-7_200, /in 2 h/],
  ] as const) {
    t.match(objectTable(API.listHosts, [{ ...host, lastpinged: ago(seconds) }], NOW)[1], text);
  }
  const event = { created: ago(0), level: 'INFO', type: 'T', description: 'd' };
  t.match(objectTable(API.listEvents, [event], NOW)[1], /^2026-01-10 12:00:00 {2}INFO/);
  const preview = {
    algorithm: 'static',
    shares: [
      { address: 'a', agents: 1 },
      { address: 'b', agents: 2 },
    ],
  };
  t.match(objectTable(API.previewHostList, [preview], NOW)[1], /a 1, b 2/);
});
