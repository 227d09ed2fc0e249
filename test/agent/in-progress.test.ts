import t from 'tap';
import { builtInResource } from '../../src/agent/resources/built-in.js';
import type { Resource } from '../../src/agent/resources/resource.js';
import { FLAG, LIMITS } from '../../src/protocol/index.js';
import { bench, passes } from '../helpers/agent-bench.js';

t.test('regression: agent: what a server asks and nobody answers has a bound', async t => {
  let begun = 0;
  const resource: Resource = {
    ...builtInResource('R'),
    answer: () => {
      begun++;
      return new Promise(() => {});
    },
  };
  const { agent, a, clock, upOn } = await bench(t, { file: 'guid=g\nhost=a\n', resource });
  agent.start();
  await upOn(a);
  const sleep = [{ type: 'com.example.SleepCommand', fields: {} }];
  const header = { flags: FLAG.stopOnError, mgmtId: 1001n, agentId: 7n, via: 7n };
  for (let i = 0; i < LIMITS.requestsInProgress; i++) a.last.link.post(sleep, header);
  await passes(clock, () => begun === LIMITS.requestsInProgress, 20_000);
  const { messages } = await a.last.send(sleep);
  t.match(messages[0]?.fields, { result: false, details: '1000 requests are in progress already' });
  t.equal(begun, LIMITS.requestsInProgress);
});
