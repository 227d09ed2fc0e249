import t from 'tap';
import { type ApiAnswer, rowsOf } from '../../src/admin/client.js';
import { AGENTS, KillBench } from '../helpers/kill-bench.js';

const JOBS = 40;
/** Every one of so many is in sequence. */
const IN_SEQUENCE = 8;

t.test('kills: of 1,000 commands each has a true outcome, and none was carried out twice', async t => {
  const bench = await KillBench.open(t);
  const [one, two, three] = bench.servers;
  for (const server of bench.servers) await server.start();
  for (const group of bench.groups) group.start();
  await bench.comes(async () => (await bench.hosts()) === AGENTS, 'all agents are Ready');

  const jobs: string[] = [];
  for (let number = 0; number < JOBS; number++) {
    const { jobid } = await bench.call(number % 2 === 0 ? one : two, 'sendCommand', {
      ...{ all: 'true', class: 'com.example.WorkCommand', fields: `{"ms":${200 + 20 * number}}` },
      ...{ maxerrors: '-1', maxconcurrency: '4', wait: '60', insequence: String(number % IN_SEQUENCE < 2) },
    });
    jobs.push(String(jobid));
  }
  await bench.begun(150);
  await bench.groups[0]?.kill();
  bench.groups[0]?.start();
  await bench.begun(250);
  await three.kill();
  await bench.begun(350);
  two.proxy.cut();
  await bench.begun(450);
  three.proxy.cut();
  const again = three.start();
  await bench.begun(500);
  // The others take it for dead, and its jobs from it; then it goes on.
  await one.standStill(2_500);
  await bench.begun(700);
  await one.kill();
  await bench.begun(750);
  await bench.groups[1]?.kill();
  bench.groups[1]?.start();
  await again;

  const results: ApiAnswer[] = [];
  const unfinished: unknown[] = [];
  for (const jobid of jobs) {
    let answer: ApiAnswer = {};
    await bench.comes(async () => {
      answer = await bench.call(two, 'queryAsyncJobResult', { jobid });
      return answer.jobstatus !== 0;
    }, `job ${jobid} ends`);
    const { total, waiting, sent } = (answer.jobresult as { commandsummary: ApiAnswer }).commandsummary;
    if (total !== AGENTS || waiting !== 0 || sent !== 0) unfinished.push(answer.jobresult);
    const { commandresult } = await bench.call(two, 'listCommandResults', { jobid, pagesize: String(AGENTS) });
    results.push(...rowsOf(commandresult).map(row => ({ ...row, jobid })));
  }
  t.same(unfinished, [], 'when a job has ended each host has an outcome');
  t.equal(new Set(results.map(({ jobid, hostname }) => `${jobid} ${hostname}`)).size, JOBS * AGENTS);
  t.equal(results.length, JOBS * AGENTS);
  const { wrong, unknown } = bench.compare(results);
  t.same(wrong, []);
  t.same(bench.overlaps(jobs.filter((_, number) => number % IN_SEQUENCE < 2)), [], 'in sequence, one after another');
  t.comment(`${unknown} unknown`);
});
