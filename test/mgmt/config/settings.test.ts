import t from 'tap';
import { canonicalValue, PARAMETER_NAMES, PARAMETERS, readConfiguration } from '../../../src/mgmt/config/parameters.js';
import { notListening, readSettings, SETTING_HELP } from '../../../src/mgmt/config/settings.js';

const read = (file: Record<string, string>, commandLine: Record<string, string> = {}) =>
  readSettings(new Map(Object.entries(file)), new Map(Object.entries(commandLine)));

t.test('settings: the defaults are those of the design', async t => {
  t.strictSame(read({}), {
    settings: {
      bindAddress: '0.0.0.0',
      port: 8250,
      nodeIp: undefined,
      nodeId: undefined,
      dataDir: 'data',
      dbUrl: 'sqlite:data/muster.db',
      dbPasswordFile: undefined,
      keyFile: undefined,
      tls: undefined,
      ca: undefined,
      apiAddress: '127.0.0.1',
      apiPort: 8080,
      isApiDefault: true,
      apiTls: 'plain',
      packetMaxBytes: 4_194_304,
      log: { level: 'info', format: 'text', file: 'stdout' },
    },
    initial: new Map(),
    unknown: new Map(),
  });
});

t.test('settings: the command line beats the file, key by key', async t => {
  const { settings } = read({ port: '1', 'log.level': 'warn' }, { port: '2', 'cluster.node.IP': 'MS1.Example.org' });
  t.match(settings, { port: 2, nodeIp: 'ms1.example.org', log: { level: 'warn' } });
});

t.test('settings: an unknown key is warned about in the file, and refused on the command line', async t => {
  t.strictSame(
    read({ 'bind.adress': '1', 'workers.of.cloudstack': '5', foo: '' }).unknown,
    new Map([
      ['bind.adress', '"bind.adress" is no setting; is bind.address meant?'],
      ['workers.of.cloudstack', '"workers.of.cloudstack" is no setting'],
      ['foo', '"foo" is no setting'],
    ]),
  );
  t.throws(() => read({}, { 'bind.adress': '127.0.0.1' }), {
    name: 'ConfigError',
    message: 'bind.adress=127.0.0.1: "bind.adress" is no setting; is bind.address meant?',
  });
});

t.test('settings: global configuration is taken as initial values, canonical', async t => {
  const { initial } = read(
    { zones: ' a , b ' },
    { host: 'MS1.example.ORG., [2001:DB8::0:1],10.0.0.1', 'ping.timeout': '3.0' },
  );
  t.strictSame(
    initial,
    new Map([
      ['zones', 'a,b'],
      ['host', 'ms1.example.org,2001:db8::1,10.0.0.1'],
      ['ping.timeout', '3'],
    ]),
  );
});

const refused: readonly [key: string, value: string, says: RegExp][] = [
  ['port', '65536', /from 0 to 65535/],
  ['port', '', /from 0 to 65535/],
  ['port', '8250x', /from 0 to 65535/],
  ['bind.address', 'a b', /blank/],
  ['cluster.node.id', '0', /from 1 to 281474976710655/],
  ['data.dir', ' ', /path/],
  ['ca.plugin.root.auth.strictness', 'yes', /true, false/],
  ['packet.max', '65535', /from 65536 to 67108864/],
  ['packet.max', '67108865', /from 65536 to 67108864/],
  ['log.level', 'loud', /error, warn, info, debug/],
  ['log.format', 'xml', /text, json/],
  ['tls.cert', 'a.pem', /tls\.key=: tls\.cert, tls\.key and tls\.ca are given together/],
  ['host', '', /empty/],
  ['host', 'a,,b', /entry 2 of 3 is empty/],
  ['host', 'a,b c', /blank/],
  ['host', 'a,b,A', /entries 1 and 3 are the same/],
  ['host', '10.0.0.1:8250', /port/],
  ['host', '10.0.0', /IPv4/],
  ['zones', 'a,', /entry 2 of 2 is empty/],
  ['zones', 'a,b,a', /twice/],
  ['indirect.agent.lb.algorithm', 'random', /allowed are static, roundrobin, shuffle/],
  ['indirect.agent.lb.weights', 'a=0', /from 0.001 to 1000/],
  ['indirect.agent.lb.weights', 'a=1,a=2', /twice/],
  ['indirect.agent.lb.check.interval', '-1', /from 0/],
  ['ping.interval', '0', /from 1/],
  ['ping.interval', '1.5', /whole number/],
  ['ping.timeout', '0.5', /from 1/],
  ['ping.timeout', '1e2', /number/],
];

t.test('settings: each bad value is refused with its key, and what is allowed', async t => {
  for (const [key, value, says] of refused) {
    const error = catchError(() => read({}, { [key]: value }));
    t.equal(error?.name, 'ConfigError', `${key}=${value}`);
    t.match(error?.message, says, `${key}=${value}`);
    t.notMatch(error?.message, /\n/, 'one line');
  }
});

t.test('settings: --help names every key', async t => {
  const known = new Set(SETTING_HELP.map(([key]) => key));
  // Whatever the help names is a key, and whatever it does not is none.
  for (const key of known) t.notMatch(catchError(() => read({}, { [key]: '\0' }))?.message ?? '', /is no setting/, key);
  t.equal(known.size, 22);
});

t.test('configuration: every default is a value that its own kind allows', async t => {
  for (const name of PARAMETER_NAMES) {
    // The first server puts its own address there.
    if (name === 'host') continue;
    const { kind, default: value } = PARAMETERS[name] as { kind: { format(v: unknown): string }; default: unknown };
    t.equal(canonicalValue(name, kind.format(value)), kind.format(value), name);
  }
});

t.test('configuration: what the store has is read, with defaults for the rest', async t => {
  const { configuration, invalid } = readConfiguration({
    version: 7,
    assignmentGeneration: 0,
    values: new Map([
      ['host', 'a,b'],
      ['ping.interval', '30'],
      ['indirect.agent.lb.weights', 'a=1,b=2.5'],
      ['of.a.later.version', 'x'],
    ]),
  });
  t.strictSame(invalid, []);
  t.equal(configuration.version, 7);
  t.match(configuration.values, { host: ['a', 'b'], zones: ['default'], 'ping.interval': 30, 'ping.timeout': 2.5 });
  t.strictSame(
    [...configuration.values['indirect.agent.lb.weights']],
    [
      ['a', 1],
      ['b', 2.5],
    ],
  );
});

t.test('configuration: a value that somebody broke in the store leaves the former one in use', async t => {
  const stored = (version: number, interval: string) => ({
    version,
    values: new Map([['ping.interval', interval]]),
    assignmentGeneration: 0,
  });
  const { configuration: former } = readConfiguration(stored(1, '30'));
  const { configuration, invalid } = readConfiguration(stored(2, 'often'), former);
  t.equal(configuration.values['ping.interval'], 30);
  t.match(invalid, [{ name: 'ping.interval', text: 'often', reason: /whole number/ }]);
});

function catchError(work: () => unknown): Error | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

t.test('configuration: values that cannot be right together leave the former ones in use', async t => {
  const stored = (interval: string, threshold: string) => ({
    version: 1,
    values: new Map([
      ['cluster.heartbeat.interval', interval],
      ['cluster.heartbeat.threshold', threshold],
    ]),
    assignmentGeneration: 0,
  });
  const { configuration: former, invalid: none } = readConfiguration(stored('1000', '3000'));
  t.same(none, []);
  const { configuration, invalid } = readConfiguration(stored('2000', '3000'), former);
  t.same(configuration.values, former.values);
  t.match(invalid, [
    { name: 'cluster.heartbeat.interval', text: '2000', reason: /at least 3 times/ },
    { name: 'cluster.heartbeat.threshold', text: '3000', reason: /at least 3 times/ },
  ]);
  const alone = { ...stored('', ''), values: new Map([['cluster.heartbeat.threshold', '4000']]) };
  t.match(readConfiguration(alone).invalid, [{ text: '1500' }, { text: '4000' }], 'the default counts, too');
});

t.test('regression: an address of a family that bind.address does not take is found', async t => {
  t.match(notListening('0.0.0.0', '2001:db8::1'), /bind\.address=0\.0\.0\.0 takes no IPv6: bind\.address=::/);
  t.match(notListening('2001:db8::1', '192.0.2.1'), /takes no IPv4/);
  const well = [
    ['0.0.0.0', '192.0.2.1'],
    ['::', '192.0.2.1'],
    ['::', '2001:db8::1'],
    ['0.0.0.0', 'ms1.example'],
    ['ms1.example', '2001:db8::1'],
  ] as const;
  for (const [bound, address] of well) t.equal(notListening(bound, address), undefined, `${bound} ${address}`);
});

t.test('settings: the API is served by HTTPS beyond loopback, unless api.insecure says otherwise', async t => {
  const apiTls = (settings: Record<string, string>) => read(settings).settings.apiTls;
  for (const address of ['127.0.0.1', '127.1.2.3', '::1', 'localhost'])
    t.equal(apiTls({ 'api.address': address }), 'plain');
  for (const address of ['10.0.0.1', '0.0.0.0', '::', 'ms1.example.org']) {
    t.equal(apiTls({ 'api.address': address }), 'server');
    t.equal(apiTls({ 'api.address': address, 'api.insecure': 'true' }), 'plain');
  }
  const given = { 'api.tls.cert': 'cert.pem', 'api.tls.key': 'key.pem' };
  t.strictSame(apiTls(given), { certFile: 'cert.pem', keyFile: 'key.pem' }, 'on loopback too');
  t.throws(() => apiTls({ 'api.tls.cert': 'cert.pem' }), { message: /^api\.tls\.key=/ });
  t.throws(() => apiTls({ ...given, 'api.insecure': 'true' }), { message: /^api\.insecure=true/ });
});

t.test('settings: an error does not repeat a secret', async t => {
  t.throws(() => read({}, { 'db.pasword': 'x', 'api.secret': 'swordfish' }), { message: /^db\.pasword=x/ });
  t.throws(() => read({}, { 'api.secret': 'swordfish' }), { message: /^api\.secret=…: / });
});
