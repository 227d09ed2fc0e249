import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  agentOutcomeOf,
  FLAG,
  KeptAnswersAnswer,
  KeptAnswersCommand,
  keptMessages,
  type Message,
  secureContext,
  withCommandId,
} from '../../../src/protocol/index.js';
import { FakeServer } from '../../../src/testing/fake-server.js';
import { plainCertificate } from '../../helpers/certificates.js';
import { testFolder } from '../../helpers/scratch.js';
import { until } from '../../helpers/until.js';

const COMMANDS = 200;
const AT_ONCE = 10;
/** The agent is killed when there are so many outcomes. */
const KILLS = [30, 80, 130];

t.test('commands: an agent that is killed again and again carries none out twice, and says so of each', async t => {
  const folder = testFolder(t);
  const server = new FakeServer('127.0.0.1', secureContext(await plainCertificate()));
  server.list = { muster: { capabilities: ['keptAnswers'] } };
  const port = createServer(
    { allowHalfOpen: true },
    socket => void server.accept(socket, { address: '127.0.0.1', port: 1 }),
  );
  port.listen(0, '127.0.0.1');
  await once(port, 'listening');

  /** What the server knows of each id; the first word counts. */
  const outcomes = new Map<string, string>();
  const note = (id: string, outcome: string) => outcomes.has(id) || outcomes.set(id, outcome);
  const said = (answers: readonly Message[]) => agentOutcomeOf(answers) ?? String(answers[0]?.fields.result);
  server.onRequest = (link, request) => {
    const [message] = request.messages;
    if (message === undefined || !KeptAnswersCommand.is(message)) return;
    const { kept = [] } = KeptAnswersCommand.decode(message);
    for (const { commandId = '', answers } of kept) note(commandId, answers ? said(keptMessages(answers)) : 'unknown');
    const taken = kept.flatMap(({ commandId = '' }) => commandId);
    link.link.answer(request, [KeptAnswersAnswer.encode({ taken, result: true })]);
  };

  const agents: ChildProcess[] = [];
  const start = () => {
    const { port: number } = port.address() as AddressInfo;
    const program = fileURLToPath(new URL('../../helpers/counting-agent.js', import.meta.url));
    agents.push(fork(program, [folder, String(number)]));
  };
  t.teardown(() => {
    for (const agent of agents) agent.kill('SIGKILL');
    port.close();
    for (const { link } of server.links) link.destroy('the test is over');
  });

  const open = new Set<string>();
  /** Gives ids that have no outcome, the same ones again after a loss. */
  const give = () => {
    const [link] = server.ready;
    for (let number = 0; link !== undefined && number < COMMANDS && open.size < AT_ONCE; number++) {
      const id = `c${number}`;
      if (outcomes.has(id) || open.has(id)) continue;
      open.add(id);
      const command = { type: 'com.example.CountCommand', fields: { number } };
      link.send(withCommandId([command], { commandId: id, expiresInMs: 600_000 }), FLAG.stopOnError).then(
        ({ messages }) => {
          note(id, said(messages));
          open.delete(id);
        },
        () => open.delete(id),
      );
    }
  };

  start();
  for (const at of [...KILLS, COMMANDS]) {
    await until(() => {
      give();
      return outcomes.size >= at;
    });
    if (at === COMMANDS) break;
    const agent = agents.at(-1) as ChildProcess;
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    start();
  }

  const lines = (file: string) => readFileSync(join(folder, file), 'utf8').trim().split('\n');
  const begun = lines('begun');
  const ended = new Set(lines('ended'));
  const wrong: string[] = [];
  let unknown = 0;
  for (const [id, outcome] of outcomes) {
    if (outcome === 'unknown') unknown++;
    else if (outcome !== 'true') wrong.push(`${id} is ${outcome}`);
    else if (!ended.has(id)) wrong.push(`${id} is said to be done, and is not`);
  }
  t.equal(new Set(begun).size, begun.length, 'none was carried out twice');
  t.same(wrong, []);
  t.ok(unknown <= KILLS.length * AT_ONCE, `${unknown} unknown: no more than were in progress`);
});
