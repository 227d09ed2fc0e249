import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import ts from 'typescript';
import { plainCertificate } from '../helpers/certificates.js';
import { ROOT } from '../helpers/root.js';

const run = promisify(execFile);

t.test('library: programs that have the packed package alone', async t => {
  // Below the project, where the package finds what it depends on.
  const folder = t.testdir();
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
  });
  const [{ filename }] = JSON.parse(stdout);
  const installed = join(folder, 'node_modules', 'muster');
  mkdirSync(installed, { recursive: true });
  await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components=1']);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  const programs = ['program.ts', 'server.ts'].map(file => {
    cpSync(join(ROOT, 'test/library', file), join(folder, file));
    return file;
  });

  t.same(compile(folder, programs), [], 'they compile');

  const { cert, key } = await plainCertificate();
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  const agentFolder = join(folder, 'agent');
  const talk = await run(process.execPath, [join(folder, 'program.js'), certFile, keyFile, agentFolder]);
  t.equal(talk.stdout, 'Hello, Ada (3) from 127.0.0.1\nclosed: closed by the peer\n', 'an agent and a server talk');
  t.match(readFileSync(join(agentFolder, 'agent.properties'), 'utf8'), /^guid=[0-9a-f-]{36}$/m);

  const served = await run(process.execPath, [join(folder, 'server.js'), join(folder, 'server')]);
  const said = [
    'ARGUMENT_INVALID for value',
    'healthy: true on 127.0.0.1',
    'Up 127.0.0.1 true',
    'lost: true',
    'check interval: 30',
    '',
  ];
  t.equal(served.stdout, said.join('\n'), 'a management server runs in a program');
});

/** Strictly, and with the declarations of the package checked as well. @returns what is wrong */
function compile(folder: string, files: readonly string[]): string[] {
  const program = ts.createProgram(
    files.map(file => join(folder, file)),
    {
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts'],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
    },
  );
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ messageText, file: where }) => {
    return `${where?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}
