import t from 'tap';
import { ConnectionRate } from '../../../../src/mgmt/agents/admission/connection-rate.js';

/** What is measured some times: so many become Ready each time, unless it is said otherwise. */
function measure(
  rate: ConnectionRate,
  times: number,
  ready: number,
  { ended = ready, utilization = 1, isFull = false }: { ended?: number; utilization?: number; isFull?: boolean } = {},
): number {
  for (let n = 0; n < times; n++) rate.measured({ ms: 100, ended, ready, utilization, isFull });
  return Math.round(rate.perSecond);
}

t.test('connection rate: a server that has time to spare tells what a connection costs', async t => {
  const rate = new ConnectionRate();
  t.equal(rate.perSecond, 200, 'before it is measured');
  t.equal(measure(rate, 9, 15, { utilization: 0.5 }), 200, 'not for long enough');
  t.equal(measure(rate, 1, 15, { utilization: 0.5 }), 300, '150 a second, in half of the time');
  t.equal(measure(rate, 10, 5, { utilization: 0.9 }), 300, 'other work lowers nothing');
  t.equal(measure(new ConnectionRate(), 19, 1, { utilization: 0.01 }), 200, 'too few to know');
});

t.test('connection rate: it believes in four times what it saw, at most', async t => {
  t.equal(measure(new ConnectionRate(), 10, 20, { utilization: 0.01 }), 800);
});

t.test('connection rate: connections that end without being Ready raise nothing', async t => {
  t.equal(measure(new ConnectionRate(), 100, 0, { ended: 500, utilization: 0.5 }), 200);
});

t.test('connection rate: those that become Ready together have cost the time before that', async t => {
  const rate = new ConnectionRate();
  for (let round = 0; round < 40; round++) {
    measure(rate, 9, 0);
    measure(rate, 1, 100, { utilization: 0.5 });
  }
  t.equal(rate.perSecond, 200, '100 in 0.95 s of work');
});

t.test('connection rate: hours with hardly a connection weigh no more than a moment', async t => {
  const rate = new ConnectionRate();
  t.equal(measure(rate, 300, 0, { ended: 0, isFull: true }), 10);
  rate.rest();
  t.equal(measure(rate, 36_000, 0, { utilization: 0.01 }), 10);
  t.ok(measure(rate, 20, 30, { utilization: 0.75 }) > 300, `${rate.perSecond}`);
});

t.test('connection rate: what was long ago is forgotten', async t => {
  const rate = new ConnectionRate();
  measure(rate, 600, 10);
  t.equal(rate.perSecond, 200, '100 a second for a minute');
  t.ok(measure(rate, 600, 60) > 550, `${rate.perSecond}`);
  t.ok(measure(rate, 6_000, 60) <= 600, `${rate.perSecond}: and not more than it was`);
});

t.test('connection rate: a full server serves as many as it can, up and down', async t => {
  const rate = new ConnectionRate();
  t.ok(Math.abs(measure(rate, 200, 5, { isFull: true }) - 50) <= 1, `${rate.perSecond}`);
  t.ok(Math.abs(measure(rate, 1_000, 60, { isFull: true }) - 600) <= 10, `${rate.perSecond}`);
  t.equal(measure(rate, 200, 0, { isFull: true }), 10, 'never below that');
});

t.test('connection rate: a slow server is full by chance, and is not taken for a slower one', async t => {
  const rate = new ConnectionRate();
  measure(rate, 300, 1, { isFull: true });
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (let n = 0; n < 300; n++) {
    // Ten a second, three of them at a time.
    const perSecond = measure(rate, 1, n % 3 === 0 ? 3 : 0, { isFull: true });
    [least, most] = [Math.min(least, perSecond), Math.max(most, perSecond)];
  }
  t.ok(least >= 10 && most <= 12, `${least} to ${most}`);
});

t.test('connection rate: a burst at the end of a crowd is what was begun before', async t => {
  const rate = new ConnectionRate();
  measure(rate, 50, 10, { isFull: true });
  t.ok(measure(rate, 5, 150, { isFull: true }) < 250, `${rate.perSecond}: 1,250 in 5.5 s, and not 1,500 in one`);
});

t.test('connection rate: a server that is full for moments waits for its agents', async t => {
  const rate = new ConnectionRate();
  for (let n = 0; n < 60; n++) measure(rate, 1, 0, { utilization: n % 2, isFull: n % 2 === 1 });
  t.equal(rate.perSecond, 200);
  for (let n = 0; n < 60; n++) measure(rate, 1, 5, { isFull: n % 5 > 0 });
  t.ok(rate.perSecond < 60, `${rate.perSecond}: nearly always it is the server`);
});

t.test('connection rate: another crowd is not full because the last one was', async t => {
  const rate = new ConnectionRate();
  measure(rate, 50, 20, { isFull: true });
  rate.rest();
  t.equal(measure(rate, 5, 0, { isFull: true }), 200);
});
