import t from 'tap';
import { firstAddress, firstIPv4 } from '../../src/lib/interfaces.js';

t.test('interfaces: the first address that others can reach, IPv4 before IPv6', async t => {
  const at = (address: string, family: 'IPv4' | 'IPv6', internal = false) =>
    ({
      address,
      family,
      internal,
      netmask: '',
      mac: '',
      cidr: null,
      ...(family === 'IPv6' && { scopeid: 0 }),
    }) as never;
  const lo = [at('127.0.0.1', 'IPv4', true), at('::1', 'IPv6', true)];
  t.equal(
    firstAddress({ lo, eth0: [at('fe80::1', 'IPv6'), at('2001:db8::1', 'IPv6')], eth1: [at('192.0.2.4', 'IPv4')] }),
    '192.0.2.4',
  );
  t.equal(firstAddress({ lo, eth0: [at('fe80::1', 'IPv6'), at('2001:db8::1', 'IPv6')] }), '2001:db8::1');
  t.equal(firstAddress({ lo, eth0: undefined }), '127.0.0.1');
  t.match(firstIPv4({ lo, eth1: [at('192.0.2.4', 'IPv4')] }), { address: '192.0.2.4' });
  t.equal(firstIPv4({ lo, eth0: [at('2001:db8::1', 'IPv6')] }), undefined);
});
