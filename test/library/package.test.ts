import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { plainCertificate } from '../helpers/certificates.js';
import { ConsumerProject, projectFile } from '../helpers/consumer-project.js';
import { documentPrograms, isSaid } from '../helpers/document-programs.js';

const PROGRAMS = ['program.ts', 'server.ts', 'fakes.ts'];
const DOCUMENTS = [
  { path: 'docs/library.md', folder: 'library', least: 6 },
  { path: 'docs/resources.md', folder: 'resources', least: 4 },
].map(document => ({ ...document, ...documentPrograms(projectFile(document.path)) }));

// One project, compiled once: most of the time goes into the declarations of what the package depends on.
const project = await ConsumerProject.make(t);
const { folder } = project;
const wrong = project.compile(
  new Map([
    ...PROGRAMS.map(name => [name, projectFile(`test/library/${name}`)] as const),
    ...DOCUMENTS.flatMap(({ folder, sources }) =>
      [...sources].map(([name, text]) => [`${folder}/${name}`, text] as const),
    ),
    ['wrong.ts', "export { none } from 'muster/agent';"],
  ]),
);

t.test('library: all programs compile, and a fault in one is noticed', async t => {
  t.match(wrong, [/wrong\.ts:1: .*no exported member 'none'/]);
  t.equal(wrong.length, 1);
});

t.test('library: programs that have the packed package alone', async t => {
  const { cert, key } = await plainCertificate();
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  const agentFolder = join(folder, 'agent');
  const talk = await project.node(['program.js', certFile, keyFile, agentFolder]);
  t.equal(talk.stdout, 'Hello, Ada (3) from 127.0.0.1\nclosed: closed by the peer\n', 'an agent and a server talk');
  t.match(readFileSync(join(agentFolder, 'agent.properties'), 'utf8'), /^guid=[0-9a-f-]{36}$/m);

  const served = await project.node(['server.js', join(folder, 'server')]);
  const said = [
    'ARGUMENT_INVALID for value',
    'healthy: true on 127.0.0.1',
    'Up 127.0.0.1 true',
    'lost: true',
    'check interval: 30',
    '',
  ];
  t.equal(served.stdout, said.join('\n'), 'a management server runs in a program');

  const faked = await project.node(['fakes.js', join(folder, 'faked')]);
  const tried = [
    'CheckHealthAnswer',
    'ready again: 2 links',
    'accept StartupRoutingCommand',
    'closed',
    'PingCommand',
    'agent',
    '',
  ];
  t.same(faked, { code: 0, stdout: tried.join('\n'), stderr: '' }, 'an agent is tried with fakes');
});

for (const { path, folder: below, least, sources, runs } of DOCUMENTS) {
  t.test(`library: the programs of ${path} print what it says`, async t => {
    t.ok(sources.size >= least, `it has ${sources.size} programs`);
    for (const { args, output } of runs) {
      const { code, stdout, stderr } = await project.node(args, below);
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
