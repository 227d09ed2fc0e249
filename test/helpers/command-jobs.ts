import { Answer, type Message } from '../../src/protocol/index.js';
import type { Cluster } from './cluster-bench.js';
import { type CommandedAgent, gotBy } from './commanded-agent.js';

/** Has the API make a job. @returns its id */
export async function send(cluster: Cluster, params: Readonly<Record<string, string | number>>, at = '192.0.2.1') {
  const { body, status } = await cluster.node(at).call('sendCommand', params);
  if (typeof body.jobid !== 'string') throw new Error(`${status} ${body.errortext}`);
  return body.jobid as string;
}

/** Until the job has ended. @returns its summary */
export async function summary(
  cluster: Cluster,
  jobid: string,
  at = '192.0.2.1',
): Promise<Readonly<Record<string, number>>> {
  for (let i = 0; i < 120; i++) {
    const { body } = await cluster.node(at).call('queryAsyncJobResult', { jobid });
    if (body.jobstatus === 1) return body.jobresult.commandsummary;
    if (body.jobstatus === 2) throw new Error(body.jobresult.errortext);
    await cluster.goesOn(1_000);
  }
  throw new Error('the job does not end');
}

/** One for each host. */
export async function results(cluster: Cluster, jobid: string, at = '192.0.2.1') {
  const { body } = await cluster.node(at).call('listCommandResults', { jobid });
  return body.commandresult as readonly Readonly<Record<string, unknown>>[];
}

/** Answers all that comes, and counts how often it was asked under which id. */
export function works(
  agent: CommandedAgent,
  answer: (command: Message) => Message = () => Answer.encode({ result: true }),
) {
  const runs: string[] = [];
  let seen = 0;
  return {
    runs,
    step() {
      for (const packet of gotBy(agent).slice(seen)) {
        seen++;
        const [first] = packet.messages;
        if (first === undefined) continue;
        runs.push(String((first.fields.muster as { commandId?: string } | undefined)?.commandId));
        agent.answer(packet, packet.messages.map(answer));
      }
    },
  };
}

/** The agents do what comes, until the work is done. */
export async function whileWorking<T>(
  cluster: Cluster,
  agents: readonly { step(): void }[],
  work: Promise<T>,
): Promise<T> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  for (let i = 0; i < 4_000 && !isOver; i++) {
    for (const agent of agents) agent.step();
    await cluster.goesOn(50);
  }
  return over;
}
