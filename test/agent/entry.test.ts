import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, utimesSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ENTRY = fileURLToPath(import.meta.resolve('#dist/agent.js'));

t.test('entry: an agent whose host was removed stays, idle, until it is told to stop', async t => {
  const folder = t.testdir({ 'agent.properties': 'guid=g\nzone=\n' });
  const agent = start(folder, join(folder, 'agent.properties'));
  await agent.says(/stays idle: zone is empty/);
  agent.child.kill('SIGTERM');
  t.equal(await agent.exit, 0);
  // One that had ended by itself would not have heard the signal.
  t.match(agent.output(), /Agent stops/);
});

t.test('entry: a wrong value, an unknown key and a second agent on the file exit with 66, and say why', async t => {
  const folder = t.testdir({
    'agent.properties': 'guid=g\nzone=\n',
    'link.properties': t.fixture('symlink', 'agent.properties'),
  });
  const file = join(folder, 'agent.properties');
  const first = start(folder, file);
  await first.says(/stays idle/);
  const cases: [string[], RegExp][] = [
    [[file], /another agent \(process \d+\) runs with this file/],
    [['link.properties'], /another agent \(process \d+\) runs with this file/],
    [['port=x'], /^port=x: a whole number from 1 to 65535/],
    [['host=,'], /^host=,: /],
    [['hots=a'], /did you mean host\?/],
    [['metrics.port=99999'], /^metrics\.port=99999: a whole number from 1 to 65535/],
    [['metrics.port=9105', 'metrics.address=10.0.0.256'], /^metrics\.address=10\.0\.0\.256: .*IPv4/],
  ];
  for (const [args, text] of cases) {
    const agent = start(folder, ...args);
    t.equal(await agent.exit, 66);
    t.match(agent.output(), text);
  }
  first.child.kill('SIGINT');
  t.equal(await first.exit, 0);
});

t.test('entry: a metrics.port that is taken exits with 67, and says so', async t => {
  const folder = t.testdir({ 'agent.properties': 'guid=g\nzone=\nhost=a\n' });
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const agent = start(folder, join(folder, 'agent.properties'), `metrics.port=${port}`);
  t.equal(await agent.exit, 67);
  t.match(
    agent.output(),
    new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use by another process`),
  );
});

t.test('regression: entry: a file that is missing, a folder or in UTF-16 exits with 66, and makes no file', async t => {
  const folder = t.testdir({ 'utf16.properties': '\ufeffh\0o\0s\0t\0' });
  const cases: [string, RegExp][] = [
    ['missing.properties', /^FILE=missing\.properties: there is no such file\n$/],
    ['.', /^FILE=\.: the file cannot be read: EISDIR/],
    ['utf16.properties', /^FILE=utf16\.properties: the file cannot be read: it is no text/],
  ];
  for (const [file, says] of cases) {
    const agent = start(folder, file);
    t.equal(await agent.exit, 66);
    t.match(agent.output(), says);
  }
  t.same(readdirSync(folder), ['utf16.properties']);
});

t.test('regression: entry: a log that cannot be written at the start is one line and exit 66', async t => {
  const folder = t.testdir({ 'agent.properties': 'guid=g\nzone=\n' });
  for (const [file, reason] of [
    ['/dev/full', 'ENOSPC'],
    ['.', 'EISDIR'],
    ['var/logs/agent.log', 'there is no folder var/logs'],
  ]) {
    const agent = start(folder, 'agent.properties', `log.file=${file}`);
    t.equal(await agent.exit, 66);
    t.match(agent.output(), new RegExp(`^log\\.file=${file}: .*${reason}.*\\n$`));
  }
});

t.test('regression: entry: SIGHUP ends no agent, and one whose reader is gone stops when it is told to', async t => {
  const folder = t.testdir({ 'agent.properties': 'guid=g\nzone=\n' });
  const agent = start(folder, 'agent.properties');
  await agent.says(/stays idle/);
  agent.child.stdout.destroy();
  agent.child.kill('SIGHUP');
  while (!/lines of the log go here meanwhile/.test(agent.output())) await once(agent.child.stderr, 'data');
  agent.child.kill('SIGTERM');
  t.equal(await agent.exit, 0);
});

t.test('regression: entry: temporary files of a killed agent are cleared, those of the last minute stay', async t => {
  const name = (end: string) => `agent.properties.00000000-0000-4000-8000-00000000000${end}.tmp`;
  const folder = t.testdir({ 'agent.properties': 'guid=g\nzone=\n', [name('1')]: '', [name('2')]: '', 'x.tmp': '' });
  for (const old of [name('1'), 'x.tmp']) utimesSync(join(folder, old), 0, 0);
  const agent = start(folder, 'agent.properties');
  await agent.says(/stays idle/);
  agent.child.kill('SIGTERM');
  t.equal(await agent.exit, 0);
  t.same(readdirSync(folder).sort(), ['agent.properties', name('2'), 'x.tmp']);
});

function start(cwd: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '' },
  });
  t.teardown(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      output += chunk;
    });
  }
  return {
    child,
    output: () => output,
    exit: once(child, 'close').then(([code]) => code as number | null),
    async says(pattern: RegExp) {
      while (!pattern.test(output)) await once(child.stdout, 'data');
    },
  };
}
