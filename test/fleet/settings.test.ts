import t from 'tap';
import { FLEET_KEYS, readSettings } from '../../src/fleet/settings.js';

const read = (values: Record<string, string> = {}, isLinux = true) =>
  readSettings(new Map(Object.entries(values)), isLinux);

t.test('fleet settings: defaults', async t => {
  const { agentDefaults, ...settings } = read();
  t.strictSame(settings, {
    agentCount: 100,
    guidPrefix: 'fleet',
    dataDir: undefined,
    rampPerSecond: undefined,
    pingIntervalMs: undefined,
    churnPerSecond: undefined,
    churnAwayMs: 5_000,
    addresses: { network: 0x7f010000, prefix: 16 },
    reportIntervalMs: 1_000,
    reportsLinks: false,
    durationMs: undefined,
    resource: undefined,
    kvm: undefined,
    hasProxies: false,
    faultsFile: undefined,
    expectations: [],
    files: { summary: undefined, junit: undefined, plot: undefined },
    log: { level: 'info', format: 'text', file: 'stdout' },
  });
  t.equal(agentDefaults.size, 0);
  t.equal(read({}, false).addresses, undefined, 'other systems have one address of loopback');
});

t.test('fleet settings: keys of an agent are for all agents, but for those that each has for itself', async t => {
  const { agentDefaults, agentCount, durationMs, log } = read({
    agents: '3',
    duration: '60',
    host: 'a,b@shuffle',
    'backoff.seconds': '1',
    'log.level': 'debug',
    'host.tags': 'rack-{n/40}',
  });
  t.strictSame([agentCount, durationMs, log.level], [3, 60_000, 'debug']);
  t.match(Object.fromEntries(agentDefaults), { host: 'a,b@shuffle', 'backoff.seconds': '1' });
  t.notOk(agentDefaults.has('agents'));
  t.strictSame(
    ['guid', 'last.setup.completed.host', 'metrics.port', 'metrics.address'].filter(key => key in FLEET_KEYS),
    [],
  );
});

t.test('fleet settings: load, addresses, KVM hosts, faults and expectations', async t => {
  const settings = read({
    agents: '1000',
    ramp: '500/s',
    churn: '30/m',
    'churn.away': '1s',
    'ping.interval': '10',
    addresses: 'none',
    resource: 'kvm',
    'kvm.network': '10.1.0.0/16',
    'kvm.vms': '3',
    proxy: 'true',
    faults: 'faults.txt',
    summary: 'summary.json',
    'expect.gap.max': '1s',
    'expect.ready': '100%',
  });
  t.match(settings, {
    ...{ rampPerSecond: 500, churnPerSecond: 0.5, churnAwayMs: 1_000, pingIntervalMs: 10_000 },
    ...{ addresses: undefined, resource: undefined, kvm: { network: { prefix: 16 }, vms: 3 } },
    ...{ hasProxies: true, faultsFile: 'faults.txt', files: { summary: 'summary.json' } },
  });
  t.strictSame(settings.expectations, [
    { key: 'expect.ready', text: '100%' },
    { key: 'expect.gap.max', text: '1s' },
  ]);
});

t.test('fleet settings: a wrong value is refused, with what is allowed', async t => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['agents', '0', /^agents=0: a whole number from 1 to 50000 is allowed$/],
    ['agents', 'many', /^agents=many: a whole number/],
    ['guid.prefix', '../x', /^guid\.prefix=\.\.\/x: letters, digits/],
    ['guid.prefix', 'a b', /^guid\.prefix=a b: letters, digits/],
    ['report.interval', '0', /^report\.interval=0: a whole number from 1/],
    ['report.links', 'yes', /^report\.links=yes: true or false/],
    ['host', ',', /^host=,: /],
    ['port', '70000', /^port=70000: a whole number from 1 to 65535/],
    ['ramp', '500', /^ramp=500: a rate such as 500\/s/],
    ['ramp', '0/s', /^ramp=0\/s: a rate/],
    ['churn', 'fast', /^churn=fast: a rate/],
    ['churn.away', '2d', /^churn\.away=2d: a time such as/],
    ['ping.interval', '0', /^ping\.interval=0: a whole number from 1/],
    ['addresses', '127.0.0.1', /^addresses=127\.0\.0\.1: a network such as/],
    ['addresses', '10.0.0.0/8', /^addresses=10\.0\.0\.0\/8: a network in 127\.0\.0\.0\/8/],
    ['addresses', '127.1.0.0/26', /^addresses=127\.1\.0\.0\/26: it has 62 addresses, and there are 100 agents$/],
    ['host.tags', 'a b', /^host\.tags=a b: /],
    ['proxy', '1', /^proxy=1: true or false/],
    ['expect.ready', '101%', /^expect\.ready=101%: a number such as 5/],
    ['expect.ready.p99', '60', /^expect\.ready\.p99=60: a time such as/],
    ['expect.rate', '60', /^expect\.rate=60: a rate such as/],
    ['expect.ready', '200', /^expect\.ready=200: there are 100 agents$/],
    ['kvm.vms', '3', /^kvm\.vms=3: it is for simulated KVM hosts alone: resource=kvm is needed$/],
    ['kvm.network', 'x', /^kvm\.network=x: it is for simulated KVM hosts alone/],
    ['expect.lost', 'none', /^expect\.lost=none: a whole number/],
  ];
  for (const [key, value, message] of cases)
    t.throws(() => read({ [key]: value }), { code: 'CONFIG_INVALID', message });
});
