import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { endianness } from 'node:os';
import t from 'tap';
import { isUnacknowledged, retransmissionsIn, SharedTcpTable } from '../../../src/agent/dial/kernel-tcp.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const TAIL = '     0        0 12345 2 0000000000000000 20 4 30 10 -1\n';
const line = (local: string, remote: string, retransmissions: string) =>
  `   0: ${local} ${remote} 01 00000040:00000000 01:00000014 ${retransmissions}${TAIL}`;

const ends = (localAddress: string, localPort: number, remoteAddress: string, remotePort: number) => ({
  localAddress,
  localPort,
  remoteAddress,
  remotePort,
});

// As a little-endian machine writes them.
const options = { skip: endianness() === 'BE' && 'the lines are those of a little-endian machine' };

t.test('kernel tcp: finds an IPv4 connection by both its ends', options, async t => {
  const table =
    HEAD +
    line('0100007F:1F91', '0200007F:203A', '00000001') +
    line('0100007F:1F90', '0200007F:203A', '0000000C') +
    line('0100007F:1F92', '0200007F:203A', '00000002');
  t.equal(retransmissionsIn(table, ends('127.0.0.1', 8080, '127.0.0.2', 8250)), 12, 'hexadecimal');
  t.equal(retransmissionsIn(table, ends('127.0.0.1', 8081, '127.0.0.2', 8250)), 1);
  t.equal(retransmissionsIn(table, ends('127.0.0.2', 8250, '127.0.0.1', 8080)), undefined, 'not the other way round');
  t.equal(retransmissionsIn(table, ends('127.0.0.1', 8080, '127.0.0.3', 8250)), undefined);
});

t.test('kernel tcp: pads ports and addresses', options, async t => {
  const table = HEAD + line('0101A8C0:0050', '0A00000A:000A', '00000003');
  t.equal(retransmissionsIn(table, ends('192.168.1.1', 80, '10.0.0.10', 10)), 3);
});

t.test('kernel tcp: finds an IPv6 connection, each word of it in the order of the machine', options, async t => {
  const table =
    HEAD +
    line('00000000000000000000000001000000:9C40', 'B80D0120000000000000000012340000:203A', '00000007') +
    line('00000000000000000000000001000000:9C40', 'B80D0120000000000000000034120000:203A', '00000004');
  t.equal(retransmissionsIn(table, ends('::1', 40_000, '2001:db8::1234', 8250)), 4);
  t.equal(retransmissionsIn(table, ends('::1', 40_001, '2001:db8::1234', 8250)), undefined);
});

t.test('kernel tcp: an IPv4 connection may stand in the IPv6 table, or be named as mapped', options, async t => {
  const mapped =
    HEAD + line('0000000000000000FFFF00000100007F:1F90', '0000000000000000FFFF00000200007F:203A', '00000005');
  const plain = HEAD + line('0100007F:1F90', '0200007F:203A', '00000006');
  for (const prefix of ['', '::ffff:']) {
    const connection = ends(`${prefix}127.0.0.1`, 8080, `${prefix}127.0.0.2`, 8250);
    t.equal(retransmissionsIn(mapped, connection), 5);
    t.equal(retransmissionsIn(plain, connection), 6);
  }
});

t.test(
  'regression: kernel tcp: a thousand connections that ask within a second read the table once',
  options,
  async t => {
    const clock = new FakeClock();
    const read: string[] = [];
    let text =
      HEAD + line('0100007F:1F90', '0200007F:203A', '00000003') + line('0100007F:1F91', '0200007F:203A', '00000002');
    const table = new SharedTcpTable(clock, async path => {
      read.push(path);
      return path.endsWith('tcp') ? text : '';
    });
    const asked = Array.from({ length: 1_000 }, (_, index) => ends('127.0.0.1', 8_080 + index, '127.0.0.2', 8_250));
    const answers = await Promise.all(asked.map(connection => table.isUnacknowledged(connection)));
    t.strictSame([answers.indexOf(true), answers.lastIndexOf(true), read.length], [0, 0, 2]);
    t.equal(await table.isUnacknowledged(ends('::ffff:127.0.0.1', 8_080, '127.0.0.2', 8_250)), true, 'named as mapped');
    t.equal(await table.isUnacknowledged(ends('x', 1, 'y', 2)), false);
    text = HEAD + line('0100007F:1F90', '0200007F:203A', '00000000');
    await clock.advance(999);
    t.equal(await table.isUnacknowledged(ends('127.0.0.1', 8_080, '127.0.0.2', 8_250)), true);
    await clock.advance(1);
    t.equal(await table.isUnacknowledged(ends('127.0.0.1', 8_080, '127.0.0.2', 8_250)), false);
    t.equal(read.length, 4);
  },
);

t.test('kernel tcp: of what is no table, or no address, it knows nothing', async t => {
  t.equal(retransmissionsIn('', ends('127.0.0.1', 1, '127.0.0.1', 2)), undefined);
  t.equal(retransmissionsIn(`${HEAD}\n\ngarbage\n`, ends('127.0.0.1', 1, '127.0.0.1', 2)), undefined);
  t.equal(retransmissionsIn(HEAD + line('0100007F:0001', '0100007F:0002', '00000009'), ends('', 1, '', 2)), undefined);
  t.notOk(await isUnacknowledged(ends('203.0.113.1', 1, '203.0.113.2', 2)));
});

t.test('kernel tcp: finds a real loopback connection, of which everything is acknowledged', async t => {
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer(socket => socket.resume());
    try {
      server.listen(0, host);
      await once(server, 'listening');
    } catch {
      t.comment(`${host} is not to be had here`);
      continue;
    }
    const socket = connect((server.address() as AddressInfo).port, host);
    await once(socket, 'connect');
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket;
    const connection = ends(localAddress, localPort, remoteAddress, remotePort);
    const file = host.includes(':') ? '/proc/self/net/tcp6' : '/proc/self/net/tcp';
    const table = await readFile(file, 'latin1').catch(() => undefined);
    if (table !== undefined) t.equal(retransmissionsIn(table, connection), 0, host);
    t.notOk(await isUnacknowledged(connection));
    socket.destroy();
    server.close();
  }
});
