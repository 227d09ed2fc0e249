import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { ROOT } from '../helpers/root.js';

const EXAMPLE = /^```ts\n(.*?)^```$/gms;

t.test('docs: the examples of docs/resources.md compile, strictly', async t => {
  const text = readFileSync(join(ROOT, 'docs/resources.md'), 'utf8');
  const examples = new Map(
    [...text.matchAll(EXAMPLE)].map(([, code = ''], index) => [join(ROOT, `test/docs/example-${index}.ts`), code]),
  );
  t.ok(examples.size >= 4);
  t.same(compile(examples), []);
  const wrong = new Map([[join(ROOT, 'test/docs/example-wrong.ts'), "export { none } from 'muster/agent';"]]);
  t.match(compile(wrong), [/no exported member 'none'/], 'a fault is noticed');
});

/** @returns what is wrong with programs that import the package's faces */
function compile(sources: ReadonlyMap<string, string>): readonly string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.base.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  const faces = { 'muster/agent': ['src/agent/index.ts'], muster: ['src/protocol/index.ts'] };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, version, ...others) => {
    const source = sources.get(name);
    return source === undefined
      ? getSourceFile.call(host, name, version, ...others)
      : ts.createSourceFile(name, source, version);
  };
  host.fileExists = name => sources.has(name) || fileExists.call(host, name);
  host.readFile = name => sources.get(name) ?? readFile.call(host, name);
  const program = ts.createProgram(
    [...sources.keys()],
    { ...options, noEmit: true, composite: false, incremental: false, baseUrl: ROOT, paths: faces },
    host,
  );
  return [...sources.keys()].flatMap(name =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  );
}
