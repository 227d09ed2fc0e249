import t from 'tap';
import type { LinkStatus } from '../../../src/mgmt/hosts/link-status.js';
import { LinkStatusWriter } from '../../../src/mgmt/hosts/link-status-writer.js';
import { PresentLinks } from '../../../src/mgmt/hosts/present-links.js';
import type { HostRow, Store } from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { StoreHealth } from '../../../src/mgmt/store/store-health.js';
import type { Message } from '../../../src/protocol/index.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { packedLinks, unpackedLinks } from '../../helpers/packed-links.js';
import { RecordingLog } from '../../helpers/recording-log.js';
import { testServer } from '../../helpers/test-server.js';

const FACT: LinkStatus = {
  hostId: 7,
  since: 1_767_225_600_000,
  lastPing: 1_767_225_660_123,
  roundTripMs: 0.4,
  failovers: 3,
  lastLoss: 'closed by the peer, "quoted", ü',
  lag: undefined,
  renewalFailure: undefined,
};
const BARE: LinkStatus = { ...FACT, hostId: 8, roundTripMs: undefined, failovers: undefined, lastLoss: undefined };

t.test('link-status: what is packed comes out again, also what nobody knows', async t => {
  t.match(unpackedLinks(packedLinks([FACT, BARE])), [FACT, BARE]);
  t.strictSame(unpackedLinks(packedLinks([])), []);
  const many = Array.from({ length: 1_201 }, (_, hostId) => ({ ...FACT, hostId }));
  t.same(unpackedLinks(packedLinks(many)), many);
  const failing = { ...FACT, renewalFailure: 'the agent answered by UnsupportedAnswer' };
  t.same(unpackedLinks(packedLinks([failing])), [failing]);
  const former = Buffer.from('[[7,1,2,null,null,null,null]]');
  t.match(unpackedLinks(former), [{ hostId: 7, renewalFailure: undefined }], 'of a server of a former version');
  t.throws(() => unpackedLinks(Buffer.from('x')), SyntaxError);
});

t.test('link-status: 5,000 links are one row of less than a megabyte', async t => {
  const packed = packedLinks(Array.from({ length: 5_000 }, (_, hostId) => ({ ...FACT, hostId })));
  t.ok(packed.length < 2 ** 20, `${packed.length} bytes`);
});

t.test(
  'link-status: one write each half minute, whatever happens on the links; soon when an agent has come',
  async t => {
    const clock = new FakeClock();
    const log = new RecordingLog();
    const rows: [number, number, LinkStatus[]][] = [];
    const state = { away: false };
    const store = {
      async putLinkStatus(msid: number, at: number, links: Uint8Array) {
        if (state.away) throw new StoreError('STORE_UNAVAILABLE', 'putLinkStatus');
        rows.push([msid, at, unpackedLinks(links)]);
      },
    };
    let links: LinkStatus[] = [];
    const writer = new LinkStatusWriter(store, { clock, log, health: new StoreHealth(log), msid: 1 }, () => links);
    writer.start();
    await clock.advance(29_999);
    t.same(rows, []);
    await clock.advance(1);
    t.same(rows, [[1, clock.wallTime(), []]]);
    links = [FACT];
    await clock.advance(5_000);
    t.match(rows.at(-1), [1, clock.wallTime(), [FACT]], 'an agent has come');
    links = [{ ...FACT, lastPing: FACT.lastPing + 20_000 }];
    await clock.advance(25_000);
    t.equal(rows.length, 2, 'a ping is no reason to write');
    state.away = true;
    await clock.advance(5_000);
    state.away = false;
    await clock.advance(5_000);
    t.match(rows.at(-1)?.[2], links, 'it goes on after an outage');
    t.equal(rows.length, 3);
    writer.stop();
    t.equal(clock.pending, 0);
  },
);

t.test('regression: a ping moves the last ping on, and tells the round trip that the agent measured', async t => {
  const { linkStatus, stop, agent, clock } = await testServer();
  t.teardown(() => stop('now'));
  const one = agent();
  await one.join();
  const [before] = linkStatus();
  await clock.advance(30_000);
  const ping = (fields: Message['fields']) => {
    one.request([{ type: 'com.cloud.agent.api.PingRoutingCommand', fields: { hostType: 'Routing', ...fields } }]);
    return one.receive();
  };
  await ping({ muster: { roundTripMs: 1.25 } });
  const [after] = linkStatus();
  t.equal(after?.since, before?.since);
  t.equal(after?.lastPing, (before?.lastPing ?? 0) + 30_000);
  t.equal(after?.roundTripMs, 1.25);
  await ping({ roundTripMs: 2.5 });
  t.equal([...linkStatus()][0]?.roundTripMs, 2.5, 'from an agent that is older than `muster`');
  for (const muster of [null, 'x', [], { roundTripMs: 'x' }, { roundTripMs: -1 }]) await ping({ muster });
  t.equal([...linkStatus()][0]?.roundTripMs, 2.5);
});

t.test('regression: a writer that is stopped in the midst of a write leaves no timer', async t => {
  const clock = new FakeClock();
  const log = new RecordingLog();
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  const store = { putLinkStatus: () => held };
  const writer = new LinkStatusWriter(store, { clock, log, health: new StoreHealth(log), msid: 1 }, () => [FACT]);
  writer.start();
  await clock.advance(5_000);
  writer.stop();
  release();
  await clock.advance(0);
  t.equal(clock.pending, 0);
});

t.test('present links: what another server has written is read and parsed once', async t => {
  const rows = new Map([[2, { updated: 10, packed: packedLinks([FACT]) }]]);
  const sent: number[] = [];
  const store: Pick<Store, 'linkStatus'> = {
    async linkStatus(known = []) {
      return [...rows].map(([msid, { updated, packed }]) => {
        const isKnown = known.some(one => one.msid === msid && one.updated === updated);
        if (!isKnown) sent.push(updated);
        return { msid, at: 1, updated, ageMs: 2_000, packed: isKnown ? undefined : packed };
      });
    },
  };
  const own = { ...FACT, hostId: 9 };
  const links = new PresentLinks({
    clock: new FakeClock(),
    store,
    msid: 1,
    ownLink: id => (id === 9 ? own : undefined),
  });
  const host = (id: number, msid: number) => ({ id, msid, status: 'Up', lastPing: FACT.since }) as HostRow;
  for (let i = 0; i < 3; i++) {
    const linkOf = await links.read();
    t.match(linkOf(host(7, 2)), { link: { hostId: 7 }, ageSeconds: 2 });
    t.match(linkOf(host(9, 1)), { link: own, ageSeconds: 0 });
    t.equal(linkOf(host(8, 2)), undefined);
  }
  t.same(sent, [10]);
  rows.set(2, { updated: 11, packed: packedLinks([BARE]) });
  t.match((await links.read())(host(8, 2)), { link: { hostId: 8 } });
  t.same(sent, [10, 11]);
  rows.clear();
  t.equal((await links.read())(host(8, 2)), undefined, 'its status was deleted');
});
