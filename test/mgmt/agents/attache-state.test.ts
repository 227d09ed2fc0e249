import t from 'tap';
import { type AttacheState, next } from '../../../src/mgmt/agents/attache-state.js';

const alive: AttacheState = { kind: 'alive', heardAt: 0 };
const checking: AttacheState = { kind: 'checking', heardAt: 0 };
const lost: AttacheState = { kind: 'lost', reason: 'gone' };
const look = { kind: 'look', deadlineMs: 150_000 } as const;

t.test('ping deadline: an agent is asked for its health when it is behind, not before', async t => {
  t.strictSame(next(alive, look, 149_999), { state: alive });
  t.strictSame(next(alive, look, 150_000), { state: checking, effect: 'check health' });
});

t.test('ping deadline: it is asked once, however often the server looks', async t => {
  t.strictSame(next(checking, look, 400_000), { state: checking });
});

t.test('ping deadline: a good answer or a ping saves it, and the time starts anew', async t => {
  t.strictSame(next(checking, { kind: 'healthy' }, 160_000), { state: { kind: 'alive', heardAt: 160_000 } });
  t.strictSame(next(checking, { kind: 'ping' }, 160_000), { state: { kind: 'alive', heardAt: 160_000 } });
});

t.test('ping deadline: a bad answer ends it, unless a ping came meanwhile', async t => {
  const unhealthy = { kind: 'unhealthy', reason: 'gone' } as const;
  t.strictSame(next(checking, unhealthy, 200_000), { state: lost, effect: 'disconnect' });
  t.strictSame(next(alive, unhealthy, 200_000), { state: alive });
  t.strictSame(next(alive, { kind: 'healthy' }, 200_000), { state: alive }, 'and a late good one moves nothing');
});

t.test('ping deadline: a lost agent stays lost on that link', async t => {
  for (const event of [look, { kind: 'ping' }, { kind: 'healthy' }, { kind: 'unhealthy', reason: 'x' }] as const) {
    t.strictSame(next(lost, event, 1), { state: lost }, event.kind);
  }
});
