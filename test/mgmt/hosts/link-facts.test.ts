import t from 'tap';
import { type LinkFact, packLinkFacts, unpackLinkFacts } from '../../../src/mgmt/hosts/link-facts.js';
import { LinkFactsWriter } from '../../../src/mgmt/hosts/link-facts-writer.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import { FakeClock } from '../../helpers/fake-clock.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { testServer } from '../../helpers/test-server.js';

const FACT: LinkFact = {
  hostId: 7,
  since: 1_767_225_600_000,
  lastPing: 1_767_225_660_123,
  roundTripMs: 0.4,
  failovers: 3,
  lastLoss: 'closed by the peer, "quoted", ü',
  lag: undefined,
};
const BARE: LinkFact = { ...FACT, hostId: 8, roundTripMs: undefined, failovers: undefined, lastLoss: undefined };

t.test('link-facts: what is packed comes out again, also what nobody knows', async t => {
  t.match(unpackLinkFacts(packLinkFacts([FACT, BARE])), [FACT, BARE]);
  t.strictSame(unpackLinkFacts(packLinkFacts([])), []);
  t.throws(() => unpackLinkFacts(Buffer.from('x')), SyntaxError);
});

t.test('link-facts: 5,000 links are one row of less than a megabyte', async t => {
  const packed = packLinkFacts(Array.from({ length: 5_000 }, (_, hostId) => ({ ...FACT, hostId })));
  t.ok(packed.length < 2 ** 20, `${packed.length} bytes`);
});

t.test(
  'link-facts: one write each half minute, whatever happens on the links; soon when an agent has come',
  async t => {
    const clock = new FakeClock();
    const log = new RecordingLog();
    const rows: [number, number, LinkFact[]][] = [];
    const state = { away: false };
    const store = {
      async putLinkFacts(msid: number, at: number, facts: Uint8Array) {
        if (state.away) throw new StoreError('STORE_UNAVAILABLE', 'putLinkFacts');
        rows.push([msid, at, unpackLinkFacts(facts)]);
      },
    };
    let facts: LinkFact[] = [];
    const writer = new LinkFactsWriter(store, { clock, log, health: new StoreHealth(log), msid: 1 }, () => facts);
    writer.start();
    await clock.advance(29_999);
    t.same(rows, []);
    await clock.advance(1);
    t.same(rows, [[1, clock.wallTime(), []]]);
    facts = [FACT];
    await clock.advance(5_000);
    t.match(rows.at(-1), [1, clock.wallTime(), [FACT]], 'an agent has come');
    facts = [{ ...FACT, lastPing: FACT.lastPing + 20_000 }];
    await clock.advance(25_000);
    t.equal(rows.length, 2, 'a ping is no reason to write');
    state.away = true;
    await clock.advance(5_000);
    state.away = false;
    await clock.advance(5_000);
    t.match(rows.at(-1)?.[2], facts, 'it goes on after an outage');
    t.equal(rows.length, 3);
    writer.stop();
    t.equal(clock.pending, 0);
  },
);

t.test('regression: a ping moves the last ping on, and tells the round trip that the agent measured', async t => {
  const { linkFacts, stop, agent, clock } = await testServer();
  t.teardown(() => stop('now'));
  const one = agent();
  await one.join();
  const [before] = linkFacts();
  await clock.advance(30_000);
  one.request([{ type: 'com.cloud.agent.api.PingRoutingCommand', fields: { hostType: 'Routing', roundTripMs: 1.25 } }]);
  await one.receive();
  const [after] = linkFacts();
  t.equal(after?.since, before?.since);
  t.equal(after?.lastPing, (before?.lastPing ?? 0) + 30_000);
  t.equal(after?.roundTripMs, 1.25);
});
