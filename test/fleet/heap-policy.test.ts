import t from 'tap';
import { HeapPolicy } from '../../src/fleet/heap-policy.js';

t.test('heap policy: V8 saves memory while few agents come, and not while many do', async t => {
  const set: string[] = [];
  const policy = new HeapPolicy(flags => set.push(flags));
  policy.follow({ agents: 1_000, notReady: 1_000, perSecond: 0 });
  policy.follow({ agents: 1_000, notReady: 500, perSecond: 200 });
  policy.follow({ agents: 1_000, notReady: 0, perSecond: 200 });
  t.same(set.splice(0), ['--no-optimize-for-size']);
  policy.follow({ agents: 1_000, notReady: 10, perSecond: 20 });
  policy.follow({ agents: 1_000, notReady: 3, perSecond: 2 });
  t.same(set.splice(0), ['--optimize-for-size'], 'some churn');
  policy.follow({ agents: 1_000, notReady: 11, perSecond: 2 });
  t.same(set.splice(0), ['--no-optimize-for-size'], 'a server was lost');
});
