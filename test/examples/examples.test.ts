import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import t from 'tap';
import { AgentProcess } from '../helpers/agent-process.js';
import { MgmtProcess } from '../helpers/mgmt-process.js';
import { ProgramProcess } from '../helpers/program-process.js';
import { ROOT } from '../helpers/root.js';
import { until } from '../helpers/until.js';

// The programs of examples/, as processes, in a cluster: the server A, the embedded server B, one ordinary agent, which A
// has, and one with the scripts, which B has.

const [A, B] = ['127.0.0.1', '127.0.0.2'] as const;
const example = (name: string) => join(ROOT, 'build/examples', `${name}.js`);
const script = (...lines: string[]) => ['#!/bin/sh', ...lines, ''].join('\n');

const folder = t.testdir({
  a: {},
  b: {},
  ordinary: {},
  scripted: {
    scripts: {
      'clean-cache.sh': script('echo "3 files removed"', 'env'),
      // What it has started has to end with it.
      'rotate-logs.sh': script('sleep 1000 &', 'echo "$$ $!" > "$(dirname "$0")/pids"', 'echo waiting', 'wait'),
      'trim-disks.sh': script('i=0', 'while [ $i -lt 9999 ]; do i=$((i+1)); echo "block $i"; done', 'exit 3'),
    },
  },
});
const db = `sqlite:${join(folder, 'muster.db')}`;
const a = new MgmtProcess(t, join(folder, 'a'), [
  `db.url=${db}`,
  `bind.address=${A}`,
  `cluster.node.IP=${A}`,
  `host=${A},${B}`,
  'port=0',
  `api.address=${A}`,
  'api.port=0',
]);
const port = await a.port();
const ini = join(folder, 'a/data/cloudstack.ini');
const ofB = { 'db.url': db, 'bind.address': B, 'cluster.node.IP': B, port, 'api.address': B, 'api.port': 0 };
writeFileSync(
  join(folder, 'b/mgmt.properties'),
  Object.entries(ofB)
    .map(([key, value]) => `${key}=${value}\n`)
    .join(''),
);
const b = new ProgramProcess(t, example('embedded-server'), join(folder, 'b'), ['mgmt.properties', '0']);
const [, facePort = ''] = await b.says(/^Listening on .*"port":(\d+)/m);
for (const name of readdirSync(join(folder, 'scripted/scripts'))) {
  execFile('chmod', ['755', join(folder, 'scripted/scripts', name)]);
}

/** @returns status and body of the embedded server's own face */
async function ask(path: string): Promise<{ status: number | undefined; body: unknown }> {
  const [response] = (await once(get(`http://127.0.0.1:${facePort}${path}`), 'response')) as [IncomingMessage];
  return { status: response.statusCode, body: await json(response) };
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: readonly string[]): Promise<Ran> {
  return new Promise(resolve => {
    execFile(process.execPath, [file, ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

const admin = (...args: string[]) => run(join(ROOT, 'dist/admin.js'), ['--config', ini, '-o', 'json', ...args]);
// No machine is busier than 100 %: this one may be.
const sweep = () => run(example('health-sweep'), [ini, '5', '100']);

/** Has a script run on the host of the resource. @returns exit code of the command line, and the fields of the answer */
async function runScript(name: string): Promise<{ code: number; answer: Record<string, unknown> }> {
  const fields = JSON.stringify({ script: name });
  const { code, stdout } = await admin(
    'sendCommand',
    'tag=scripts',
    'class=com.example.RunScriptCommand',
    `fields=${fields}`,
  );
  const { jobid } = JSON.parse(stdout);
  const { commandresult } = JSON.parse((await admin('listCommandResults', `jobid=${jobid}`)).stdout);
  const [answer] = JSON.parse(commandresult[0].answers);
  // What a handler throws is answered by a class of CloudStack's.
  return { code, answer: answer['com.example.RunScriptAnswer'] ?? answer['com.cloud.agent.api.Answer'] };
}

const events: string[] = [];
const told = get(`http://127.0.0.1:${facePort}/events`, response => {
  response.setEncoding('utf8').on('data', (text: string) => events.push(text));
  response.on('error', () => {});
});
t.teardown(() => void told.destroy());
await once(told, 'response');

const token = await a.enrolmentToken(2);
const ordinary = new AgentProcess(t, join(folder, 'ordinary'), { host: A, port, 'enrollment.token': token });
const scripted = new AgentProcess(
  t,
  join(folder, 'scripted'),
  {
    host: B,
    port,
    'enrollment.token': token,
    resource: example('maintenance-scripts'),
    'host.tags': 'scripts',
  },
  { MAINTENANCE_SCRIPTS: join(folder, 'scripted/scripts'), SECRET: 'hidden' },
);
await Promise.all([ordinary, scripted].map(agent => agent.says(/Connected to|is Ready|Ready/)));

t.test('examples: each is a whole program of less than 100 lines', async t => {
  const files = readdirSync(join(ROOT, 'examples')).filter(name => name.endsWith('.ts'));
  t.equal(files.length, 3);
  const long = files.filter(name => readFileSync(join(ROOT, 'examples', name), 'utf8').split('\n').length > 100);
  t.same(long, []);
});

t.test('examples: the sweep has a verdict on every host, and an exit code', async t => {
  t.same(await sweep(), { code: 0, stdout: '2 of 2 hosts are well\n', stderr: '' });
});

t.test('examples: scripts of the list are run, and nothing else', async t => {
  const cleaned = await runScript('clean-cache');
  t.match(cleaned, { code: 0, answer: { result: true, exitCode: 0, details: 'exit code 0' } });
  t.match(cleaned.answer.output, /^3 files removed\n/);
  t.notMatch(cleaned.answer.output, /hidden/, 'the agent’s environment stays with the agent');
  const trimmed = await runScript('trim-disks');
  t.match(trimmed, { code: 1, answer: { result: false, exitCode: 3, details: 'exit code 3' } });
  t.match(trimmed.answer.output, /block 9999\n$/);
  t.equal(String(trimmed.answer.output).length, 16_384, 'the end of its output is kept');
  for (const name of ['nothing', '../scripts/clean-cache.sh', 'constructor', 'clean-cache; id']) {
    t.match(await runScript(name), { code: 1, answer: { result: false, details: /^there is no script/ } }, name);
  }
});

t.test('examples: the embedded server shows hosts, asks them through any server, and tells of events', async t => {
  const { status, body } = await ask('/hosts');
  t.equal(status, 200);
  const hosts = body as readonly { id: number; state: string; where: string }[];
  t.same(hosts.map(({ state, where }) => `${state} ${where}`).sort(), [`Up ${A}`, `Up ${B}`]);
  for (const { id } of hosts) {
    t.match(await ask(`/hosts/${id}/stats`), { status: 200, body: { entityType: 'host', totalMemoryKBs: Number } });
  }
  t.match(await ask('/hosts/none/stats'), { status: 404 });
  t.match(await ask('/elsewhere'), { status: 404 });
  await until(() => /^event: ready\ndata: \{"id":\d+,/m.test(events.join('')));
});

t.test('examples: a script that runs when its agent stops is ended, with all that it has started', async t => {
  const pids = join(folder, 'scripted/scripts/pids');
  void runScript('rotate-logs').catch(() => {});
  await until(() => existsSync(pids) && readFileSync(pids, 'utf8').includes('\n'));
  const started = readFileSync(pids, 'utf8').trim().split(' ').map(Number);
  t.equal(started.length, 2);
  await scripted.stop('SIGTERM');
  await until(() => started.every(isGone));
});

t.test('examples: the sweep tells what is not well, and when it cannot tell', async t => {
  const { code, stdout } = await sweep();
  t.equal(code, 1);
  t.match(stdout, /^\S+ {2}refused: .*not connected.*\n1 of 2 hosts are well\n$/);
  const nowhere = join(folder, 'nowhere.ini');
  writeFileSync(nowhere, readFileSync(ini, 'utf8').replace(/^secret.*$/m, 'secret = wrong'));
  const refused = await run(example('health-sweep'), [nowhere]);
  t.match(refused, { code: 2, stdout: '', stderr: /^The fleet cannot be asked: sendCommand: .*\n$/ });
});

t.test('examples: the embedded server ends in good order', async t => {
  t.equal(await b.stop('SIGTERM'), 0);
  t.match(events.join(''), /^event: lost\n/m);
});

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
