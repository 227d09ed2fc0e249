import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { MgmtProcess } from '../helpers/mgmt-process.js';
import { testFolder } from '../helpers/scratch.js';

const ENTRY = fileURLToPath(import.meta.resolve('#dist/fleet.js'));

t.test(
  'entry: a fleet enrols, loses its links with the server, and keeps host ids and certificates in data.dir',
  async t => {
    const folder = testFolder(t);
    const loopback = ['bind.address=127.0.0.1', 'cluster.node.IP=127.0.0.1', 'api.port=0'];
    const server = new MgmtProcess(t, folder, [...loopback, 'port=0']);
    const port = await server.port();
    const settings = ['agents=5', 'host=127.0.0.1', `port=${port}`, 'data.dir=fleet', 'failover.spread.ms=0'];

    const fleet = start(t, folder, ...settings, `enrollment.token=${await server.enrolmentToken(5)}`);
    await fleet.says(/Agents ready=5 notReady=0 linksLost=0 hosts="127\.0\.0\.1=5"/);
    const rival = start(t, folder, ...settings);
    t.equal(await rival.exit, 66);
    t.match(rival.output(), new RegExp(`data\\.dir=fleet: another fleet \\(process ${fleet.child.pid}\\)`));
    fleet.child.kill('SIGTERM');
    t.equal(await fleet.exit, 0);
    t.match(fleet.output(), /Fleet stops agents=5 linksLost=0/);
    const ids = await hostIds(join(folder, 'fleet'));
    t.strictSame(ids.toSorted(), ['1', '2', '3', '4', '5']);
    const certificates = await filesOf(join(folder, 'fleet'), 'cloud.crt');
    t.equal(new Set(certificates).size, 5, 'each has a certificate of its own');

    const again = start(t, folder, ...settings, 'report.links=true');
    await again.says(/Agents ready=5 notReady=0/);
    server.child.kill('SIGKILL');
    await again.says(/Agents ready=0 notReady=5 linksLost=5/);
    const linesOf = (text: string) => again.output().match(new RegExp(`${text}.* agent=fleet-[1-5]`, 'g'))?.length;
    t.strictSame([linesOf('Connected to the host:'), linesOf('Lost connection to host:')], [5, 5]);
    again.child.kill('SIGINT');
    t.equal(await again.exit, 0);
    t.strictSame(await hostIds(join(folder, 'fleet')), ids, 'the same hosts');
    t.strictSame(await filesOf(join(folder, 'fleet'), 'cloud.crt'), certificates, 'and certificates');
    t.notOk((await readdir(join(folder, 'fleet'))).includes('lock'), 'the lock is gone');
  },
);

t.test('entry: a fleet stops by itself after its duration', async t => {
  const fleet = start(t, testFolder(t), 'agents=2', 'host=127.0.0.1', 'port=1', 'duration=1');
  t.equal(await fleet.exit, 0);
  // The others wait for the first.
  t.match(fleet.output(), /Agents ready=0 notReady=1 linksLost=0 hosts="" away=1/);
});

t.test(
  'entry: KVM hosts enrol by one token in memory, and what was expected becomes files and the exit code',
  async t => {
    const folder = testFolder(t);
    const server = new MgmtProcess(t, folder, [
      'bind.address=127.0.0.1',
      'cluster.node.IP=127.0.0.1',
      'api.port=0',
      'port=0',
    ]);
    const settings = [
      ...['agents=4', 'ramp=50/s', 'host=127.0.0.1', `port=${await server.port()}`, 'resource=kvm'],
      ...['failover.spread.ms=0', 'backoff.seconds=1', 'expect.ready=100%', 'expect.lost=0'],
      ...[
        'summary=summary.json',
        'junit=junit.xml',
        'plot=plot.svg',
        `enrollment.token=${await server.enrolmentToken(4)}`,
      ],
    ];
    const fleet = start(t, folder, ...settings);
    await fleet.says(/Agents ready=4 notReady=0 linksLost=0/);
    fleet.child.stdin.write('kill 2\n');
    await fleet.says(/Fault fault="kill 2" done="to 2 agents"/);
    await fleet.says(/Agents ready=4 notReady=0 linksLost=2/);
    fleet.child.kill('SIGINT');
    t.equal(await fleet.exit, 1);
    t.match(fleet.output(), /INFO {2}Expected, and met expect="expect\.ready=100%" found="4 of 4"/);
    t.match(fleet.output(), /ERROR Expected, and NOT met expect="expect\.lost=0" found=2/);
    t.match(JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8')), {
      agents: { configured: 4, ready: 4 },
      servers: { '127.0.0.1': 4 },
      gap: { count: 2 },
      faults: [{ fault: 'kill 2', agents: 2 }],
      unknownCommands: {},
      isMet: false,
    });
    t.match(
      await readFile(join(folder, 'junit.xml'), 'utf8'),
      /<testcase [^>]*name="expect\.lost=0">\s*<failure message="found: 2"/,
    );
    t.match(await readFile(join(folder, 'plot.svg'), 'utf8'), /^<svg [\s\S]*127\.0\.0\.1[\s\S]*kill/);
    t.notOk(
      (await readdir(folder)).some(name => name.startsWith('fleet')),
      'no agent has a file',
    );
  },
);

t.test(
  'regression: entry: a file that cannot be written is told, the others are written, and the exit code is 67',
  async t => {
    const folder = testFolder(t);
    const files = ['summary=summary.json', 'junit=junit.xml', 'plot=plot.svg'];
    const fleet = start(t, folder, 'agents=1', 'host=127.0.0.1', 'port=1', 'expect.lost=0', ...files);
    await fleet.says(/Fleet starts/);
    // Nothing replaces folders: these two files cannot be written any more.
    for (const name of ['summary.json', 'plot.svg']) await mkdir(join(folder, name));
    fleet.child.kill('SIGTERM');
    t.equal(await fleet.exit, 67);
    t.match(fleet.output(), /ERROR What was found cannot be written file="?summary=summary\.json"? reason=/);
    t.match(fleet.output(), /ERROR What was found cannot be written file="?plot=plot\.svg"? reason=/);
    t.match(await readFile(join(folder, 'junit.xml'), 'utf8'), /tests="1" failures="0"/);
  },
);

t.test('entry: commands are read from a pipe', async t => {
  const fleet = start(t, testFolder(t), 'agents=1', 'host=127.0.0.1', 'port=1');
  await fleet.says(/Fleet starts/);
  fleet.child.stdin.write('kil 3\ncut\nfreeze all for 1s\nquit\n');
  t.equal(await fleet.exit, 0);
  t.match(fleet.output(), /"kil" is no fault; known are kill, /);
  t.match(fleet.output(), /cut needs the proxies: start the fleet with proxy=true/);
  t.match(fleet.output(), /Fault fault="freeze all for 1s" done="to fleet-1"/);
});

t.test('entry: a wrong value, an unknown key and a FILE that is not there exit with 66, and say why', async t => {
  const folder = t.testdir({
    'fleet.properties': 'agents=x\n',
    'faults.txt': 'kill 3\n',
    'proxy.txt': 'at 1s cut\n',
    'late.txt': 'at 100s kill fleet-99\n',
    same: t.fixture('symlink', '.'),
    x: {},
  });
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['fleet.properties'], /^agents=x: a whole number from 1/],
    [['agent=3'], /^agent=3: no such setting; did you mean agents\?\n$/],
    [['guid=g'], /^guid=g: no such setting/],
    [['missing.properties'], /^FILE=missing\.properties: there is no such file/],
    [['faults=missing.txt'], /^faults=missing\.txt: the file cannot be read: ENOENT/],
    [['faults=faults.txt'], /^faults=faults\.txt: line 1: it does not begin with its time/],
    [['faults=proxy.txt'], /^faults=proxy\.txt: cut: cut needs the proxies/],
    [
      ['faults=late.txt', 'agents=5'],
      /^faults=late\.txt: kill fleet-99: no agent is called fleet-99: there are 5 agents/,
    ],
    [['faults=late.txt', 'duration=60'], /^faults=late\.txt: kill fleet-99: it is due after 100 s/],
    [['summary=a', 'junit=./x/../a'], /^junit=\.\/x\/\.\.\/a: it is the file of summary as well/],
    [['junit=a', 'plot=same/a'], /^plot=same\/a: it is the file of junit as well/],
    [['summary=a', 'plot=a'], /^plot=a: it is the file of summary as well/],
    [['expect.gap.max=1'], /^expect\.gap\.max=1: a time such as/],
    [['summary=missing/summary.json'], /^summary=missing\/summary\.json: /],
    [['--verbose'], /^argument=--verbose: no such option/],
  ];
  const run = async ([args, says]: (typeof cases)[number]) => {
    const fleet = start(t, folder, ...args);
    t.equal(await fleet.exit, 66, args.join(' '));
    t.match(fleet.output(), says);
  };
  await Promise.all(cases.map(run));
});

/** What the agents' files say, in the order of their names. */
async function hostIds(folder: string): Promise<string[]> {
  const texts = await filesOf(folder, 'agent.properties');
  return texts.map(text => /^LibvirtComputingResource\.id=(\d+)$/m.exec(text)?.[1] ?? 'none');
}

/** The same file of each agent. */
async function filesOf(folder: string, file: string): Promise<string[]> {
  const names = (await readdir(folder)).filter(name => name.startsWith('fleet-')).sort();
  return Promise.all(names.map(name => readFile(join(folder, name, file), 'utf8')));
}

function start(t: Test, cwd: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
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
