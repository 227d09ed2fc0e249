import t from 'tap';
import { OperationError } from '../../../src/lib/operation-error.js';
import { agentTags, operatorTags } from '../../../src/mgmt/agents/host-tags.js';
import { testServer } from '../../helpers/test-server.js';

t.test('agentTags: cleaned, each once, and no more than are kept', async t => {
  t.same(agentTags(['kvm', ' ssd ', '', 'kvm', 'a\u0007b', 'x,y', 7, null, {}]), ['kvm', 'ssd', 'ab', 'x', 'y']);
  t.same(agentTags(['a'.repeat(65), 'b'.repeat(64)]), ['b'.repeat(64)], 'a tag is not cut');
  const many = Array.from({ length: 50 }, (_, i) => `t${i}`);
  t.same(agentTags(many), many.slice(0, 32));
  t.same(agentTags([many.join(',')]), many.slice(0, 32));
});

t.test('operatorTags: what cannot be kept is refused', async t => {
  t.same(operatorTags(' a, b,,a ,c d'), ['a', 'b', 'c d']);
  t.same(operatorTags(' , '), []);
  const texts = ['a'.repeat(65), 'a\u200bb', Array.from({ length: 33 }, (_, i) => `t${i}`).join()];
  for (const text of texts) {
    t.throws(() => operatorTags(text), OperationError, text.slice(0, 20));
  }
});

t.test('an agent’s tags are those of its last Startup', async t => {
  const bench = await testServer();
  const tags = () => bench.store.data.hosts.get(1)?.implicitTags;
  await bench.agent().join({ guid: 'g1', hostTags: ['kvm', 'ssd'] });
  t.same(tags(), ['kvm', 'ssd']);
  await bench.agent().join({ guid: 'g1', hostTags: [{ not: 'a tag' }, 'nvme'] });
  t.same(tags(), ['nvme']);
  await bench.agent().join({ guid: 'g1' });
  t.same(tags(), []);
});
