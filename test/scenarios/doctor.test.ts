import t from 'tap';
import { DoctorAnswer, DoctorCommand } from '../../src/protocol/index.js';
import { startCluster } from '../helpers/cluster-bench.js';
import { results, send, summary } from '../helpers/command-jobs.js';
import { agentOn } from '../helpers/commanded-agent.js';

const [A, B] = ['192.0.2.1', '192.0.2.2'] as const;

t.test('doctor: asked of many hosts through any server, and never of an agent that does not know it', async t => {
  const cluster = await startCluster(t, [A, B]);
  await cluster.addAgents(1, `${A},${B}`);
  await cluster.addAgents(1, `${B},${A}`);
  const older = await agentOn(cluster, B, 'guid-1', ['commandIds', 'cancel']);
  const cloudStacks = await agentOn(cluster, A, 'guid-2');
  await cluster.goesOn(3_000);
  const jobid = await send(cluster, { all: 'true', class: 'DoctorCommand', maxerrors: -1 });
  t.match(await summary(cluster, jobid), { total: 4, answered: 2, failed: 0, unsupported: 2, unknown: 0 });
  const found = await results(cluster, jobid);
  t.match(
    found.filter(({ outcome }) => outcome === 'unsupported').map(({ hostname, reason }) => `${hostname}: ${reason}`),
    [/^guid-1: the agent has not said that it can do this: nothing was sent/, /^guid-2/],
  );
  t.same(
    [older, cloudStacks].flatMap(({ waiting }) => waiting.flatMap(({ messages }) => messages)),
    [],
  );
  for (const { outcome, answers } of found) {
    if (outcome !== 'answered') continue;
    const [answer] = JSON.parse(String(answers));
    const { findings } = answer[DoctorAnswer.type];
    t.match(
      findings.slice(-2).map((finding: Readonly<Record<string, string>>) => `${finding.level} ${finding.found}`),
      [/^ok 192\.0\.2\.\d: takes agents/, /^ok 192\.0\.2\.\d: takes agents/],
    );
  }
  t.strictSame(
    cluster.agents.map(({ host }) => host),
    [A, B],
    'their links are as they were',
  );
});

t.test(
  'doctor: whether agents reach a server is known before it is in a list, and no server is loud about it',
  async t => {
    const cluster = await startCluster(t, [A, B]);
    await cluster.addAgents(1, A);
    await cluster.goesOn(3_000);
    const ask = async (hosts: readonly string[]) => {
      const fields = JSON.stringify({ hosts });
      const jobid = await send(cluster, { all: 'true', class: DoctorCommand.type, fields, maxerrors: -1 });
      await summary(cluster, jobid);
      return (await results(cluster, jobid))[0];
    };
    const node = cluster.node(B);
    const before = node.log.lines.length;
    t.match(await ask([B]), { outcome: 'answered', result: true });
    t.same(
      node.log.lines.slice(before).filter(line => !line.startsWith('debug')),
      [],
    );
    t.match(await ask([B, '192.0.2.9']), {
      ...{ outcome: 'answered', result: false },
      reason: /^192\.0\.2\.9 port 8250: 192\.0\.2\.9: no connection: connect ECONNREFUSED/,
    });
  },
);
