import t from 'tap';
import {
  type AddressRange,
  addressOf,
  addressRange,
  hardwareAddressOf,
  netmaskOf,
  ofAgent,
  roomOf,
} from '../../../src/fleet/load/numbering.js';

const range = (text: string) => addressRange(text) as AddressRange;

t.test('numbering: each agent has an address of its own in a network', async t => {
  const network = range('127.1.0.0/16');
  t.equal(roomOf(network), 65_534);
  t.strictSame(
    [1, 255, 256, 65_534].map(agent => addressOf(network, agent)),
    ['127.1.0.1', '127.1.0.255', '127.1.1.0', '127.1.255.254'],
  );
  t.equal(netmaskOf(network), '255.255.0.0');
  t.equal(addressOf(range('10.3.77.9/20'), 1), '10.3.64.1', 'bits beyond the network do not count');
  t.equal(netmaskOf(range('10.3.77.9/20')), '255.255.240.0');
  t.equal(roomOf(range('10.0.0.0/31')), 0);
  t.strictSame(
    ['', '127.0.0.1', '127.1/16', '127.1.0.0/33', '::1/64', 'a/8'].map(addressRange),
    Array.from({ length: 6 }, () => undefined),
  );
});

t.test('numbering: hardware addresses differ, and nobody has sold them', async t => {
  t.equal(hardwareAddressOf(1), '02:4d:00:00:00:01');
  t.equal(hardwareAddressOf(70_000), '02:4d:00:01:11:70');
});

t.test('numbering: a value may have the number of the agent, its rack, or a remainder', async t => {
  t.equal(ofAgent('ssd,rack-{n/40},third-{n%3},no-{n}', 41), 'ssd,rack-2,third-2,no-41');
  t.strictSame(
    [1, 40, 41].map(agent => ofAgent('{n/40}', agent)),
    ['1', '1', '2'],
  );
  t.equal(ofAgent('{m} {n/0} {n*2} n', 7), '{m} {n/0} {n*2} n', 'anything else stays as it is');
});
