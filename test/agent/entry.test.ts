import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ENTRY = fileURLToPath(new URL('../../dist/agent.js', import.meta.url));

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
  ];
  for (const [args, text] of cases) {
    const agent = start(folder, ...args);
    t.equal(await agent.exit, 66);
    t.match(agent.output(), text);
  }
  first.child.kill('SIGINT');
  t.equal(await first.exit, 0);
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
