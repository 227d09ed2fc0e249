import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { plainCertificate } from '../helpers/certificates.js';
import { ConsumerProject, projectFile } from '../helpers/consumer-project.js';

t.test('library: programs that have the packed package alone', async t => {
  const project = await ConsumerProject.make(t);
  const { folder } = project;
  const programs = ['program.ts', 'server.ts', 'fakes.ts'];
  const wrong = project.compile(new Map(programs.map(name => [name, projectFile(`test/library/${name}`)])));
  t.same(wrong, [], 'they compile');

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

t.test('library: a fault in a program is noticed', async t => {
  const project = await ConsumerProject.make(t);
  const wrong = project.compile(new Map([['wrong.ts', "export { none } from 'muster/agent';"]]));
  t.match(wrong, [/wrong\.ts:1: .*no exported member 'none'/]);
});
