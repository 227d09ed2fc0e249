import t from 'tap';
import { type Connection, ModelledServer } from '../../bench/storm/modelled-server.js';
import { runStorm, type StormInput } from '../../bench/storm/storm.js';

/** The moments at which connections are Ready, of work 1 each, that come to a server of CloudStack's kind at these moments. */
function readyAt(rate: number, arrivals: readonly number[]): readonly number[] {
  const ready: number[] = [];
  let wakeAt: number | undefined;
  const server = new ModelledServer<Connection>(rate, 'all', {
    secured() {},
    closed() {},
    ready: (_, now) => ready.push(Math.round(now)),
    wakeAt(_, at) {
      wakeAt = at;
    },
  });
  const wakeUntil = (end: number) => {
    while (wakeAt !== undefined && wakeAt < end) {
      const now = wakeAt;
      wakeAt = undefined;
      server.wake(now);
    }
  };
  for (const [index, at] of arrivals.entries()) {
    wakeUntil(at);
    server.accept({ network: `${index}`, work: 1, stage: 'unread', isAbandoned: false }, at);
  }
  wakeUntil(Number.POSITIVE_INFINITY);
  return ready;
}

t.test('storm: a modelled server shares its time equally among those that it works on', async t => {
  t.same(readyAt(10, [0]), [100]);
  t.same(readyAt(10, [0, 0]), [200, 200]);
  // Alone for 50 ms, then each half as fast; the second is alone for the rest of its work.
  t.same(readyAt(10, [0, 50]), [150, 200]);
});

const restart: StormInput = {
  way: 'Muster',
  servers: ['a'],
  lists: Array.from({ length: 2_000 }, () => ['a']),
  algorithm: 'static',
  loss: { server: 'a', backAfterMs: 3_000 },
  spreadMs: 10_000,
  rate: 200,
  seed: 1,
};

t.test(
  'storm: the only server restarts: none is dialled twice while its dial lives, none closed, all in time',
  async t => {
    for (const rate of [200, 400]) {
      const figures = runStorm({ ...restart, rate, spreadMs: 2_000_000 / rate });
      t.match(figures, { repeated: 0, closed: 0, notReady: 0 });
      t.ok(figures.lastReadyMs <= (1.5 * 2_000_000) / rate, `last Ready after ${figures.lastReadyMs} ms`);
    }
    t.same(runStorm(restart), runStorm(restart), 'the same seed is the same storm');
  },
);

t.test('storm: of several servers one dies: its agents come to the others in time', async t => {
  const servers = ['a', 'b', 'c'];
  const lists = Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? ['a', 'b', 'c'] : ['a', 'c', 'b']));
  const figures = runStorm({ ...restart, servers, lists, loss: { server: 'a' }, spreadMs: 2_500 });
  t.match(figures, { attempts: { mean: 1, most: 1 }, repeated: 0, refused: 0, closed: 0, notReady: 0 });
  t.ok(figures.lastReadyMs <= 1.5 * 2_500, `last Ready after ${figures.lastReadyMs} ms`);
});

t.test('storm: a slow server that works on all at once is left by agents whose dials live', async t => {
  const figures = runStorm({ ...restart, way: 'CloudStack', rate: 20 });
  t.ok(figures.repeated > 1_000, `${figures.repeated} agents`);
});

t.test('storm: all start at once at a server whose rate is not known yet: what waits too long is closed', async t => {
  const figures = runStorm({ ...restart, loss: undefined, lists: restart.lists.slice(0, 1_000), rate: 25 });
  t.match(figures, { repeated: 0, notReady: 0 });
  t.ok(figures.closed > 0);
});
