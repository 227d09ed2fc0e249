import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { MgmtProcess } from '../helpers/mgmt-process.js';
import { testFolder } from '../helpers/scratch.js';

const ENTRY = fileURLToPath(import.meta.resolve('#dist/admin.js'));

/** The real command line, built, in a process of its own. */
function admin(cwd: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: cwd, ...env },
  });
  const ran = { child, stdout: '', stderr: '', done: Promise.resolve<number | null>(null) };
  child.stdout.on('data', chunk => {
    ran.stdout += chunk;
  });
  child.stderr.on('data', chunk => {
    ran.stderr += chunk;
  });
  ran.done = once(child, 'close').then(([code]) => code as number | null);
  return ran;
}

async function server(t: Test) {
  const folder = testFolder(t);
  const args = ['bind.address=127.0.0.1', 'cluster.node.IP=127.0.0.1', 'port=0', 'api.port=0'];
  const process = new MgmtProcess(t, folder, args);
  await process.port();
  return { folder, process };
}

t.test('entry: the credentials in the data folder of this folder are found; exit codes 0, 1, 66, 67', async t => {
  const { folder, process } = await server(t);
  const run = async (...args: string[]) => {
    const ran = admin(folder, args);
    return { code: await ran.done, stdout: ran.stdout, stderr: ran.stderr };
  };
  t.match(await run('status'), { code: 0, stdout: /127\.0\.0\.1 +Up .*\n\nAgents: 0 in all/, stderr: '' });
  t.match(await run('listManagementServers', '-o', 'json'), { code: 0, stdout: /"managementserver": \[/ });
  t.match(await run('listHosts', 'page=0'), {
    code: 1,
    stdout: '',
    stderr: /^page=0: pages are counted from 1 \(431\)\n$/,
  });
  t.match(await run('listHostz'), {
    code: 66,
    stdout: '',
    stderr: /^listHostz is no command: did you mean listHosts\?\n$/,
  });
  t.match(await run('doctor'), { code: 2, stdout: /^ERROR conf\/agent\.properties/ });

  const ini = join(folder, 'data', 'cloudstack.ini');
  const text = await readFile(ini, 'utf8');
  await writeFile(join(folder, 'wrong.ini'), text.replace(/secret = ./, 'secret = '));
  const wrong = await run('--config', 'wrong.ini', 'status');
  t.match(wrong, { code: 1, stderr: /^unable to verify user credentials .* \(401\)\n$/ });

  await process.stop('SIGINT');
  const away = await run('status');
  t.match(away, { code: 67, stdout: '', stderr: /^no answer from http.*ECONNREFUSED.*--endpoint/ });
  t.equal(away.stderr.split('\n').length, 2, 'one line');
  t.match(await run('--config', 'nowhere.ini', 'status'), { code: 66, stderr: /nowhere\.ini cannot be read/ });
});

t.test('entry: a reader that has seen enough is no error', async t => {
  const { folder } = await server(t);
  // More than a pipe holds.
  const ran = admin(folder, ['listApis', '-o', 'json']);
  ran.child.stdout.destroy();
  await ran.done;
  t.equal(ran.stderr, '', 'no stack');
  t.equal(ran.child.exitCode, 0);
});

t.test('entry: Ctrl-C ends status --watch with 0', async t => {
  const { folder } = await server(t);
  const ran = admin(folder, ['status', '--watch']);
  await once(ran.child.stdout, 'data');
  ran.child.kill('SIGINT');
  t.equal(await ran.done, 0);
  t.match(ran.stdout, /^Management servers/);
  t.equal(ran.stderr, '\n');
});
