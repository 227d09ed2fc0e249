import t from 'tap';
import { AGENT_KEYS, isAgentKey, readSettings } from '../../src/agent/settings.js';
import { ConfigError } from '../../src/lib/errors.js';

const read = (values: Record<string, string>) => readSettings(key => values[key]);

t.test('settings: the defaults', async t => {
  t.strictSame(read({}), {
    guid: undefined,
    enrolmentToken: undefined,
    list: { hosts: ['localhost'], algorithm: undefined },
    lastCompleted: undefined,
    port: 8250,
    zone: 'default',
    pod: 'default',
    cluster: 'default',
    hostTags: [],
    resource: undefined,
    pingAnswerTimeoutMs: 15_000,
    pingRetries: 5,
    handshakeTimeoutMs: 30_000,
    commandTimeoutMs: 300_000,
    rules: { failoverSpreadMs: 500, backoff: { baseMs: 5_000, maxMs: 60_000 }, checkIntervalMs: undefined },
    metrics: undefined,
    log: { level: 'info', format: 'text', file: 'stdout' },
  });
});

t.test('settings: every key is read', async t => {
  t.strictSame(
    read({
      guid: '32984f22-9c83-4ad8-a8c1-e74e77117251',
      'enrollment.token': `${'A'.repeat(43)}.${'B'.repeat(43)}`,
      host: ' MS1.example.org , 10.0.0.2,[2001:DB8::1]@roundrobin',
      port: '8251',
      zone: 'z',
      pod: 'p',
      cluster: 'c',
      'host.lb.check.interval': '10',
      'ping.answer.timeout': '1',
      'ping.retries': '1000',
      'backoff.seconds': '1',
      'failover.spread.ms': '0',
      'ssl.handshake.timeout': '86400',
      'command.timeout': '1',
      'host.tags': 'ssd, rack:7',
      resource: './resource.mjs',
      'last.setup.completed.host': 'A,B',
      'metrics.port': '9100',
      'metrics.address': '0.0.0.0',
      'log.level': 'debug',
      'log.format': 'json',
      'log.file': 'agent.log',
    }),
    {
      guid: '32984f22-9c83-4ad8-a8c1-e74e77117251',
      enrolmentToken: `${'A'.repeat(43)}.${'B'.repeat(43)}`,
      list: { hosts: ['ms1.example.org', '10.0.0.2', '2001:db8::1'], algorithm: 'roundrobin' },
      lastCompleted: { hosts: ['a', 'b'], algorithm: undefined },
      port: 8251,
      zone: 'z',
      pod: 'p',
      cluster: 'c',
      hostTags: ['ssd', 'rack:7'],
      resource: './resource.mjs',
      pingAnswerTimeoutMs: 1_000,
      pingRetries: 1_000,
      handshakeTimeoutMs: 86_400_000,
      commandTimeoutMs: 1_000,
      rules: { failoverSpreadMs: 0, backoff: { baseMs: 1_000, maxMs: 60_000 }, checkIntervalMs: 10_000 },
      metrics: { address: '0.0.0.0', port: 9100 },
      log: { level: 'debug', format: 'json', file: 'agent.log' },
    },
  );
});

t.test('settings: an empty value is as none, but for zone, pod and cluster', async t => {
  const { guid, lastCompleted, port, zone, pod, cluster, rules, log } = read(
    Object.fromEntries(Object.keys(AGENT_KEYS).map(key => [key, key === 'host' ? 'a' : ''])),
  );
  t.same([guid, lastCompleted, port, rules.checkIntervalMs], [undefined, undefined, 8250, undefined]);
  t.same([zone, pod, cluster], ['', '', '']);
  t.same(log, { level: 'info', format: 'text', file: 'stdout' });
});

t.test('settings: a check interval of 0 is off, and not as none', async t => {
  t.equal(read({ 'host.lb.check.interval': '0' }).rules.checkIntervalMs, 0);
});

const BAD: readonly [key: keyof typeof AGENT_KEYS, value: string, allowed: RegExp][] = [
  ['guid', 'a b', /without blanks/],
  ['guid', 'é', /without blanks/],
  ['host', '', /empty/],
  ['host', '@static', /empty/],
  ['host', ',', /entry 1 of 2 is empty/],
  ['host', 'a:8250', /port/],
  ['host', 'a b', /blank/],
  ['host', '10.0.0.256', /IPv4/],
  ['port', '0', /from 1 to 65535/],
  ['port', '65536', /from 1 to 65535/],
  ['port', '82.5', /whole number/],
  ['port', '0x10', /whole number/],
  ['port', '-1', /whole number/],
  ['host.lb.check.interval', '-1', /from 0 to 86400/],
  ['host.lb.check.interval', '10s', /from 0 to 86400/],
  ['ping.answer.timeout', '0', /from 1 to 86400/],
  ['ping.retries', '0', /from 1 to 1000/],
  ['ping.retries', 'many', /from 1 to 1000/],
  ['backoff.seconds', '3601', /from 1 to 3600/],
  ['backoff.seconds', '0', /from 1 to 3600/],
  ['failover.spread.ms', '600001', /from 0 to 600000/],
  ['ssl.handshake.timeout', '0', /from 1 to 86400/],
  ['ssl.handshake.timeout', '99999999999999999999', /from 1 to 86400/],
  ['metrics.port', '0', /from 1 to 65535/],
  ['metrics.port', '9100x', /from 1 to 65535/],
  ['metrics.address', '10.0.0.256', /IPv4/],
  ['metrics.address', 'a b', /blank/],
  ['log.level', 'trace', /error, warn, info, debug/],
  ['log.format', 'xml', /text, json/],
];

t.test('settings: a bad value is named with its key and what is allowed', async t => {
  const wrong: string[] = [];
  for (const [key, value, allowed] of BAD) {
    try {
      read({ [key]: value });
      wrong.push(`${key}=${value} is taken`);
    } catch (error) {
      const isRight =
        error instanceof ConfigError && error.key === key && error.value === value && allowed.test(error.allowed);
      if (!isRight) wrong.push(`${key}=${value}: ${error}`);
    }
  }
  t.same(wrong, []);
});

t.test('regression: settings: what is wrong in a list is left out and said, and the rest is used', async t => {
  const cases: [values: Record<string, string>, hosts: string[], warning: RegExp][] = [
    [{ host: 'a,b,' }, ['a', 'b'], /^host=a,b,: .*entry 3 of 3 is empty/],
    [{ host: 'a,,b' }, ['a', 'b'], /entry 2 of 3 is empty/],
    [{ host: 'a,A@static' }, ['a'], /entries 1 and 2 are the same: a/],
    [{ host: 'a:8250,b' }, ['b'], /entry 1, "a:8250", has a port/],
    [{ host: 'a,b@static@static' }, ['a', 'b'], /one @ is allowed; taken as @static/],
    [{}, ['localhost'], /^host is not set: localhost is dialled/],
    [{ host: 'a', 'last.setup.completed.host': 'b c' }, ['a'], /^last\.setup\.completed\.host=b c is not used: /],
  ];
  for (const [values, hosts, warning] of cases) {
    const warnings: string[] = [];
    const { list } = readSettings(
      key => values[key],
      text => warnings.push(text),
    );
    t.same(list.hosts, hosts, JSON.stringify(values));
    t.equal(warnings.length, 1);
    t.match(warnings[0], warning);
  }
  t.equal(read({ host: 'a,b@static@static' }).list.algorithm, 'static');
  t.equal(read({ host: 'a', 'last.setup.completed.host': 'b c' }).lastCompleted, undefined);
  t.same(read({ host: 'a', 'last.setup.completed.host': 'b,,c' }).lastCompleted?.hosts, ['b', 'c']);
});

t.test('settings: knows its keys', async t => {
  t.ok(isAgentKey('host.lb.check.interval'));
  t.notOk(isAgentKey('workers'));
  t.notOk(isAgentKey('toString'));
});

t.test('settings: an enrolment token is checked, and an error does not show it', async t => {
  const token = `${'A'.repeat(43)}.${'b-_'.repeat(14)}c`;
  t.equal(read({ 'enrollment.token': token }).enrolmentToken, token);
  t.equal(read({ 'enrollment.token': '' }).enrolmentToken, undefined);
  for (const wrong of ['secret', `${token}x`, token.replace('.', ''), `${token.slice(0, 43)}.`]) {
    const error = t.throws(() => read({ 'enrollment.token': wrong }), {
      code: 'CONFIG_INVALID',
      key: 'enrollment.token',
    });
    t.notMatch(JSON.stringify([error, String(error)]), wrong);
  }
});

t.test('settings: tags of the host are checked', async t => {
  t.same(read({ 'host.tags': ' ' }).hostTags, []);
  t.same(read({ 'host.tags': 'a,B.c_d:/=@+-9' }).hostTags, ['a', 'B.c_d:/=@+-9']);
  const many = Array.from({ length: 101 }, (_, index) => `t${index}`).join();
  for (const value of ['a,', ',', 'a,,b', 'a b', 'a,a', 'a;b', 'ä', '"a"', 'x'.repeat(65), many]) {
    t.throws(() => read({ 'host.tags': value }), { name: 'ConfigError', key: 'host.tags' }, value);
  }
});
