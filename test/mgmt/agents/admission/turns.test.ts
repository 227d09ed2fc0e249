import t from 'tap';
import { Turns } from '../../../../src/mgmt/agents/admission/turns.js';

/** The first letter of a connection is its network. */
const networkOf = (connection: string) => connection.slice(0, 1);

/** A server with all its places taken, by connections of a network of their own. */
function busyServer() {
  const turns = new Turns<string>();
  const first = Array.from({ length: 64 }, (_, index) => `z${index}`);
  for (const connection of first) turns.arrive(connection, 'z');
  turns.next(0);
  const arrive = (...connections: string[]) =>
    connections.map(connection => turns.arrive(connection, networkOf(connection)));
  return { turns, first, arrive };
}

t.test('turns: a server that has time serves at once', async t => {
  const turns = new Turns<string>();
  t.same(turns.arrive('a1', 'a'), { isAdmitted: true, evicted: undefined });
  t.same(turns.next(0), ['a1']);
  t.equal(turns.waiting, 0);
});

t.test('turns: who comes to a busy server waits until a place is free', async t => {
  const { turns, first, arrive } = busyServer();
  arrive('a1', 'b1');
  t.same(turns.next(10), []);
  t.equal(turns.waiting, 2);
  turns.leave(first[0] ?? '');
  t.same(turns.next(20), ['a1']);
  turns.leave('a1');
  turns.leave('a1');
  t.same(turns.next(30), ['b1']);
});

t.test('turns: networks take turns, each with its oldest first', async t => {
  const { turns, first, arrive } = busyServer();
  arrive('a1', 'a2', 'a3', 'b1', 'c1', 'b2');
  for (const connection of first.slice(0, 6)) turns.leave(connection);
  t.same(turns.next(10), ['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
});

t.test('turns: one that waits for its peer for a second takes no place any more', async t => {
  const { turns, arrive } = busyServer();
  arrive('a1');
  t.same(turns.next(999), []);
  t.same(turns.next(1_000), ['a1']);
});

t.test('turns: while the event loop is busy a turn lasts longer: more at a time would be slower still', async t => {
  const { turns, arrive } = busyServer();
  arrive('a1');
  turns.measure(0, 1);
  t.same(turns.next(4_999), []);
  t.same(turns.next(5_000), ['a1']);
});

t.test('turns: one that the server itself keeps waiting has its place until it leaves', async t => {
  const { turns, first, arrive } = busyServer();
  arrive('a1', 'b1');
  for (const connection of first) turns.works(connection);
  t.same(turns.next(60_000), []);
  turns.leave(first[0] ?? '');
  turns.works(first[0] ?? '');
  t.same(turns.next(60_001), ['a1']);
});

t.test('turns: another server comes before all agents, and a crowd at its address does not', async t => {
  const { turns, first, arrive } = busyServer();
  arrive('a1', 'b1');
  for (let index = 0; index < 9; index++) turns.arrive(`s${index}`, 's', true);
  arrive('c1');
  for (const connection of first.slice(0, 4)) turns.leave(connection);
  t.same(turns.next(10), ['s0', 'a1', 'b1', 'c1'], 'then its network takes turns with the others');
});

t.test('turns: who leaves before its turn is forgotten', async t => {
  const { turns, first, arrive } = busyServer();
  arrive('a1', 'b1');
  turns.leave('a1');
  turns.leave(first[0] ?? '');
  t.same(turns.next(10), ['b1']);
  arrive('d1', 'd2');
  t.same(turns.clear(), ['d1', 'd2']);
  t.equal(turns.waiting, 0);
});

t.test(
  'turns: no more wait than are served in 15 s: the newest of the largest network goes, or the newcomer',
  async t => {
    const { turns, arrive } = busyServer();
    // 200 in a second, before it was measured.
    for (let index = 0; index < 2_990; index++) arrive(`a${index}`);
    t.ok(arrive('b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7', 'b8', 'b9', 'c1').every(({ isAdmitted }) => isAdmitted));
    t.same(arrive('a'), [{ isAdmitted: false }]);
    t.same(arrive('d1'), [{ isAdmitted: true, evicted: 'a2989' }]);
    t.equal(turns.waiting, 3_000);
  },
);

t.test('turns: the rate is measured while connections wait, and the bound follows it', async t => {
  const { turns, first, arrive } = busyServer();
  for (let index = 0; index < 100; index++) arrive(`a${index}`);
  const served = [...first];
  turns.measure(0, 1);
  for (let now = 100; now <= 10_000; now += 100) {
    // 5 in a tenth of a second.
    for (const connection of served.splice(0, 5)) turns.leave(connection);
    for (let n = 0; n < 5; n++) arrive(`${'bcde'[n % 4]}${now}.${n}`);
    served.push(...turns.next(now));
    turns.measure(now, 1);
  }
  t.ok(Math.abs(turns.rate - 50) < 5, `${turns.rate} a second`);
  turns.rest();
  turns.measure(100_000, 1);
  t.ok(Math.abs(turns.rate - 50) < 5, 'a time in which nobody waited says nothing');
});

t.test('turns: agents that are slow do not make the server take itself for a slow one, a slow store does', async t => {
  const rateWith = (waitsFor: 'hello' | 'store' | 'ready', everyMs = 100, atOnce = 2) => {
    const { turns, first, arrive } = busyServer();
    for (let index = 0; index < 200; index++) arrive(`a${index}`);
    const served = [...first];
    for (let now = 0; now <= 10_000; now += 100) {
      if (waitsFor !== 'hello') for (const connection of served) turns.works(connection);
      if (waitsFor === 'ready') for (const connection of served) turns.registered(connection);
      if (now % everyMs === 0) for (const connection of served.splice(0, atOnce)) turns.leave(connection, true);
      for (let n = 0; n < 2; n++) arrive(`${'bcde'[n % 4]}${now}.${n}`);
      served.push(...turns.next(now));
      turns.measure(now, 0.5);
    }
    return turns.rate;
  };
  t.equal(rateWith('hello'), 200, 'as assumed at first');
  t.equal(rateWith('ready'), 200, 'also when they are registered, and do not answer Ready');
  t.ok(rateWith('store') < 100, 'as measured');
  t.equal(rateWith('hello', 1_000, 60), 200, '60 that end at once are not 600 a second');
});

t.test('regression: turns: a server that works on many is not a slow one before they come to their end', async t => {
  const { turns, first, arrive } = busyServer();
  for (let index = 0; index < 2_900; index++) arrive(`a${index}`);
  for (let now = 0; now < 900; now += 100) turns.measure(now, 0.5);
  for (const connection of first) {
    turns.works(connection);
    turns.leave(connection, true);
  }
  const served = turns.next(900);
  let least = turns.rate;
  const measure = (now: number) => {
    turns.measure(now, 1);
    least = Math.min(least, turns.rate);
  };
  // Three seconds in which 200 in a second say who they are, and three in which as many come to their end.
  for (let now = 1_000; now < 4_000; now += 100) {
    for (const connection of served.slice((now - 1_000) / 5, (now - 900) / 5)) turns.works(connection);
    measure(now);
  }
  for (let now = 4_000; now < 7_000; now += 100) {
    for (const connection of served.splice(0, 20)) turns.leave(connection, true);
    measure(now);
  }
  t.ok(least > 80, `${least} a second at least: 600 in 6 s`);
});

t.test('turns: a server that was never crowded knows what it could serve all the same', async t => {
  const turns = new Turns<string>();
  let at = 0;
  for (; at < 3_000; at += 100) {
    for (let n = 0; n < 10; n++) turns.arrive(`${at}.${n}`, `${n}`);
    const begun = turns.next(at);
    t.notOk(turns.isIdle);
    for (const connection of begun) turns.leave(connection, true);
    turns.measure(at + 100, 0.3);
    turns.next(at + 100);
  }
  t.ok(turns.isIdle);
  t.ok(Math.abs(turns.rate - 333) < 1, `${turns.rate}: 100 a second, in 0.3 of the time`);
});

t.test('turns: a server whose event loop has time to spare works on more at a time, a busy one on fewer', async t => {
  const begun = (utilization: number) => {
    const { turns, first, arrive } = busyServer();
    for (let index = 0; index < 2_900; index++) arrive(`a${index}`);
    for (let now = 0; now < 900; now += 100) turns.measure(now, utilization);
    for (const connection of first) turns.leave(connection);
    return turns.next(900).length;
  };
  t.equal(begun(0.5), 1_024);
  t.equal(begun(1), 25);
});

t.test('regression: turns: connections that take seconds each are counted when they are Ready', async t => {
  const { turns, first } = busyServer();
  const begun = first.map(connection => ({ connection, at: 0 }));
  for (let now = 0; now <= 10_000; now += 100) {
    while (begun[0] !== undefined && begun[0].at <= now - 3_000) turns.leave(begun.shift()?.connection ?? '', true);
    for (let n = 0; n < 20; n++) turns.arrive(`${now}.${n}`, `${now}.${n}`);
    for (const connection of turns.next(now)) begun.push({ connection, at: now });
    turns.measure(now, 0.5);
  }
  t.ok(turns.rate > 100, `${turns.rate} a second`);
});

t.test('turns: one that waited for its peer and ended counts as no work, one that is Ready does', async t => {
  const rateWith = (isReady: boolean) => {
    const { turns, first, arrive } = busyServer();
    arrive('a1');
    turns.next(1_000);
    for (const connection of first) turns.leave(connection, isReady);
    turns.measure(1_000, 0.25);
    return turns.rate;
  };
  t.equal(rateWith(false), 200, 'as before it was measured');
  t.equal(rateWith(true), 256, '64 in a second, with a quarter of the time');
});

t.test(
  'turns: a server that turns out to be slow closes what it cannot serve in time, the last ones first',
  async t => {
    const { turns, first, arrive } = busyServer();
    for (let index = 0; index < 1_000; index++) turns.arrive(`a${index}`, `a${index}`);
    arrive('b1', 'b2', 'b3');
    turns.arrive('s1', 's', true);
    turns.leave(first[0] ?? '');
    const shed: string[] = [];
    for (let now = 0; now <= 10_000; now += 100) shed.push(...turns.measure(now, 1));
    t.equal(turns.waiting, 150, 'it serves 10 in a second at least');
    t.same(shed.slice(0, 4), ['b3', 'b2', 'b1', 'a999']);
    t.equal(shed.length, 1_004 - 150);
    t.notOk(shed.includes('s1') || shed.includes('a0'));
  },
);
