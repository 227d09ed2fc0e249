import { PassThrough } from 'node:stream';
import t from 'tap';
import { connectToAny } from '../../../src/agent/dial/connect-to-any.js';
import { type Wire, wireOver } from '../../../src/agent/dial/dialer.js';
import { reasonOf } from '../../../src/lib/errors.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';

interface Attempt {
  readonly address: string;
  readonly signal: AbortSignal;
  readonly socket: PassThrough;
  open(): void;
  fail(): void;
}

/** Connects whose outcome the test decides. */
function start(addresses: readonly string[], staggerMs?: number) {
  const clock = new FakeClock();
  const attempts: Attempt[] = [];
  const ending = new AbortController();
  const connect = (address: string, signal: AbortSignal) =>
    new Promise<Wire>((resolve, reject) => {
      const socket = new PassThrough();
      signal.addEventListener('abort', () => reject(signal.reason));
      attempts.push({
        ...{ address, signal, socket },
        open: () => resolve(wireOver(socket, { local: { address: 'x', port: 1 }, remote: { address, port: 2 } })),
        fail: () => reject(new Error(`${address} refuses`)),
      });
    });
  const reached = connectToAny(addresses, { clock, connect, staggerMs, limitMs: 5_000, signal: ending.signal });
  const outcome = reached.then(
    ({ wire, untried }) => `${wire.remote.address}, then ${untried}`,
    error => reasonOf(error),
  );
  return { clock, attempts, ending, outcome, begun: () => attempts.map(({ address }) => address).join() };
}

t.test('connect: one address after another, each in its time', async t => {
  const { clock, attempts, outcome, begun } = start(['a', 'b', 'c']);
  attempts[0]?.fail();
  await settle();
  t.equal(begun(), 'a,b');
  await clock.advance(4_999);
  t.equal(begun(), 'a,b');
  await clock.advance(1);
  t.equal(begun(), 'a,b,c');
  t.ok(attempts[1]?.signal.aborted);
  attempts[2]?.open();
  t.equal(await outcome, 'c, then ');
  t.equal(clock.pending, 0);
});

t.test('connect: beside each other, the first goes on; the others end without a byte and are not lost', async t => {
  const { clock, attempts, outcome, begun } = start(['a', 'b', 'c', 'd'], 250);
  await clock.advance(250);
  await clock.advance(250);
  t.equal(begun(), 'a,b,c');
  attempts[0]?.fail();
  await settle();
  t.equal(begun(), 'a,b,c', 'the failure of an earlier one brings none sooner');
  attempts[1]?.open();
  attempts[2]?.open();
  t.equal(await outcome, 'b, then c,d');
  await settle();
  t.ok(attempts[2]?.socket.destroyed, 'one that opens at the same moment');
  t.equal(attempts[2]?.socket.readableLength, 0);
  t.notOk(attempts[1]?.socket.destroyed);
  t.equal(clock.pending, 0);
});

t.test('connect: when all fail, it says why of each', async t => {
  const { clock, attempts, outcome } = start(['a', 'b'], 250);
  attempts[0]?.fail();
  await settle();
  attempts[1]?.fail();
  t.equal(await outcome, 'a refuses; b refuses');
  t.equal(clock.pending, 0);
});

t.test('connect: its signal ends it all', async t => {
  const { clock, attempts, ending, outcome } = start(['a', 'b'], 250);
  ending.abort(new Error('the agent stops'));
  t.equal(await outcome, 'the agent stops');
  t.ok(attempts[0]?.signal.aborted);
  t.equal(clock.pending, 0);
});
