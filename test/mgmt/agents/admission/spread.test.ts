import t from 'tap';
import { isOtherSpread, spreadMs } from '../../../../src/mgmt/agents/admission/spread.js';

t.test('spread: the servers that are left get as many agents in a second as they can bring to Ready', async t => {
  t.equal(spreadMs({ agents: 2_000, others: 4, algorithm: 'rendezvous', rate: 250 }), 2_000);
  t.equal(spreadMs({ agents: 2_000, others: 4, algorithm: 'shuffle', rate: 500 }), 1_000);
  t.equal(spreadMs({ agents: 0, others: 4, algorithm: 'shuffle', rate: 500 }), 0);
});

t.test('spread: where all agents of a server have the same next one, that one alone counts', async t => {
  t.equal(spreadMs({ agents: 1_000, others: 4, algorithm: 'static', rate: 250 }), 4_000);
  t.equal(spreadMs({ agents: 1_000, others: 4, algorithm: 'roundrobin', rate: 250 }), 4_000);
});

t.test('spread: with no other server they come back to this one, and a minute is the most', async t => {
  t.equal(spreadMs({ agents: 1_000, others: 0, algorithm: 'rendezvous', rate: 250 }), 4_000);
  t.equal(spreadMs({ agents: 100_000, others: 1, algorithm: 'rendezvous', rate: 250 }), 60_000);
});

t.test(
  'spread: what differs by a quarter is another one, unless it is less than agents spread over in any case',
  async t => {
    t.notOk(isOtherSpread(255, 5));
    t.ok(isOtherSpread(256, 5));
    t.notOk(isOtherSpread(5_000, 4_000));
    t.ok(isOtherSpread(5_001, 4_000));
    t.ok(isOtherSpread(2_999, 4_000), 'less, too');
  },
);
