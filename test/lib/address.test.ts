import { isIPv6 } from 'node:net';
import t from 'tap';
import { AddressError, canonicalAddress, formatHostPort, HOST_LIST_MAX, parseHostList } from '../../src/lib/address.js';
import { seededRandom } from '../helpers/seeded-random.js';

const CANONICAL: readonly (readonly [text: string, canonical: string])[] = [
  ['10.0.0.1', '10.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['::1', '::1'],
  ['[::1]', '::1'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:0db8::0001', '2001:db8::1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::ffff:102:304', '::ffff:1.2.3.4'],
  ['[::FFFF:1.2.3.4]', '::ffff:1.2.3.4'],
  ['::1.2.3.4', '::102:304'],
  ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ['localhost', 'localhost'],
  ['Mgmt-1.Example.COM.', 'mgmt-1.example.com'],
  ['_srv.my_host', '_srv.my_host'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['1a', '1a'],
  ['10.0.0.1.example', '10.0.0.1.example'],
  ['x'.repeat(63), 'x'.repeat(63)],
  [`${'a.'.repeat(126)}b.`, `${'a.'.repeat(126)}b`],
];

t.test('address: every spelling of an address becomes one', async t => {
  for (const [text, canonical] of CANONICAL) {
    t.equal(canonicalAddress(text), canonical);
    t.equal(canonicalAddress(canonical), canonical, 'which is its own');
  }
});

const REFUSED: readonly (readonly [text: string, reason: RegExp])[] = [
  ['', /empty/],
  ['10.0.0.01', /not an IPv4 address.*without leading zeros/],
  ['10.1', /not an IPv4 address/],
  ['10.0.0.256', /not an IPv4 address/],
  ['10.0.0.0.1', /not an IPv4 address/],
  ['10.0.0.1.', /not an IPv4 address/],
  ['2130706433', /not an IPv4 address/],
  ['0x7f000001', /not an IPv4 address/],
  ['0x7f.0.0.0x1', /not an IPv4 address/],
  ['host.42', /not an IPv4 address/],
  ['10.0.0.1:8250', /"10\.0\.0\.1:8250" has a port: ports do not belong in the list/],
  ['mgmt:8250', /port/],
  ['mgmt:', /port/],
  ['[::1]:8250', /port/],
  ['fe80::1%eth0', /zone id/],
  ['1::2::3', /not an IPv6 address/],
  ['12345::', /not an IPv6 address/],
  ['::ffff:1.2.3.04', /not an IPv6 address/],
  ['[::1', /not an IPv6 address/],
  ['[[::1]]', /not an IPv6 address/],
  ['[10.0.0.1]', /not an IPv6 address/],
  ['tcp://mgmt', /not an IPv6 address/],
  ['a b', /blank/],
  [' a', /blank/],
  ['a\n', /blank/],
  ['a..b', /empty part/],
  ['.', /empty part/],
  ['a...', /empty part/],
  ['-a', /hyphen/],
  ['a-.b', /hyphen/],
  ['bücher.example', /xn--/],
  ['\u212a.example', /character that no name has/],
  ['a@static', /character that no name has/],
  ['a\0', /"a\\u0000" has a character that no name has/],
  ['x'.repeat(64), /at most 63/],
  [`${'a.'.repeat(127)}b`, /at most 253/],
];

t.test('address: what is no address is refused with the reason', async t => {
  for (const [text, reason] of REFUSED) {
    t.throws(
      () => canonicalAddress(text),
      { name: 'AddressError', code: 'ADDRESS_INVALID', message: reason },
      JSON.stringify(text),
    );
  }
});

t.test('address: a long entry is cut in the message', async t => {
  t.throws(() => canonicalAddress('x'.repeat(100_000)), { message: /^.{0,200}$/ });
});

const SEED = 20260101;
const RUNS = 20_000;
const ATOMS = ['0', '1', 'F', 'ffff', '::', ':', ':', '.', '10', '01', '::ffff:', '1.2.3.4', 'g', '12345'];

t.test(
  `address: IPv6 is what Node takes for it, spelled as the URL standard does (seed ${SEED}, ${RUNS} runs)`,
  async t => {
    const random = seededRandom(SEED);
    const failures: string[] = [];
    for (let run = 0; run < RUNS; run++) {
      const text = `:${Array.from({ length: random.int(9) }, () => ATOMS[random.int(ATOMS.length)]).join('')}`;
      try {
        const address = canonicalAddress(text);
        const sameBytes = new URL(`http://[${address}]`).hostname === new URL(`http://[${text}]`).hostname;
        if (!sameBytes || !isIPv6(address) || canonicalAddress(address) !== address)
          failures.push(`${text} → ${address}`);
      } catch (error) {
        if (!(error instanceof AddressError) || isIPv6(text)) failures.push(text);
      }
    }
    t.strictSame(failures, []);
  },
);

t.test('host list: entries are canonical and keep their order', async t => {
  t.strictSame(parseHostList('B.example,10.0.0.2,[2001:DB8::1],a'), ['b.example', '10.0.0.2', '2001:db8::1', 'a']);
  t.strictSame(parseHostList(' a , \tb\n'), ['a', 'b'], 'blanks around commas are dropped');
});

t.test('host list: what is wrong is named', async t => {
  const says = (text: string, message: RegExp) =>
    t.throws(() => parseHostList(text), { code: 'ADDRESS_INVALID', message }, JSON.stringify(text.slice(0, 40)));
  says('', /list is empty/);
  says('  ', /list is empty/);
  says('a,,b', /^entry 2 of 3 is empty/);
  says('a,b,', /^entry 3 of 3 is empty/);
  says(',a', /^entry 1 of 2 is empty/);
  says('a, b c,d', /^entry 2, "b c", has a blank in it: allowed/);
  says('a,10.0.0.1:8250', /^entry 2, "10\.0\.0\.1:8250", has a port/);
  says('a,b,A.', /^entries 1 and 3 are the same: a$/);
  says('::1,b,[0:0::1]', /^entries 1 and 3 are the same: ::1$/);
});

t.test('host list: has a bound', async t => {
  const list = (length: number) => Array.from({ length }, (_, index) => `host${index}`).join(',');
  t.equal(parseHostList(list(HOST_LIST_MAX)).length, HOST_LIST_MAX);
  t.throws(() => parseHostList(list(HOST_LIST_MAX + 1)), { message: '257 entries: at most 256 are allowed' });
});

t.test('address: host and port together', async t => {
  t.equal(formatHostPort('::1', 8250), '[::1]:8250');
  t.equal(formatHostPort('10.0.0.1', 8250), '10.0.0.1:8250');
  t.equal(formatHostPort('localhost', 8250), 'localhost:8250');
});
