import t from 'tap';
import { networkOf } from '../../src/lib/address.js';
import { Admission } from '../../src/lib/admission.js';

const BOUNDS = { total: 8, perNetwork: 4 };

/** Strangers by name: the first letter is the network. A moment passes with each. */
function waitingRoom(bounds = BOUNDS) {
  const admission = new Admission<string>();
  let now = 0;
  return {
    admission,
    pass: (ms: number) => {
      now += ms;
    },
    arrive(...names: string[]) {
      return names.map(name => {
        const { isAdmitted, evicted } = admission.arrive(name, name.slice(0, 1), ++now, bounds);
        admission.isRead(name);
        return isAdmitted ? evicted.join() : 'refused';
      });
    },
    speak(...names: string[]) {
      for (const name of names) admission.spoke(name);
    },
  };
}

t.test('admission: with room nobody goes', async t => {
  const { arrive, admission } = waitingRoom();
  t.same(arrive('a1', 'a2', 'b1'), ['', '', '']);
  admission.leave('a1');
  admission.leave('a1');
  t.equal(admission.size, 2);
});

t.test(
  'admission: a network with its share loses its own oldest silent one to the newcomer, and nobody else does',
  async t => {
    const { arrive, speak } = waitingRoom();
    arrive('b1', 'a1', 'a2', 'a3', 'a4');
    speak('a1');
    t.same(arrive('a5', 'a6'), ['a2', 'a3']);
  },
);

t.test('admission: of a share of which all have spoken the oldest goes, once it had time to get through', async t => {
  const { arrive, speak, pass, admission } = waitingRoom();
  arrive('a1', 'a2', 'a3', 'a4');
  speak('a1', 'a2', 'a3', 'a4');
  t.same(arrive('a5'), ['refused']);
  pass(5_000);
  t.same(arrive('a6', 'b1'), ['a1', '']);
  t.equal(admission.size, 5);
});

t.test('admission: past the total the oldest silent one of all goes first', async t => {
  const { arrive, speak } = waitingRoom();
  arrive('a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'c1', 'c2');
  speak('a1', 'a2', 'a3', 'b1', 'b3');
  t.same(arrive('d1', 'e1'), ['b2', 'c1']);
});

t.test(
  'admission: without silent ones the oldest of the network that has most goes, never a newcomer of one with few',
  async t => {
    const { arrive, speak } = waitingRoom();
    const all = ['c1', 'a1', 'b1', 'b2', 'b3', 'b4', 'a2', 'a3'];
    arrive(...all);
    speak(...all);
    t.same(arrive('d1'), ['b1']);
    speak('d1');
    t.same(arrive('e1'), ['a1'], 'of two that have as many, the one that came first');
  },
);

t.test('admission: where all networks have as many, who has begun is not thrown out in the first 5 s', async t => {
  const { arrive, speak, pass } = waitingRoom();
  const all = ['a1', 'b1', 'c1', 'd1', 'e1', 'f1', 'g1', 'h1'];
  arrive(...all);
  speak(...all);
  t.same(arrive('i1'), ['refused']);
  pass(5_000);
  t.same(arrive('i1'), ['a1']);
});

t.test('admission: one that is not read yet is not silent: it does not go for a newcomer', async t => {
  const admission = new Admission<string>();
  const bounds = { total: 2, perNetwork: 2 };
  for (const name of ['a', 'b']) admission.arrive(name, name, 0, bounds);
  t.same(admission.arrive('c', 'c', 1, bounds), { isAdmitted: false, evicted: [] });
  admission.isRead('b');
  t.same(admission.arrive('d', 'd', 2, bounds), { isAdmitted: true, evicted: ['b'] });
});

t.test('admission: a total that was lowered holds from the next newcomer on', async t => {
  const admission = new Admission<string>();
  for (const name of ['a', 'b', 'c', 'd']) {
    admission.arrive(name, name, 0, BOUNDS);
    admission.isRead(name);
  }
  t.same(admission.arrive('e', 'e', 1, { total: 2, perNetwork: 1 }), { isAdmitted: true, evicted: ['a', 'b', 'c'] });
  t.equal(admission.size, 2);
});

t.test('admission: 5,000 silent connections of 200 networks do not keep one newcomer out', async t => {
  const admission = new Admission<string>();
  const bounds = { total: 4_096, perNetwork: 256 };
  for (let i = 0; i < 5_000; i++) {
    admission.arrive(`s${i}`, `n${i % 200}`, i, bounds);
    admission.isRead(`s${i}`);
  }
  const { isAdmitted, evicted } = admission.arrive('honest', 'n-honest', 5_000, bounds);
  t.same([isAdmitted, evicted, admission.size], [true, ['s904'], 4_096]);
});

t.test('address: a network is an IPv4 address, or the /64 of an IPv6 address', async t => {
  const networks = [
    '192.0.2.7',
    '::ffff:192.0.2.7',
    '2001:db8:1:2:3:4:5:6',
    '2001:db8:1:2::9',
    '2001:db8:1:3::9',
    'fe80::1%eth0',
    '::1',
    'tunnel',
  ].map(networkOf);
  t.same(networks, [
    '192.0.2.7',
    '192.0.2.7',
    '2001:db8:1:2::/64',
    '2001:db8:1:2::/64',
    '2001:db8:1:3::/64',
    'fe80::/64',
    '::/64',
    'tunnel',
  ]);
});
