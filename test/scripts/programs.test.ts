import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { oneOf, wholeNumber } from '../../scripts/programs/arguments.js';
import { ROOT } from '../helpers/root.js';
import { testFolder } from '../helpers/scratch.js';
import { timeOf } from '../helpers/test-program.js';

const PROGRAMS = [
  ...['test/simulation/main', 'test/simulation/mutants-main', 'test/chaos/main', 'test/chaos/persist-main'],
  ...['scripts/attack', 'scripts/fuzz', 'scripts/galera', 'scripts/test'],
  ...['bench/run', 'bench/scale/main', 'bench/storm/main', 'bench/api', 'bench/store'],
];

function start(program: string, args: readonly string[], folder: string) {
  return spawn(process.execPath, [join(ROOT, 'build', `${program}.js`), ...args], {
    env: { PATH: process.env.PATH ?? '', TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function run(program: string, ...args: readonly string[]) {
  const child = start(program, args, '/nonexistent');
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { stdout, stderr, code };
}

for (const program of PROGRAMS) {
  t.test(`regression: programs: ${program} refuses what it does not know, and tells how it is used`, async t => {
    t.match(await run(program, '--help'), { code: 0, stdout: /usage: npm (run|test)/i, stderr: '' });
    const { code, stdout, stderr } = await run(program, '--bogus');
    t.match({ code, stdout, stderr }, { code: 64, stdout: '', stderr: /^[^\n]*--bogus[\s\S]*usage: npm (run|test)/i });
    t.notMatch(stderr, /^ +at /m, 'no stack');
  });
}

t.test('regression: programs: what cannot be used is refused before anything is begun', async t => {
  const wrong = [
    ['test/chaos/persist-main', ['--kills', 'x'], /--kills x: a whole number from 1/],
    ['test/chaos/persist-main', ['--kills', '0'], /--kills 0: a whole number from 1/],
    ['test/chaos/persist-main', ['--seed', 'x'], /--seed x: a whole number/],
    ['test/chaos/main', ['--plot', '/nonexistent/x.svg'], /--plot .*: there is no folder \/nonexistent/],
    ['test/chaos/main', ['--json', '/'], /--json \/: it is no file/],
    ['test/chaos/main', ['--agents', '0', '--processes', '0'], /one agent at least/],
    ['test/chaos/main', ['--table', '--plot', 'x.svg'], /--plot: --table draws and writes nothing/],
    ['test/chaos/main', ['--table', '--soak'], /--soak: .*--table/],
    ['test/chaos/main', ['--soak', '--faults', 'fin,kill'], /--faults kill: known are /],
    ['test/chaos/main', ['--rounds', '3'], /--rounds: .*--table/],
    ['test/chaos/main', ['--table', '--cause', 'nothing'], /--cause: .*nothing/],
    ['bench/api', ['0'], /HOSTS 0: a whole number from 1/],
    ['bench/store', ['sqlite:/nonexistent/x', 'many'], /HOSTS many: a whole number/],
    ['bench/run', ['--agents', '0'], /--agents 0: a whole number from 1/],
    ['bench/run', ['agents', 'everything'], /WHAT everything: known are codec, .*agents/],
    ['bench/run', ['--compare', 'HEAD', 'codec'], /WHAT codec: known are agents, idle, fleet, link/],
    ['test/simulation/mutants-main', ['nobody'], /"nobody"[\s\S]*the epoch of a host is not compared/],
  ] as const;
  for (const [program, args, message] of wrong)
    t.match(await run(program, ...args), { code: 64, stderr: message }, `${program} ${args.join(' ')}`);
});

t.test('regression: programs: one that is interrupted leaves nothing behind', async t => {
  const folder = join(testFolder(t), 'tmp');
  mkdirSync(folder);
  const watcher = watch(folder);
  t.teardown(() => watcher.close());
  const child = start('test/chaos/persist-main', [], folder);
  const closed = once(child, 'close');
  await once(watcher, 'change');
  t.equal(readdirSync(folder).length, 1);
  child.kill('SIGTERM');
  t.match(await text(child.stdout), /^\d+ kills, then interrupted: file whole each time/);
  t.strictSame(await closed, [130, null]);
  t.strictSame(readdirSync(folder), []);
});

t.test('programs: arguments are read as they are meant, or refused', async t => {
  t.equal(wholeNumber('--seed', '0', 0, 9), 0);
  for (const text of ['', 'x', '-1', '1.5', '1e1', '10']) t.throws(() => wholeNumber('--seed', text, 0, 9), RangeError);
  t.equal(timeOf('--for', '90s'), 90_000);
  t.equal(timeOf('--for', '2h'), 7_200_000);
  for (const text of ['', '5', 'm', '5d', '1.5m', '-1s']) t.throws(() => timeOf('--for', text), RangeError);
  t.equal(oneOf('--store', 'one', ['one', 'two']), 'one');
  t.throws(() => oneOf('--store', 'three', ['one', 'two']), /--store three: known are one, two/);
});
