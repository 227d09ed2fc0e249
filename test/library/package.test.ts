import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import ts from 'typescript';
import { plainCertificate } from '../helpers/certificates.js';

const root = new URL('../../', import.meta.url).pathname;
const run = promisify(execFile);

t.test(
  'library: a program compiles against the packed package alone, and an agent and a server of it talk',
  async t => {
    // Below the project, where the package finds what it depends on.
    const folder = t.testdir();
    const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
      cwd: root,
    });
    const [{ filename }] = JSON.parse(stdout);
    const installed = join(folder, 'node_modules', 'muster');
    mkdirSync(installed, { recursive: true });
    await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components=1']);
    cpSync(new URL('program.ts', import.meta.url), join(folder, 'program.ts'));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));

    t.same(compile(folder, 'program.ts'), []);

    const { cert, key } = await plainCertificate();
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const { stdout: said } = await run(process.execPath, [join(folder, 'program.js'), certFile, keyFile, folder]);
    t.equal(said, 'Hello, Ada (3) from 127.0.0.1\nclosed: closed by the peer\n');
    t.match(readFileSync(join(folder, 'agent.properties'), 'utf8'), /^guid=[0-9a-f-]{36}$/m);
  },
);

/** Compiles a file strictly. The declarations of the package are checked as well. @returns what is wrong */
function compile(folder: string, file: string): string[] {
  const program = ts.createProgram([join(folder, file)], {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
  });
  // The libraries of TypeScript and Node need no check, which would take most of the time.
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(folder));
  if (files.length < 10) return [`only ${files.length} files of the program and the package were found`];
  const diagnostics = files.flatMap(source => [
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ]);
  program.emit(program.getSourceFile(join(folder, file)));
  return [...program.getOptionsDiagnostics(), ...diagnostics].map(({ messageText, file: where }) => {
    return `${where?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}
