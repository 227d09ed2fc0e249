import t from 'tap';
import { readStatus, statusScreen } from '../../src/admin/status.js';

const NOW = Date.UTC(2026, 0, 10, 12);
const ago = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString().slice(0, 19).concat('+0000');
const UP = { name: 'ms1', state: 'Up', ipaddress: '10.0.0.1', agentscount: 2, pendingjobscount: 0, version: '0.1.0' };
const SERVERS = [
  { ...UP, lastserverstart: ago(3_600), heartbeatage: 1, processstate: 'Running' },
  { ...UP, name: 'ms2', state: 'Down', ipaddress: '10.0.0.2', agentscount: 0, lastserverstart: ago(7_200) },
];
const LINK = { hostname: 'kvm-1', state: 'Up', connectedhost: '10.0.0.1', preferredhost: '10.0.0.2', since: ago(90) };

t.test('status: all is well on one screen', async t => {
  const status = {
    servers: SERVERS.slice(0, 1),
    agents: 2,
    up: 2,
    astray: [],
    astrayCount: 0,
    expiringCount: 0,
    authorities: [],
  };
  t.equal(
    statusScreen(status, NOW),
    [
      'Management servers',
      '  NAME  STATE  ADDRESS   AGENTS  JOBS  VERSION  UP FOR',
      '  ms1   Up     10.0.0.1       2     0  0.1.0    1 h',
      '',
      'Agents: 2 in all, 2 up, 0 not, 0 not where they should be',
      '',
    ].join('\n'),
  );
});

t.test('status: who is not where it should be, since when, and why', async t => {
  const lost = { hostname: 'kvm-2', state: 'Disconnected', preferredhost: '10.0.0.1', disconnected: ago(30) };
  const astray = [
    { ...LINK, lastloss: '10.0.0.2: closed by the peer' },
    { ...lost, lastloss: 'ping timeout: no answer' },
    { ...LINK, hostname: 'kvm-3', preferredhost: '10.0.0.9' },
    { ...LINK, hostname: 'kvm-4', preferredhost: undefined },
  ];
  const screen = statusScreen(
    { servers: SERVERS, agents: 9, up: 8, astray, astrayCount: 25, expiringCount: 0, authorities: [] },
    NOW,
  );
  const lines = screen.split('\n');
  t.match(lines, [
    'Management servers',
    /NAME/,
    /ms1 {3}Up/,
    /ms2 {3}Down .* {4}0 {5}0 {2}0\.1\.0$/,
    '',
    'Agents: 9 in all, 8 up, 1 not, 25 not where they should be',
    /HOST +STATE +IS ON +PREFERS +FOR +WHY/,
    /kvm-1 +Up +10\.0\.0\.1 +10\.0\.0\.2 +1 min 30 s +10\.0\.0\.2 is Down; 10\.0\.0\.2: closed by the peer$/,
    /kvm-2 +Disconnected +- +10\.0\.0\.1 +30 s +ping timeout: no answer$/,
    /kvm-3 .* no server has the address 10\.0\.0\.9$/,
    /kvm-4 +Up +10\.0\.0\.1 +- .* no list yet$/,
    '  … and 21 more: listAgentLinks astray=true',
    '',
  ]);
});

t.test('status: a server that is silent says so before it is taken down', async t => {
  const servers = [{ ...UP, heartbeatage: 40, processstate: 'Silent' }];
  const astray = [{ ...LINK, preferredhost: '10.0.0.1', connectedhost: '10.0.0.3' }];
  const screen = statusScreen(
    { servers, agents: 1, up: 1, astray, astrayCount: 1, expiringCount: 0, authorities: [] },
    NOW,
  );
  t.match(screen, /ms1 +Up, silent 40 s/);
  t.match(screen, /10\.0\.0\.1 is silent\n/);
});

t.test('status: an address that a server had before counts by its last one', async t => {
  const servers = [{ ...UP, state: 'Down' }, UP];
  const astray = [{ ...LINK, preferredhost: '10.0.0.1' }];
  t.match(
    statusScreen({ servers, agents: 1, up: 1, astray, astrayCount: 1, expiringCount: 0, authorities: [] }, NOW),
    /not moved yet\n/,
  );
  const ending = statusScreen(
    { servers, agents: 1, up: 1, astray, astrayCount: 1, expiringCount: 3, authorities: [] },
    NOW,
  );
  t.match(ending, /\nCertificates: 3 due, expired or revoked: listAgentLinks expiring=true\n/);
  const authorities = [
    { name: 'CN=Muster CA', state: 'trusted' },
    { name: 'CN=Muster CA 2', state: 'issuing', hostsbehind: 3, hostsbehindup: 1 },
  ];
  const changing = { servers, agents: 1, up: 1, astray, astrayCount: 1, expiringCount: 0, authorities };
  t.match(statusScreen(changing, NOW), /\nCA CN=Muster CA 2: issues; 3 hosts \(1 Up\) have no certificate of it yet\n/);
});

t.test('status: no line is longer than the terminal', async t => {
  const astray = [{ ...LINK, lastloss: 'a reason that is told at great length, as reasons are '.repeat(3) }];
  const screen = statusScreen(
    { servers: SERVERS, agents: 1, up: 1, astray, astrayCount: 1, expiringCount: 0, authorities: [] },
    NOW,
    70,
  );
  t.same(
    screen.split('\n').filter(line => line.length > 70),
    [],
  );
});

t.test('status: it is read by six calls, whatever the number of agents, and an empty cluster is no error', async t => {
  const calls: string[] = [];
  const status = await readStatus(async (command, params = {}) => {
    calls.push([command, ...Object.entries(params).map(([name, value]) => `${name}=${value}`)].join(' '));
    return command === 'listManagementServers' ? { count: 1, managementserver: [UP] } : {};
  });
  t.same(calls, [
    'listManagementServers',
    'listAgentLinks pagesize=1',
    'listAgentLinks pagesize=1 state=Up',
    'listAgentLinks pagesize=20 astray=true',
    'listAgentLinks pagesize=1 expiring=true',
    'listCertificateAuthorities',
  ]);
  t.same(status, { servers: [UP], agents: 0, up: 0, astray: [], astrayCount: 0, expiringCount: 0, authorities: [] });
});

t.test('regression: status: a server that was stopped in Maintenance is shown as stopped', async t => {
  const stopped = { ...UP, state: 'Maintenance', processstate: 'Stopped', lastserverstart: ago(60) };
  const astray = [{ ...LINK, preferredhost: '10.0.0.1', connectedhost: '10.0.0.3' }];
  const screen = statusScreen(
    { servers: [stopped], agents: 1, up: 1, astray, astrayCount: 1, expiringCount: 0, authorities: [] },
    NOW,
  );
  t.match(screen, /ms1 +Maintenance, stopped +10\.0\.0\.1 +2 +0 +0\.1\.0 *\n/);
  t.match(screen, /10\.0\.0\.1 is Maintenance, stopped\n/);
});

t.test('regression: status: a loss of the host that the agent is on again is over', async t => {
  const astray = [{ ...LINK, connectedhost: '10.0.0.3', preferredhost: '10.0.0.1', lastloss: '10.0.0.3: reset' }];
  const screen = statusScreen(
    { servers: [UP], agents: 1, up: 1, astray, astrayCount: 1, expiringCount: 0, authorities: [] },
    NOW,
  );
  t.match(screen, /not moved yet\n/);
  t.notMatch(screen, /reset/);
});

t.test('regression: status: with the store away it says above all that this is not all', async t => {
  const warning = 'the store is away: this is what this management server knows itself';
  const status = await readStatus(async command =>
    command === 'listManagementServers' ? { count: 1, warning, managementserver: [UP] } : {},
  );
  t.equal(status.warning, warning);
  t.match(statusScreen(status, NOW, 40), /^Warning: the store is away: this is what\n.*\n/);
});
