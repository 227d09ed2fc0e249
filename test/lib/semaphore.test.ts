import t from 'tap';
import { Semaphore } from '../../src/lib/semaphore.js';
import { settle } from '../../src/testing/fake-clock.js';

t.test('semaphore: as many as permits work at once, the others in the order of their arrival', async t => {
  const semaphore = new Semaphore(2);
  const order: string[] = [];
  const enter = async (name: string) => {
    const release = await semaphore.acquire();
    order.push(name);
    return release;
  };
  const [a, b, c, d] = [enter('a'), enter('b'), enter('c'), enter('d')] as const;
  await settle();
  t.same(order, ['a', 'b']);
  (await b)();
  await settle();
  t.same(order, ['a', 'b', 'c']);
  const releaseA = await a;
  releaseA();
  releaseA();
  await settle();
  t.same(order, ['a', 'b', 'c', 'd'], 'a permit is given back once');
  (await c)();
  (await d)();
  t.equal(await semaphore.run(async () => 'done'), 'done');
});

t.test('semaphore: whoever gives up leaves the queue, and takes no permit with it', async t => {
  const semaphore = new Semaphore();
  const release = await semaphore.acquire();
  const controller = new AbortController();
  const reason = new Error('enough');
  const given = semaphore.acquire(controller.signal);
  const behind = semaphore.acquire();
  controller.abort(reason);
  await t.rejects(given, reason);
  await t.rejects(semaphore.acquire(controller.signal), reason, 'and does not enter it');
  release();
  (await behind)();
  t.equal(typeof (await semaphore.acquire()), 'function', 'the permit is free again');
});

t.test('semaphore: work that fails gives its permit back', async t => {
  const semaphore = new Semaphore();
  await t.rejects(semaphore.run(() => Promise.reject(new Error('no'))));
  t.equal(await semaphore.run(async () => 1), 1);
});
