import t from 'tap';
import { HeapPolicy } from '../../src/fleet/heap-policy.js';

t.test('heap policy: V8 saves memory while few agents come, and not while many do', async t => {
  const set: string[] = [];
  const policy = new HeapPolicy(flags => set.push(flags));
  policy.follow({ dials: 1_000, connects: 0 });
  policy.follow({ dials: 0, connects: 200 });
  t.same(set.splice(0), ['--no-optimize-for-size']);
  policy.follow({ dials: 20, connects: 20 });
  policy.follow({ dials: 3, connects: 2 });
  t.same(set.splice(0), ['--optimize-for-size'], 'some churn');
  policy.follow({ dials: 21, connects: 0 });
  t.same(set.splice(0), ['--no-optimize-for-size'], 'a server was lost');
});
