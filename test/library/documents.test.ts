import t from 'tap';
import { ConsumerProject, projectFile } from '../helpers/consumer-project.js';
import { documentPrograms, isSaid } from '../helpers/document-programs.js';

for (const [document, programs] of [
  ['docs/library.md', 6],
  ['docs/resources.md', 4],
] as const) {
  t.test(`library: the programs of ${document} compile, and print what it says`, async t => {
    const { sources, runs } = documentPrograms(projectFile(document));
    t.ok(sources.size >= programs, `it has ${sources.size} programs`);
    const project = await ConsumerProject.make(t);
    t.same(project.compile(sources), []);
    for (const { args, output } of runs) {
      const { code, stdout, stderr } = await project.node(args);
      t.equal(code, 0, `node ${args.join(' ')}: ${stderr}`);
      t.ok(isSaid(output, stdout), stdout);
    }
  });
}

t.test('library: a document that says something else than its programs is noticed', async t => {
  const { sources, runs } = documentPrograms(
    '```ts\n// a.ts\ncode\n```\n\n```console\n$ node a.js x\none\n…\ntwo\n```\n',
  );
  t.same([...sources], [['a.ts', '// a.ts\ncode\n']]);
  t.match(runs, [{ args: ['a.js', 'x'] }]);
  const [{ output } = { output: '' }] = runs;
  for (const printed of ['one\ntwo\n', 'one\nand\na half\ntwo\n']) t.ok(isSaid(output, printed));
  for (const printed of ['', 'one\n', 'one\ntwo\nthree\n', 'zero\none\ntwo\n']) t.notOk(isSaid(output, printed));
});
