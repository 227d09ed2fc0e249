import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { bashCompletion } from '../../scripts/install/completion.js';
import { manual } from '../../scripts/install/manual.js';
import { foldersOf, productionLock } from '../../scripts/install/production.js';
import { VERSION } from '../../src/lib/version.js';
import { ROOT } from '../helpers/root.js';
import { testFolder } from '../helpers/scratch.js';

t.test('package: npm install -g of it gives programs that run, and no warning', async t => {
  const folder = testFolder(t);
  execFileSync(process.execPath, [join(ROOT, 'build/scripts/package.js'), folder], { stdio: 'pipe' });
  const archive = join(folder, `muster-${VERSION}.tgz`);
  const names = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).trimEnd().split('\n');
  t.same(
    names.filter(name => /\.properties$|\.service$|(^|\/)test\/|^package\/(src|scripts|node_modules)\//.test(name)),
    [],
    'nothing of this machine',
  );
  for (const name of ['npm-shrinkwrap.json', 'CHANGELOG.md', 'man/muster.1', 'completion/muster.bash', 'dist/mgmt.js'])
    t.ok(names.includes(`package/${name}`), name);

  // Without a registry only what npm has in its cache can be installed.
  const isAllNeeded = process.env.CI === 'true';
  const prefix = join(folder, 'prefix');
  const args = ['install', '-g', '--prefix', prefix, '--no-audit', '--no-fund'];
  const cache = isAllNeeded ? '--prefer-offline' : '--offline';
  const { status, stdout, stderr } = spawnSync('npm', [...args, cache, archive], { cwd: folder, encoding: 'utf8' });
  if (status !== 0 && !isAllNeeded && stderr.includes('ENOTCACHED')) {
    const why =
      'The cache of npm does not have all packages, so npm install -g is NOT tested: CI=true npm test -- test/package';
    process.stderr.write(`\n*** ${why}\n\n`);
    t.comment(why);
    return;
  }
  t.equal(status, 0, stderr);
  t.notMatch(stdout + stderr, /warn|EBADENGINE/i);
  const run = (name: string, ...args: string[]) => execFileSync(join(prefix, 'bin', name), args, { encoding: 'utf8' });
  for (const name of ['muster', 'muster-mgmt', 'muster-agent', 'muster-fleet']) {
    t.equal(run(name, '--version'), `muster ${VERSION}\n`);
    t.match(run(name, '--help'), new RegExp(`^Usage: ${name} `, 'm'), 'it is called by its name');
  }
  t.match(readFileSync(join(prefix, 'share/man/man8/muster-agent.8'), 'utf8'), /^\.TH MUSTER\\-AGENT 8/);
});

t.test('package: every command, parameter and setting is in the manual', async t => {
  const pages = manual();
  t.same([...pages.keys()], ['muster.1', 'muster-mgmt.8', 'muster-agent.8', 'muster-fleet.1']);
  t.match(pages.get('muster.1'), /^\.SS updateConfiguration$/m);
  t.match(pages.get('muster.1'), /^\.SS backup$/m);
  t.match(pages.get('muster-mgmt.8'), /^\.B ping\.interval$/m);
  t.match(pages.get('muster-agent.8'), /^\.B enrollment\.token$/m);
  t.match(pages.get('muster-fleet.1'), /^\.B expect\.ready\.p99$/m);
  t.match(pages.get('muster-fleet.1'), /^\.B freeze WHO for TIME$/m);
  for (const [name, text] of pages) {
    const requests = text.split('\n').filter(line => /^[.']/.test(line) && !/^\.(TH|SH|SS|PP|TP|B)( |$)/.test(line));
    t.same(requests, [], name);
  }
});

t.test('package: bash completes commands, parameters and values', async t => {
  const file = join(testFolder(t), 'muster.bash');
  writeFileSync(file, bashCompletion());
  const words = (...typed: string[]) => {
    const script = `source ${file}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _muster; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script, 'bash', 'muster', ...typed], { encoding: 'utf8' })
      .trim()
      .split('\n');
  };
  t.same(words('listMov'), ['listMoves', 'listMovesSummary']);
  t.same(words('help', 'back'), ['backup']);
  t.same(words('listHosts', 'stat'), ['state=']);
  t.same(words('-o', 'json', 'listHosts', 'stat'), ['state=']);
  t.same(words('listAgentLinks', 'astray', '='), ['true', 'false']);
  t.same(words('listAgentLinks', 'astray', '=', 'f'), ['false']);
  t.same(words('-o', 't'), ['table']);
  t.same(words('--conf'), ['--config']);
});

t.test('package: only what runs is in the lock, with what it depends on', async t => {
  const lock = {
    packages: {
      '': { dependencies: { a: '1' }, devDependencies: { t: '1' } },
      'node_modules/a': { dependencies: { b: '1' }, optionalDependencies: { gone: '1' } },
      'node_modules/a/node_modules/b': { dependencies: { '@s/c': '1' } },
      'node_modules/b': { dev: true },
      'node_modules/@s/c': { dependencies: { a: '1' } },
      'node_modules/t': { dev: true },
    },
  };
  t.same(Object.keys(productionLock(lock).packages), [
    '',
    'node_modules/a',
    'node_modules/a/node_modules/b',
    'node_modules/@s/c',
  ]);
  t.notHas(productionLock(lock).packages[''], { devDependencies: {} });
  t.same([...foldersOf(lock, ['a'])], ['node_modules/a', 'node_modules/a/node_modules/b', 'node_modules/@s/c']);
});
