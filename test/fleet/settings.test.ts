import t from 'tap';
import { FLEET_KEYS, readSettings } from '../../src/fleet/settings.js';

const read = (values: Record<string, string> = {}) => readSettings(new Map(Object.entries(values)));

t.test('fleet settings: defaults', async t => {
  const { agentDefaults, ...settings } = read();
  t.strictSame(settings, {
    agentCount: 100,
    guidPrefix: 'fleet',
    dataDir: undefined,
    reportIntervalMs: 1_000,
    reportsLinks: false,
    durationMs: undefined,
    resource: undefined,
    log: { level: 'info', format: 'text', file: 'stdout' },
  });
  t.equal(agentDefaults.size, 0);
});

t.test('fleet settings: keys of an agent are for all agents, but for those that each has for itself', async t => {
  const { agentDefaults, agentCount, durationMs, log } = read({
    agents: '3',
    duration: '60',
    host: 'a,b@shuffle',
    'backoff.seconds': '1',
    'log.level': 'debug',
  });
  t.strictSame([agentCount, durationMs, log.level], [3, 60_000, 'debug']);
  t.match(Object.fromEntries(agentDefaults), { host: 'a,b@shuffle', 'backoff.seconds': '1' });
  t.notOk(agentDefaults.has('agents'));
  t.strictSame(
    ['guid', 'last.setup.completed.host', 'metrics.port', 'metrics.address'].filter(key => key in FLEET_KEYS),
    [],
  );
});

t.test('fleet settings: a wrong value is refused, with what is allowed', async t => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['agents', '0', /^agents=0: a whole number from 1 to 50000 is allowed$/],
    ['agents', 'many', /^agents=many: a whole number/],
    ['guid.prefix', '../x', /^guid\.prefix=\.\.\/x: letters, digits/],
    ['guid.prefix', 'a b', /^guid\.prefix=a b: letters, digits/],
    ['report.interval', '0', /^report\.interval=0: a whole number from 1/],
    ['host', ',', /^host=,: /],
    ['port', '70000', /^port=70000: a whole number from 1 to 65535/],
  ];
  for (const [key, value, message] of cases)
    t.throws(() => read({ [key]: value }), { code: 'CONFIG_INVALID', message });
});
