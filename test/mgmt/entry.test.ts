import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readyLink, startAgent } from '../../src/agent/index.js';
import { systemClock } from '../../src/lib/clock.js';
import { silentLog } from '../../src/lib/logger.js';
import { systemRandom } from '../../src/lib/random.js';
import { openStore } from '../../src/mgmt/open-store.js';
import { connectTls, secureContext } from '../../src/protocol/index.js';
import { FakeAgent } from '../../src/testing/fake-agent.js';
import { plainCertificate } from '../helpers/certificates.js';
import { MgmtProcess, takenPort } from '../helpers/mgmt-process.js';
import { wholeHosts } from '../helpers/one-host.js';
import { RecordingLog } from '../helpers/recording-log.js';
import { samplesIn } from '../helpers/samples.js';
import { testFolder } from '../helpers/scratch.js';
import { eventually } from '../helpers/until.js';

const storeEnv = { clock: systemClock, random: systemRandom, log: silentLog, thread: 'same' } as const;
const LOOPBACK = ['bind.address=127.0.0.1', 'port=0', 'cluster.node.IP=127.0.0.1'];
const start = (t: Test, cwd: string, ...args: string[]) => new MgmtProcess(t, cwd, [...LOOPBACK, ...args]);

/** What an agent has that was given its certificate. */
interface Enrolled {
  /** As agents send it. */
  readonly guid: string;
  readonly cert: string;
  readonly key: string;
}

/** An agent enrols by a token, and ends. */
async function enrol(server: MgmtProcess, port: number, folder: string): Promise<Enrolled> {
  const token = await server.enrolmentToken();
  const file = join(folder, 'agent', 'agent.properties');
  const overrides = { host: '127.0.0.1', port: String(port), 'enrollment.token': token };
  const agent = await startAgent({ file, overrides, log: silentLog });
  await eventually(async () => readyLink(agent.state) !== undefined);
  await agent.stop();
  const [, guid] = /^guid=(.+)$/m.exec(await readFile(file, 'utf8')) ?? [];
  const [cert, key] = await Promise.all(
    ['cloud.crt', 'cloud.key'].map(name => readFile(join(folder, 'agent', name), 'utf8')),
  );
  if (cert === undefined || key === undefined) throw new Error('two');
  return { guid: `${guid}-LibvirtComputingResource`, cert, key };
}

/** A fake agent over a real socket and real TLS. @param own presented when the server asks */
async function dial(
  port: number,
  own: Partial<Pick<Enrolled, 'cert' | 'key'>> = {},
): Promise<{ agent: FakeAgent; presented: string[] }> {
  const { cert, key } = own;
  const socket = connect({ host: '127.0.0.1', port });
  const presented: string[] = [];
  const transport = await connectTls(socket, {
    clock: systemClock,
    context: secureContext(cert !== undefined && key !== undefined ? { cert, key } : {}),
    handshakeTimeoutMs: 10_000,
    remote: { address: '127.0.0.1', port },
    host: '127.0.0.1',
    judge(peer) {
      let certificate = peer.getPeerCertificate(true);
      for (;;) {
        presented.push(String(certificate.subject.CN));
        if (certificate.issuerCertificate === undefined || certificate.issuerCertificate === certificate) break;
        certificate = certificate.issuerCertificate;
      }
    },
  });
  return { agent: new FakeAgent(transport), presented };
}

t.test('entry: --help names the usage and every setting, --version the version', async t => {
  const help = new MgmtProcess(t, testFolder(t), ['--help']);
  t.equal(await help.exit, 0);
  for (const word of ['dist/mgmt.js', 'conf/mgmt.properties', 'bind.address', 'db.url', 'ping.interval']) {
    t.match(help.stdout, word);
  }
  const version = new MgmtProcess(t, testFolder(t), ['--version']);
  t.equal(await version.exit, 0);
  t.match(version.stdout, /^muster \d+\.\d+\.\d+\n$/);
});

t.test('entry: a configuration error is one line on stderr, and exit code 66', async t => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['host=10.0.0.1,,10.0.0.2', /^host=10\.0\.0\.1,,10\.0\.0\.2: entry 2 of 3 is empty\n$/],
    ['host=a b', /^host=a b: entry 1, "a b", has a blank in it.*\n$/],
    ['port=x', /^port=x: a whole number from 0 to 65535 is allowed\n$/],
    ['prot=8250', /^prot=8250: "prot" is no setting; is port meant\?\n$/],
    ['ca.plugin.root.auth.strictness=perhaps', /^ca\.plugin\.root\.auth\.strictness=perhaps: .*true, false.*\n$/],
    ['tls.cert=nowhere.pem', /^tls\.key=: .*together.*\n$/],
    ['cluster.heartbeat.threshold=1000', /^cluster\.heartbeat\.threshold=1000: .*at least 3 times.*\n$/],
    ['--verbose', /^argument=--verbose: .*\n$/],
  ];
  const folder = testFolder(t);
  const run = async ([argument, says]: (typeof cases)[number]) => {
    const process = new MgmtProcess(t, folder, [argument]);
    t.equal(await process.exit, 66, argument);
    t.match(process.stderr, says, argument);
    t.equal(process.stderr.split('\n').length, 2, 'one line');
  };
  await Promise.all(cases.map(run));
});

t.test('regression: entry: a database that there is not is refused before anything is opened', async t => {
  for (const [argument, allowed] of [
    ['db.url=oracle://h/muster', /^db\.url=oracle:…: allowed is sqlite: .*, or mysql:\/\/.*\n$/],
    ['db.url=mysql://h', /^db\.url=mysql:…: allowed is mysql:\/\/.*\n$/],
    ['db.url=sqlite:', /^db\.url=sqlite:: allowed is sqlite: .*\n$/],
  ] as const) {
    const process = new MgmtProcess(t, testFolder(t), [argument]);
    t.equal(await process.exit, 66, argument);
    t.match(process.stderr, allowed);
    t.equal(process.stdout, '');
  }
});

t.test('entry: a port in use, and an address that is not here, are said plainly, with exit code 67', async t => {
  const port = await takenPort(t);
  const busy = start(t, testFolder(t), `port=${port}`);
  t.equal(await busy.exit, 67);
  t.equal(busy.stderr, `cannot listen on 127.0.0.1:${port}: the port is in use by another process\n`);
  const elsewhere = start(t, testFolder(t), 'bind.address=203.0.113.1');
  t.equal(await elsewhere.exit, 67);
  t.equal(elsewhere.stderr, 'cannot listen on 203.0.113.1:0: this machine has no such address\n');
});

t.test('entry: /metrics of a process shows it and its server, to this machine without a key', async t => {
  const server = start(t, testFolder(t), 'api.port=0');
  await server.port();
  const [, port] = await server.says(/Listening for operators.*port=(\d+)/);
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  t.equal(answer.status, 200);
  t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  const shown = samplesIn(await answer.text());
  t.match(Object.fromEntries(shown), { muster_server_ready: 1, muster_agents_connected: 0, muster_store_away: 0 });
  t.ok(shown.has('muster_event_loop_lag_seconds{at="p99"}'));
  t.ok(Number(shown.get('muster_store_call_seconds_count{call="heartbeat"}')) > 0);
  t.ok(Number(shown.get('muster_certificate_expiry_timestamp_seconds{of="server"}')) > Date.now() / 1000);
  t.equal(await server.stop('SIGTERM'), 0);
});

t.test('regression: entry: a first start that fails on a port does not lose the key pair of the API', async t => {
  const folder = testFolder(t);
  const taken = start(t, folder, `api.port=${await takenPort(t)}`);
  t.equal(await taken.exit, 67);
  const next = start(t, folder, 'api.port=0');
  await next.port();
  const ini = await readFile(join(folder, 'data', 'cloudstack.ini'), 'utf8');
  t.match(ini, /^\[cloudstack\]\nendpoint = http:\/\/127\.0\.0\.1:\d+\/client\/api\nkey = .+\nsecret = .+\n$/);
  t.equal(await next.stop('SIGTERM'), 0);
});

t.test('entry: an agent becomes Ready over real TLS, sees leaf and root, and its ids survive a restart', async t => {
  const folder = testFolder(t);
  const first = start(t, folder, 'indirect.agent.lb.algorithm=roundrobin', 'api.port=0');
  const port = await first.port();
  const stranger = await dial(port);
  stranger.agent.startup();
  await t.rejects(stranger.agent.receive(), /the server closed the link/, 'without a certificate it may only enrol');
  const { guid, ...own } = await enrol(first, port, folder);
  const { agent, presented } = await dial(port, own);
  t.strictSame(presented.length, 2, 'leaf and root');
  const { startupAnswer, ready2 } = await agent.join({ guid });
  agent.ping();
  const pong = await agent.receive();
  t.match(pong, { flags: 0x22, via: 1n });
  t.match(ready2.messages[0]?.fields, { msHostList: ['127.0.0.1'], lbAlgorithm: 'roundrobin' });
  const [, msid] = await first.says(/msid=(\d+)/);
  t.equal(pong.mgmtId, BigInt(msid ?? 0));
  await first.says(/Agent is Ready.* hostId=1/);
  t.equal(await first.stop('SIGTERM'), 0);
  t.ok(agent.closed, 'by FIN');
  t.match(first.stdout, /Agent disconnected.*the server stops/);

  const modes = await Promise.all(
    ['', 'cluster.node.id', 'muster.db', 'muster.db.key'].map(async name => {
      return [name, ((await stat(join(folder, 'data', name))).mode & 0o777).toString(8)];
    }),
  );
  t.strictSame(Object.fromEntries(modes), {
    '': '700',
    'cluster.node.id': '600',
    'muster.db': '600',
    'muster.db.key': '600',
  });
  t.notOk((await readdir(join(folder, 'data'))).includes('lock'), 'the lock is gone');
  const store = await openStore(`sqlite:${join(folder, 'data', 'muster.db')}`, storeEnv);
  t.match(await wholeHosts(store), [
    { id: 1, status: 'Disconnected', msid: null, disconnectReason: 'the server stopped' },
  ]);
  await store.close();

  const second = start(t, folder);
  const again = await dial(await second.port(), own);
  const joined = await again.agent.join({ guid });
  const uuid = startupAnswer.messages[0]?.fields.hostUuid;
  t.match(joined.startupAnswer.messages[0]?.fields, { hostId: 1, hostUuid: uuid });
  t.match(second.stdout, new RegExp(`msid=${msid}\\b`));
  t.equal(joined.ready2.messages[0]?.fields.lbAlgorithm, 'roundrobin', 'the store keeps the configuration');
  // The link does not wait for the store.
  const shared = await openStore(`sqlite:${join(folder, 'data', 'muster.db')}`, storeEnv);
  await eventually(async () => (await shared.host(1))?.status === 'Up');
  await shared.close();
  second.child.kill('SIGKILL');
  t.equal(await second.exit, null);

  const third = start(t, folder);
  await third.port();
  t.match(third.stdout, /did not stop in good order the last time hosts=1/, 'and a stale lock is taken over');
  t.equal(await third.stop('SIGINT'), 0);
});

t.test('entry: an agent without a certificate says what it needs, and takes a token at SIGHUP', async t => {
  const folder = t.testdir({ agent: { 'agent.properties': '# mine\nguid=g\n' } });
  const server = start(t, folder, 'api.port=0');
  const overrides = { host: '127.0.0.1', port: String(await server.port()), 'backoff.seconds': '1' };
  const file = join(folder, 'agent', 'agent.properties');
  const log = new RecordingLog();
  const agent = await startAgent({ file, overrides, log });
  t.teardown(() => agent.stop());
  await eventually(async () => log.count('warn Cannot connect to host') > 0);
  t.match(log.fieldsOf('warn Cannot connect to host'), { reason: /createEnrollmentToken .*enrollment\.token.*SIGHUP/ });
  await writeFile(file, `# mine\nguid=g\nenrollment.token=${'x'.repeat(9)}\n`);
  agent.reload();
  await eventually(async () => log.count('error Cannot read enrollment.token anew') > 0);
  await writeFile(file, `# mine\nguid=g\nenrollment.token=${await server.enrolmentToken()}\n`);
  agent.reload();
  await eventually(async () => readyLink(agent.state) !== undefined);
  await eventually(async () => !/enrollment/.test(await readFile(file, 'utf8')));
  t.match(await readFile(file, 'utf8'), /^# mine\nguid=g\n/);
});

t.test('entry: a second server on the same data.dir exits with 66; one with its own shares the store', async t => {
  const folder = testFolder(t);
  const first = start(t, folder);
  await first.port();
  const rival = start(t, folder);
  t.equal(await rival.exit, 66);
  t.match(rival.stderr, new RegExp(`^data\\.dir=data: another server \\(process ${first.child.pid}\\)`));
  const other = start(t, folder, 'data.dir=other', 'host=10.9.9.9');
  await other.port();
  t.match(
    other.stdout,
    /WARN .*the store has another one, which stands.*name=host given=10\.9\.9\.9 stands=127\.0\.0\.1/,
  );
  t.not(/msid=(\d+)/.exec(other.stdout)?.[1], /msid=(\d+)/.exec(first.stdout)?.[1]);
  t.strictSame(await Promise.all([first.stop('SIGTERM'), other.stop('SIGTERM')]), [0, 0]);
});

t.test('entry: the file is read, warned about, and beaten by the command line', async t => {
  const folder = t.testdir({
    'my.properties':
      'host=ms1.example.org\\:,ms2\r\nport = 1\r\nhost = MS1.example.org , ms2\nwhat.is.this=1\nlog.format=json',
  });
  const process = new MgmtProcess(t, folder, ['my.properties', ...LOOPBACK, 'log.format=text']);
  await process.port();
  t.match(process.stdout, /WARN .*what\.is\.this.*is no setting.* file=my\.properties:4\n/);
  t.match(process.stdout, /WARN .*This server is not in host.*host=ms1\.example\.org,ms2/);
  t.equal(await process.stop('SIGTERM'), 0);
});

t.test('entry: the operator may bring certificates, which SIGHUP reads again', async t => {
  const [one, two] = [await plainCertificate('one'), await plainCertificate('two')];
  const folder = t.testdir({ 'cert.pem': one.cert, 'key.pem': one.key });
  const process = start(t, folder, 'tls.cert=cert.pem', 'tls.key=key.pem', 'tls.ca=cert.pem');
  const port = await process.port();
  t.strictSame((await dial(port)).presented, ['one']);
  await writeFile(join(folder, 'cert.pem'), two.cert);
  process.child.kill('SIGHUP');
  await process.says(/the former one stays/);
  t.strictSame((await dial(port)).presented, ['one'], 'a key that does not fit changes nothing');
  await writeFile(join(folder, 'key.pem'), two.key);
  process.child.kill('SIGHUP');
  await process.says(/Certificate in use from=tls\.cert/);
  t.strictSame((await dial(port)).presented, ['two']);
  t.equal(await process.stop('SIGTERM'), 0);
});

t.test('entry: SIGHUP starts the log file anew', async t => {
  const folder = testFolder(t);
  const process = start(t, folder, 'log.file=ms.log');
  const log = join(folder, 'ms.log');
  await eventually(async () => /Listening for agents/.test(await readFile(log, 'utf8').catch(() => '')));
  await rename(log, `${log}.1`);
  process.child.kill('SIGHUP');
  await eventually(async () => /Certificate in use/.test(await readFile(log, 'utf8').catch(() => '')));
  t.equal(await process.stop('SIGTERM'), 0);
  t.match(await readFile(log, 'utf8'), /Stopped/);
});
