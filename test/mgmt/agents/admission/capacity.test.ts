import t from 'tap';
import { Capacity } from '../../../../src/mgmt/agents/admission/capacity.js';

const some = { ms: 100, isFull: false };

t.test('capacity: a server that has time to spare tells what a connection costs', async t => {
  const capacity = new Capacity();
  t.equal(capacity.rate, 200, 'before it is measured');
  capacity.measured({ ...some, ended: 15, utilization: 0.5 });
  t.equal(capacity.rate, 200, 'too few to know');
  for (let n = 0; n < 10; n++) capacity.measured({ ...some, ended: 15, utilization: 0.5 });
  t.ok(Math.abs(capacity.rate - 300) < 1e-6, `${capacity.rate}: 150 a second, in half of the time`);
  for (let n = 0; n < 10; n++) capacity.measured({ ...some, ended: 5, utilization: 0.9 });
  t.ok(Math.abs(capacity.rate - 300) < 1e-6, 'other work lowers nothing');
});

t.test('capacity: it believes in four times what it saw, at most', async t => {
  const capacity = new Capacity();
  for (let n = 0; n < 10; n++) capacity.measured({ ...some, ended: 20, utilization: 0.01 });
  t.ok(Math.abs(capacity.rate - 800) < 1e-6, `${capacity.rate}`);
});

t.test('capacity: those that come to their ends together have cost the time before that', async t => {
  const capacity = new Capacity();
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 9; n++) capacity.measured({ ...some, ended: 0, utilization: 1 });
    capacity.measured({ ...some, ended: 100, utilization: 0.5 });
  }
  t.equal(capacity.rate, 200, '100 in 0.95 s of work');
  capacity.rest();
  for (let n = 0; n < 10; n++) capacity.measured({ ...some, ended: 40, utilization: 1 });
  t.equal(capacity.rate, 400, 'another time does not count them');
});

t.test('capacity: a full server serves as many as it can, up and down', async t => {
  const capacity = new Capacity();
  const full = { ms: 100, isFull: true, utilization: 1 };
  const serves = (ended: number, times: number) => {
    for (let n = 0; n < times; n++) capacity.measured({ ...full, ended });
    return capacity.rate;
  };
  t.ok(Math.abs(serves(5, 200) - 50) < 1, `${capacity.rate}`);
  t.ok(Math.abs(serves(60, 1_000) - 600) < 10, `${capacity.rate}`);
  t.equal(serves(0, 200), 10, 'never below that');
});

t.test('capacity: a burst at the end of a crowd is what was begun before', async t => {
  const capacity = new Capacity();
  const full = { ms: 100, isFull: true, utilization: 1 };
  for (let n = 0; n < 50; n++) capacity.measured({ ...full, ended: 10 });
  for (let n = 0; n < 5; n++) capacity.measured({ ...full, ended: 150 });
  t.ok(capacity.rate < 250, `${capacity.rate}: 1,250 in 5.5 s, and not 1,500 in one`);
});

t.test('capacity: a server that is full for moments waits for its agents', async t => {
  const capacity = new Capacity();
  for (let n = 0; n < 60; n++) capacity.measured({ ms: 100, ended: 0, utilization: n % 2, isFull: n % 2 === 1 });
  t.equal(capacity.rate, 200);
  for (let n = 0; n < 60; n++) capacity.measured({ ms: 100, ended: 5, utilization: 1, isFull: n % 5 > 0 });
  t.ok(capacity.rate < 60, `${capacity.rate}: nearly always it is the server`);
});
