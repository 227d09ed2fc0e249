import t from 'tap';
import { tlsPair } from '../helpers/tls-pair.js';

t.test('framed-tls: packets of any size arrive whole and in order, both ways', async t => {
  const { agent, server } = await tlsPair();
  const sizes = [1, 39, 300, 16_383, 16_384, 16_385, 60_000, 1, 2, 3, 500_000];
  const [atServer, atAgent] = await Promise.all([
    received(server, sizes.length),
    received(agent, sizes.length),
    send(),
  ]);
  t.same(atServer, sizes);
  t.same(atAgent, sizes);

  async function send() {
    for (const [index, size] of sizes.entries()) {
      agent.send(Buffer.alloc(size, index));
      server.send(Buffer.alloc(size, index));
    }
  }
});

t.test('framed-tls: a packet sent right before close arrives, then the peer sees a normal end', async t => {
  const { agent, server } = await tlsPair();
  const seen: string[] = [];
  const ended = new Promise<void>(resolve => {
    server.listen({
      onPacket: packet => seen.push(packet.toString()),
      onClose: error => {
        seen.push(error ? error.message : 'end');
        resolve();
      },
    });
  });
  agent.listen({ onPacket() {}, onClose() {} });
  agent.send(Buffer.from('shutdown'));
  agent.close();
  await ended;
  t.same(seen, ['shutdown', 'end']);
});

function received(transport: Awaited<ReturnType<typeof tlsPair>>['agent'], count: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const sizes: number[] = [];
    transport.listen({
      onPacket(packet) {
        const index = sizes.push(packet.length) - 1;
        if (packet.some(byte => byte !== index % 256)) reject(new Error(`packet ${index} is damaged`));
        if (sizes.length === count) resolve(sizes);
      },
      onClose: error => reject(error ?? new Error('closed')),
    });
  });
}
