// Asks every host of a fleet how it is, by the signed HTTP API of any server, and says which are not well. It needs Node alone.
//
//     node health-sweep.js cloudstack.ini 20 90
//
// 20: seconds that a host has. 90: per cent of the processors that may be busy.
// Exit code: 0, all are well; 1, some are not; 2, nobody can say, because the API has not answered.
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

const [iniFile = 'cloudstack.ini', wait = '20', mostBusy = '90'] = process.argv.slice(2);
const [LEAST_FREE_PERCENT, PAGE] = [5, 500];

/** What is used of the API's answers: docs/api.md has the rest. */
interface Job {
  readonly jobstatus: number;
  readonly jobresult?: { readonly errortext?: string };
}
interface HostResult {
  readonly hostname: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly answers?: string;
}

process.on('uncaughtException', error => {
  console.error(error.message);
  process.exit(2);
});
const ini = readFileSync(iniFile, 'utf8');
const setting = (name: string) => new RegExp(`^\\s*${name}\\s*=\\s*(\\S+)`, 'm').exec(ini)?.[1];
const [endpoint = '', key = '', secret = '', verify] = ['endpoint', 'key', 'secret', 'verify'].map(setting);
const ca = verify === undefined ? {} : { ca: readFileSync(verify) };

/** One call. @throws Error: no answer, or one that is an error */
async function call<Answer>(command: string, fields: Record<string, string>): Promise<Answer> {
  const expires = `${new Date(Date.now() + 600_000).toISOString().slice(0, 19)}+0000`;
  const own = { command, response: 'json', apiKey: key, signatureVersion: '3', expires, nonce: randomUUID() };
  const params = Object.entries({ ...fields, ...own }).sort(([one], [other]) => (one < other ? -1 : 1));
  const signed = params.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  const signature = createHmac('sha1', secret).update(signed.toLowerCase()).digest('base64');
  const body = new URLSearchParams([...params, ['signature', signature]]).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const reply = await new Promise<string>((resolve, reject) => {
    const post = endpoint.startsWith('https:') ? https : http;
    const options = { method: 'POST', headers, ...ca, signal: AbortSignal.timeout(60_000) };
    const request = post(endpoint, options, response => text(response).then(resolve, reject));
    request.on('error', reject).end(body);
  });
  const [answer] = Object.values(JSON.parse(reply) as Record<string, Answer & { errortext?: string }>);
  if (answer === undefined || answer.errortext !== undefined) throw new Error(`${command}: ${answer?.errortext}`);
  return answer;
}

/** What the agents have answered; one entry for each host of the fleet, those that are away too. */
async function sweep(): Promise<readonly HostResult[]> {
  const question = { all: 'true', class: 'GetHostStatsCommand', wait, maxerrors: '-1' };
  const { jobid } = await call<{ jobid: string }>('sendCommand', { ...question, maxconcurrency: '500' });
  let job = await call<Job>('queryAsyncJobResult', { jobid });
  while (job.jobstatus === 0) {
    await sleep(500);
    job = await call<Job>('queryAsyncJobResult', { jobid });
  }
  if (job.jobstatus !== 1) throw new Error(job.jobresult?.errortext ?? 'the job has failed');
  const results: HostResult[] = [];
  for (let page = 1; ; page++) {
    const which = { jobid, page: String(page), pagesize: String(PAGE) };
    const { commandresult = [] } = await call<{ commandresult?: HostResult[] }>('listCommandResults', which);
    results.push(...commandresult);
    if (commandresult.length < PAGE) return results;
  }
}

/** What is wrong with a host; undefined when nothing is. */
function complaint({ outcome, reason, answers = '[]' }: HostResult): string | undefined {
  if (outcome !== 'answered') return `${outcome}: ${reason}`;
  const [answer = {}] = JSON.parse(answers) as Record<string, Record<string, unknown>>[];
  const [fields = {}] = Object.values(answer);
  if (fields.result !== true) return String(fields.details ?? reason);
  const stats = (fields.hostStats ?? {}) as Record<string, number>;
  const { cpuUtilization = 0, totalMemoryKBs = 1, freeMemoryKBs = 1 } = stats;
  const freePercent = (100 * freeMemoryKBs) / totalMemoryKBs;
  if (cpuUtilization > Number(mostBusy)) return `processors are ${cpuUtilization.toFixed()} % busy`;
  return freePercent < LEAST_FREE_PERCENT ? `${freePercent.toFixed(1)} % of the memory is free` : undefined;
}

try {
  const results = await sweep();
  const sick = results.flatMap(result => complaint(result)?.replace(/^/, `${result.hostname}  `) ?? []);
  for (const line of sick.sort()) console.log(line);
  console.log(`${results.length - sick.length} of ${results.length} hosts are well`);
  process.exitCode = sick.length > 0 ? 1 : 0;
} catch (error) {
  console.error(`The fleet cannot be asked: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}
