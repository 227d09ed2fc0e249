import t from 'tap';
import { type ApiAnswer, ApiFailure, Unreachable } from '../../src/admin/client.js';
import { runAdmin } from '../../src/admin/main.js';
import { API } from '../../src/api/commands/index.js';
import { FakeClock, settle } from '../../src/testing/fake-clock.js';

const ENVIRONMENT = { CLOUDSTACK_ENDPOINT: 'http://h/client/api', CLOUDSTACK_KEY: 'k', CLOUDSTACK_SECRET: 's' };
type Answers = (command: string, params: Readonly<Record<string, string>>) => ApiAnswer | Error;

/** The command line with a server that says what the test says. */
function terminal(answers: Answers = () => ({}), width?: number) {
  const clock = new FakeClock();
  const state = {
    clock,
    out: '',
    err: '',
    calls: [] as string[],
    interrupt: undefined as { text: string; exitCode: number } | undefined,
  };
  const run = (...argv: string[]) =>
    runAdmin(argv, {
      program: 'node dist/admin.js',
      clock,
      environment: ENVIRONMENT,
      home: '/nowhere',
      width: () => width,
      out: text => {
        state.out += text;
      },
      err: text => {
        state.err += text;
      },
      async call(_keyPair, command, params) {
        const given = Object.fromEntries(params);
        state.calls.push([command, ...[...params].map(([name, value]) => `${name}=${value}`)].join(' '));
        const answer = answers(command, given);
        if (answer instanceof Error) throw answer;
        return answer;
      },
      backup(folder, file) {
        state.calls.push(`backup ${folder} ${file}`);
        return file === 'none' ? undefined : 0;
      },
      onInterrupt: (text, exitCode) => {
        state.interrupt = { text, exitCode };
      },
    });
  return Object.assign(state, { run });
}

const HOSTS = { count: 3, host: [{ name: 'kvm-1', state: 'Up', id: 'u-1' }] };

t.test('admin: a list is a table, and says when there is more', async t => {
  const terminal1 = terminal(() => HOSTS);
  t.equal(await terminal1.run('listHosts', 'State=Up', 'page=2'), 0);
  t.same(terminal1.calls, ['listHosts state=Up page=2']);
  t.match(terminal1.out, /^NAME +STATE .*\nkvm-1 +Up\n1 of 3; page=3 has the next ones, pagesize=-1 all\n$/);
  t.equal(terminal1.err, '');
});

t.test('admin: -o json is the answer, as it is', async t => {
  const one = terminal(() => HOSTS);
  t.equal(await one.run('listHosts', '-o', 'json'), 0);
  t.same(JSON.parse(one.out), HOSTS);
});

t.test('regression: admin: in a narrow terminal lists are cut, and a secret that is shown once is not', async t => {
  const token = 'x'.repeat(87);
  const made = terminal(() => ({ enrollmenttoken: { token, zone: 'default', uses: 1, id: 'u-1' } }), 80);
  t.equal(await made.run('createEnrollmentToken'), 0);
  t.match(made.out, token);
  const name = 'n'.repeat(200);
  const listed = terminal(() => ({ count: 1, host: [{ name, state: 'Up', id: 'u-1' }] }), 80);
  await listed.run('listHosts');
  t.ok(listed.out.split('\n').every(line => line.length <= 80));
});

t.test('admin: nothing found is said, and so is a page behind the last one', async t => {
  const nothing = terminal();
  t.equal(await nothing.run('listHosts'), 0);
  t.equal(nothing.out, 'nothing found\n');
  const behind = terminal(() => ({ count: 3 }));
  await behind.run('listHosts', 'page=9');
  t.equal(behind.out, 'nothing on this page; there are 3\n');
});

t.test('regression: admin: a warning of the server is on stderr, in a list and in an object', async t => {
  const list = terminal(() => ({ count: 0, warning: 'the store is away' }));
  t.equal(await list.run('listHosts'), 0);
  t.equal(list.err, 'warning: the store is away\n');
  const object = terminal(() => ({ configuration: { name: 'host', value: 'a', warning: 'no server has a' } }));
  t.equal(await object.run('updateConfiguration', 'name=host', 'value=a'), 0);
  t.equal(object.err, 'warning: no server has a\n');
  const json = terminal(() => ({ warning: 'the store is away' }));
  await json.run('listHosts', '-o', 'json');
  t.equal(json.err, '', 'it is in the answer');
});

t.test('admin: what is wrong with the arguments is said before anything is sent, with exit code 66', async t => {
  const cases: [string[], string][] = [
    [['listHost'], 'listHost is no command: did you mean listHosts?\n'],
    [['statsu'], 'statsu is no command: did you mean status?\n'],
    [['help', 'docter'], 'docter is no command: did you mean doctor?\n'],
    [['listHosts', 'nmae=x'], 'listHosts: nmae is no parameter: did you mean name?\n'],
    [['reconnectHost'], 'reconnectHost: id= is required: the host\n'],
    [['reconnectHost', 'u-1'], 'reconnectHost: u-1 is no parameter; parameters are given as key=value: id\n'],
    [['listHosts', '--asynk'], '--asynk is no option: did you mean --async?\n'],
    [['status', 'now'], 'status: now is no parameter; --watch is all that it takes\n'],
    [['status', 'a=b'], 'status: a is no parameter; --watch is all that it takes\n'],
    [
      ['doctor', 'a', 'b'],
      'doctor: b is too much: one folder is needed, that of agent.properties, and port=N at most\n',
    ],
    [
      ['doctor', 'a', 'prot=1'],
      'doctor: prot is too much: one folder is needed, that of agent.properties, and port=N at most\n',
    ],
    [['doctor', 'a', 'port=0'], 'doctor: port=0: a number from 1 to 65535 is needed\n'],
    [['toString'], 'toString is no command: --help has those that are known\n'],
    [
      ['removeHost'],
      'removeHost is no command: those with Host are updateHost, reconnectHost, migrateHost, diagnoseHost, deleteHost\n',
    ],
  ];
  for (const [argv, text] of cases) {
    const one = terminal();
    t.equal(await one.run(...argv), 66, argv.join(' '));
    t.equal(one.err, text);
    t.same([one.out, one.calls], ['', []]);
  }
});

t.test('admin: names of parameters in any case', async t => {
  const one = terminal(() => ({ success: true }));
  t.equal(await one.run('deleteHost', 'ID=00000000-0000-4000-8000-000000000001', 'Forced=true'), 0);
  t.same(one.calls, ['deleteHost id=00000000-0000-4000-8000-000000000001 forced=true']);
});

t.test('admin: help for all, for one, for what is not of the API; the version', async t => {
  const all = terminal();
  t.equal(await all.run('--help'), 0);
  for (const name of [...Object.keys(API), 'status', 'doctor', '--config', '--endpoint']) t.match(all.out, name);
  const bare = terminal();
  t.equal(await bare.run(), 66, 'nothing asked for is no success');
  t.equal(bare.out, all.out);
  const one = terminal();
  t.equal(await one.run('listHosts', '--help'), 0);
  t.match(one.out, /^listHosts: Lists hosts.*\n\n {2}id= +uuid +only this host\n/);
  t.match(one.out, /pagesize= +integer/);
  const same = terminal();
  await same.run('help', 'listHosts');
  t.equal(same.out, one.out);
  const job = terminal();
  await job.run('help', 'reconnectHost');
  t.match(job.out, /id= +uuid, required +the host/);
  t.match(job.out, /It is a job: the command waits for its end, unless --async/);
  const local = terminal();
  t.equal(await local.run('doctor', '--help'), 0);
  t.match(local.out, /Exit codes: 0 all is well, 1 a warning, 2 an error/);
  const version = terminal();
  t.equal(await version.run('--version'), 0);
  t.match(version.out, /^muster \d+\.\d+\.\d+\n$/);
});

t.test('admin: a refusal is 1 with the server’s words and code, no answer 67', async t => {
  const refusal = terminal(() => new ApiFailure(431, 'page=0: pages are counted from 1'));
  t.equal(await refusal.run('listHosts', 'page=0'), 1);
  t.equal(refusal.err, 'page=0: pages are counted from 1 (431)\n');
  const away = terminal(() => new Unreachable('no answer from http://h: refused'));
  t.equal(await away.run('listHosts'), 67);
  t.equal(away.err, 'no answer from http://h: refused\n');
});

/** A job that goes through these states, one each time it is asked for. */
function job(states: ApiAnswer[]): Answers {
  let asked = 0;
  return command => {
    if (command === 'reconnectHost') return { jobid: 'j-1', id: 'u-1' };
    return states[Math.min(asked++, states.length - 1)] ?? {};
  };
}

t.test('admin: a job is waited for, its progress said once each, and the outcome shown', async t => {
  const host = { name: 'kvm-1', state: 'Up', managementservername: 'ms2' };
  const waiting = { jobstatus: 0, progress: 'waiting for the agent' };
  const done = { jobstatus: 1, jobresult: { host } };
  const one = terminal(job([{ jobstatus: 0 }, waiting, waiting, done]));
  const running = one.run('reconnectHost', 'id=00000000-0000-4000-8000-000000000001');
  for (let i = 0; i < 3; i++) await one.clock.advance(500);
  t.equal(await running, 0);
  t.equal(one.err, 'under way …\nwaiting for the agent …\n');
  t.match(one.out, /kvm-1 +Up +ms2/);
  t.equal(one.calls.at(-1), 'queryAsyncJobResult jobid=j-1');
  t.same(one.interrupt, {
    text: '\nthe job goes on; node dist/admin.js queryAsyncJobResult jobid=j-1 tells what came of it\n',
    exitCode: 130,
  });
});

t.test('admin: a job that fails is 1 with its reason; one whose server goes away can be asked for later', async t => {
  const failed = terminal(job([{ jobstatus: 2, jobresult: { errorcode: 530, errortext: 'it did not come back' } }]));
  t.equal(await failed.run('reconnectHost', 'id=00000000-0000-4000-8000-000000000001'), 1);
  t.equal(failed.err, 'reconnectHost failed: it did not come back\n');
  const start = job([]);
  const away = terminal((command, params) =>
    command === 'queryAsyncJobResult' ? new Unreachable('no answer') : start(command, params),
  );
  const waiting = away.run('reconnectHost', 'id=00000000-0000-4000-8000-000000000001');
  for (let i = 0; i < 60; i++) await away.clock.advance(1_000);
  t.equal(await waiting, 67);
  t.equal(
    away.err,
    'no answer\ntrying again for 60 s …\nno answer\nthe job goes on; node dist/admin.js queryAsyncJobResult jobid=j-1 tells what came of it\n',
  );
});

t.test('admin: what an agent has found is shown as doctor shows it, and an error is exit code 1', async t => {
  const findings = [
    { level: 'ok', what: '/etc/a', found: 'readable and writable' },
    { level: 'error', what: '10.0.0.4 port 8250', found: 'no connection', remedy: 'is the server up?' },
  ];
  const answers = (result: boolean): Answers => {
    const diagnosis = { hostid: 'h', hostname: 'kvm-1', result, details: 'x', findings };
    return command => (command === 'diagnoseHost' ? { jobid: 'j-1' } : { jobstatus: 1, jobresult: { diagnosis } });
  };
  const id = 'id=00000000-0000-4000-8000-000000000001';
  const bad = terminal(answers(false));
  t.equal(await bad.run('diagnoseHost', id), 1);
  t.equal(
    bad.out,
    'OK    /etc/a: readable and writable\nERROR 10.0.0.4 port 8250: no connection\n      → is the server up?\n',
  );
  const good = terminal(answers(true));
  t.equal(await good.run('diagnoseHost', id, '-o', 'json'), 0);
  t.match(JSON.parse(good.out), { diagnosis: { hostname: 'kvm-1', findings } });
});

t.test('regression: after the wait for a drain, the state is shown as it is then', async t => {
  const managementserverid = '00000000-0000-4000-8000-000000000001';
  const before = { managementserverid, state: 'PreparingForMaintenance', agentscount: 3, pendingjobscount: 1 };
  const after = { managementserverid, state: 'Maintenance', agentscount: 0, pendingjobscount: 0 };
  const one = terminal(command => {
    if (command === 'prepareForMaintenance') return { prepareformaintenance: { ...before, jobid: 'j-1' } };
    if (command === 'readyForShutdown') return { readyforshutdown: after };
    return { jobstatus: 1, jobresult: { moved: 3, leftcount: 0, left: [] } };
  });
  t.equal(await one.run('prepareForMaintenance', `managementserverid=${managementserverid}`, '-o', 'json'), 0);
  t.same(JSON.parse(one.out), { prepareformaintenance: { ...after, jobid: 'j-1' } });
  t.equal(one.calls.at(-1), `readyForShutdown managementserverid=${managementserverid}`);
});

t.test('admin: --async does not wait, and prints what to ask for', async t => {
  const one = terminal(job([]));
  t.equal(await one.run('reconnectHost', 'id=00000000-0000-4000-8000-000000000001', '--async'), 0);
  t.same([one.out, one.calls], ['j-1\n', ['reconnectHost id=00000000-0000-4000-8000-000000000001']]);
  const json = terminal(job([]));
  await json.run('reconnectHost', 'id=00000000-0000-4000-8000-000000000001', '--async', '-o', 'json');
  t.same(JSON.parse(json.out), { jobid: 'j-1', id: 'u-1' });
});

const statusOf =
  (astray: number): Answers =>
  (command, params) => {
    if (command === 'listManagementServers') return { count: 1, managementserver: [{ name: 'ms1', state: 'Up' }] };
    if (params.expiring) return {};
    if (params.astray) return astray === 0 ? {} : { count: astray, agentlink: [{ hostname: 'kvm-1', state: 'Up' }] };
    return { count: 5 };
  };

t.test('admin: status is 0 when everybody is where it should be, 1 when somebody is not', async t => {
  const well = terminal(statusOf(0));
  t.equal(await well.run('status'), 0);
  t.match(well.out, /Agents: 5 in all, 5 up, 0 not, 0 not where they should be/);
  const astray = terminal(statusOf(2));
  t.equal(await astray.run('status'), 1);
  t.match(astray.out, /kvm-1/);
  const json = terminal(statusOf(2));
  t.equal(await json.run('status', '-o', 'json'), 1);
  t.match(JSON.parse(json.out), { agents: 5, up: 5, astrayCount: 2, astray: [{ hostname: 'kvm-1' }] });
});

t.test('admin: backup is what the program of the server makes, where there is one', async t => {
  const one = terminal();
  t.equal(await one.run('backup', 'saved', 'mgmt.properties'), 0);
  t.equal(await one.run('backup', 'saved'), 0);
  t.same(one.calls, ['backup saved mgmt.properties', 'backup saved undefined']);
  t.equal(await one.run('backup'), 66);
  t.equal(await one.run('backup', 'a', 'b', 'c'), 66);
  t.equal(await one.run('backup', 'saved', 'none'), 66);
  t.match(one.err, /DIR that is to be made is needed\n.*c is too much.*\n.*no management server installed here\n$/);
});

t.test('admin: status --watch redraws, outlives a server that is away, and ends with Ctrl-C as it should', async t => {
  const state = { away: false };
  const one = terminal(
    (command, params) => (state.away ? new Unreachable('no answer') : statusOf(0)(command, params)),
    80,
  );
  let ended = false;
  void one.run('status', '--watch').then(() => {
    ended = true;
  });
  await settle();
  t.ok(one.out.startsWith('\x1b[H\x1b[2JManagement servers'), 'a terminal is cleared');
  state.away = true;
  await one.clock.advance(2_000);
  t.ok(one.out.endsWith('\x1b[H\x1b[2Jno answer\n'));
  state.away = false;
  await one.clock.advance(2_000);
  t.match(one.out, /not where they should be\n$/);
  t.notOk(ended);
  t.same(one.interrupt, { text: '\n', exitCode: 0 });
  const piped = terminal(statusOf(0));
  void piped.run('status', '--watch');
  await piped.clock.advance(2_000);
  t.notMatch(piped.out, '\x1b', 'a file is not');
  const wrong = terminal(() => new ApiFailure(401, 'unable to verify'));
  t.equal(await wrong.run('status', '--watch'), 1, 'a wrong key does not get better');
});

t.test(
  'regression: sendCommand: a refusal is 66, so that 1 says that hosts have failed; who cannot say is 67',
  async t => {
    const refused = terminal(() => new ApiFailure(530, 'the key k was used for another job'));
    t.equal(await refused.run('sendCommand', 'all=true', 'class=X'), 66);
    t.equal(refused.err, 'the key k was used for another job (530)\n');
    const internal = terminal(() => new ApiFailure(530, 'the store is away', true));
    t.equal(await internal.run('sendCommand', 'all=true', 'class=X'), 67);
  },
);

t.test(
  'regression: sendCommand: a server that comes back within a minute is waited for; cut answers are counted',
  async t => {
    let asked = 0;
    const one = terminal(command => {
      if (command === 'sendCommand') return { jobid: 'j-1' };
      if (command === 'listCommandResults') {
        return { count: 1, commandresult: [{ hostname: 'kvm-1', outcome: 'answered', result: true, truncated: true }] };
      }
      if (asked++ < 5) return new Unreachable('no answer');
      return { jobstatus: 1, jobresult: { commandsummary: { total: 1, answered: 1, failed: 0, unknown: 0 } } };
    });
    const running = one.run('--endpoint', 'http://a/client/api', 'sendCommand', 'all=true', 'class=X');
    for (let i = 0; i < 6; i++) await one.clock.advance(1_000);
    t.equal(await running, 0);
    t.equal(one.err, 'no answer\ntrying again for 60 s …\n');
    t.match(one.out, /the answers of 1 host are truncated/);
    t.match(one.out, / --endpoint http:\/\/a\/client\/api -o json listCommandResults jobid=j-1 has the answers$/m);
  },
);
