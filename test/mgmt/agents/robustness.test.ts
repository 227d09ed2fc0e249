import t from 'tap';
import { decodePacket, encodePacket, type Packet } from '../../../src/protocol/index.js';
import { contentOf, FakeAgent } from '../../../src/testing/fake-agent.js';
import { settle } from '../../../src/testing/fake-clock.js';
import { memoryTransports } from '../../../src/testing/memory-transport.js';
import { recordedPackets } from '../../../src/testing/recorded-packets.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { testServer } from '../../helpers/test-server.js';

const SEED = Number(process.env.MUSTER_SEED ?? 20261122);
const RUNS = Number(process.env.MUSTER_RUNS ?? 150);

t.test(
  `robustness: whatever strangers and agents send, the server lives and serves others (seed ${SEED}, ${RUNS} runs)`,
  async t => {
    const random = seededRandom(SEED);
    const { agent, server } = await testServer();
    const recorded = [...recordedPackets('4.13'), ...recordedPackets('4.23')].map(({ hex }) => Buffer.from(hex, 'hex'));
    const pick = <T>(list: readonly T[]): T => list[random.int(list.length)] as T;

    /** A recorded packet, as it is, with bytes changed, cut short, or with its header for this server. */
    const packet = (): Buffer => {
      const bytes = Buffer.from(pick(recorded));
      const kind = random.int(4);
      if (kind === 1) for (let i = 0; i <= random.int(6); i++) bytes[random.int(bytes.length)] = random.int(256);
      if (kind === 2) return bytes.subarray(0, random.int(bytes.length));
      if (kind === 3) {
        const flags = random.int(256) & ~0xa0;
        const header = {
          version: pick([0, 2]),
          flags,
          mgmtId: pick([-1n, 1001n]),
          sequence: BigInt(random.int(9) - 1),
        };
        const readable: Packet = { ...decodePacket(bytes), ...header };
        return encodePacket(readable);
      }
      return bytes;
    };

    for (let run = 0; run < RUNS; run++) {
      const ends = memoryTransports();
      server.serveTransport(ends.server);
      const one = new FakeAgent(ends.agent);
      if (random.int(2)) await one.join({ guid: `g${random.int(5)}` });
      for (let i = 0; i < 40; i++) ends.agent.send(packet());
      if (random.int(3) === 0) ends.agent.cut();
      await settle();
    }
    const healthy = agent();
    await healthy.join({ guid: 'healthy' });
    healthy.ping();
    t.equal(contentOf(await healthy.receive())[0], 'PingAnswer');
  },
);

t.test('robustness: an agent that does not read is cut off, also in the middle of a refusal', async t => {
  const { agent, registry } = await testServer();
  const one = agent();
  one.ends.server.queuedBytes = 5 * 2 ** 20;
  one.startup({ dataCenter: 'moon' });
  await settle();
  t.ok(one.closed);
  const two = agent();
  two.ends.server.queuedBytes = 5 * 2 ** 20;
  two.startup();
  await settle();
  t.ok(two.closed);
  t.equal(registry.size, 0);
  await agent().join();
  t.equal(registry.size, 1);
});
