import t from 'tap';
import { API } from '../../../src/api/commands/index.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { apiBench, KEYS, type Reply, signed } from '../../helpers/api-bench.js';

/** What every error looks like, whatever it is about. */
function shapeOf({ status, name, body }: Reply) {
  return { status, name, keys: Object.keys(body), isSame: body.errorcode === status, uuidList: body.uuidList };
}
const shape = (status: number, name: string) => ({
  status,
  name,
  keys: ['uuidList', 'errorcode', 'cserrorcode', 'errortext'],
  isSame: true,
  uuidList: [],
});
const UUID = 'a6a3a6c2-0d3c-4b3b-9a3c-1f0d5a0b7c11';

t.test('api: without a key, with a wrong one, or a wrong signature: 401 in the shape of CloudStack', async t => {
  const { handle } = await apiBench(t);
  const good = signed({ command: 'listHosts' });
  const without = (name: string) => new Map([...good].filter(([key]) => key !== name));
  const cases = {
    'no key': without('apiKey'),
    'no signature': without('signature'),
    'a wrong key': signed({ command: 'listHosts' }, { ...KEYS, apiKey: 'other' }),
    'a wrong secret': signed({ command: 'listHosts' }, { ...KEYS, secretKey: 'other' }),
    'a parameter too many': new Map([...good, ['name', 'x']]),
    'a signature that is no Base64': new Map([...good, ['signature', '\u{1f600}']]),
  };
  for (const [what, params] of Object.entries(cases)) {
    const reply = await handle(params, what);
    t.same(shapeOf(reply), shape(401, 'listhostsresponse'), what);
    t.match(reply.body.errortext, /^unable to verify user credentials and\/or request signature: /, what);
    t.equal(reply.body.cserrorcode, 9999);
  }
  t.same(shapeOf(await handle(new Map())), shape(401, 'errorresponse'), 'nothing at all');
});

t.test('api: what an unknown key and a wrong secret are told is the same text', async t => {
  const { handle } = await apiBench(t);
  const texts = [];
  for (const keys of [
    { ...KEYS, apiKey: 'x' },
    { ...KEYS, secretKey: 'x' },
  ]) {
    texts.push((await handle(signed({ command: 'listHosts' }, keys))).body.errortext);
  }
  t.equal(texts[0], texts[1]);
});

t.test('api: with signatureVersion 3 a request is good until it expires, by the server’s clock', async t => {
  const { call, clock } = await apiBench(t);
  const expires = '2026-01-01T00:10:00+0000';
  t.equal((await call('listHosts', { signatureVersion: '3', expires })).status, 200);
  await clock.advance(600_000 - 1);
  t.equal((await call('listHosts', { signatureVersion: '3', expires })).status, 200);
  await clock.advance(1);
  const late = await call('listHosts', { signatureVersion: '3', expires });
  t.match(late, { status: 401, body: { errortext: /the request expired at 2026-01-01T00:10:00\+0000/ } });
  t.match(await call('listHosts', { expires: undefined }), { status: 401, body: { errortext: /needs expires/ } });
  t.equal((await call('listHosts', { signatureVersion: '2', expires })).status, 200);
});

t.test('api: an unknown command is 432, and the nearest one is named; case counts, as in CloudStack', async t => {
  const { call } = await apiBench(t);
  for (const [command, text] of [
    ['listHost', 'Unknown API command: listHost; did you mean listHosts?'],
    ['listhosts', 'Unknown API command: listhosts; did you mean listHosts?'],
    ['deployVirtualMachine', 'Unknown API command: deployVirtualMachine'],
    ['constructor', 'Unknown API command: constructor'],
    ['__proto__', 'Unknown API command: __proto__'],
  ] as const) {
    const reply = await call(command);
    t.same(shapeOf(reply), shape(432, 'errorresponse'), command);
    t.equal(reply.body.errortext, text);
  }
  t.match(await call(''), { status: 431, body: { errortext: /missing parameter command/ } });
});

t.test('api: a required parameter that is missing is 431, and the text is CloudStack’s', async t => {
  const { call } = await apiBench(t);
  const cases = { reconnectHost: 'id', deleteHost: 'id', updateConfiguration: 'name', queryAsyncJobResult: 'jobid' };
  for (const [command, name] of Object.entries(cases)) {
    for (const params of [{}, { [name]: ' ' }]) {
      const reply = await call(command, params);
      t.same(shapeOf(reply), shape(431, `${command.toLowerCase()}response`));
      t.equal(
        reply.body.errortext,
        `Unable to execute API command ${command.toLowerCase()} due to missing parameter ${name}`,
      );
      t.equal(reply.body.cserrorcode, 9999);
    }
  }
});

t.test('api: a value that is not allowed, or an id of nothing, is 431 and says what is wrong', async t => {
  const { call, log } = await apiBench(t);
  const cases: [string, Record<string, string>, RegExp][] = [
    ['listHosts', { id: '17' }, /Invalid parameter id value=17 due to it is no id/],
    ['listHosts', { state: 'Upp' }, /parameter state value=Upp due to the states are Creating, Connecting, Up,/],
    ['listHosts', { page: '0' }, /pages are counted from 1/],
    ['listHosts', { page: '1.5' }, /no whole number/],
    ['listHosts', { pagesize: '0' }, /at least 1 is allowed, or -1/],
    ['listHosts', { pagesize: '-2' }, /at least 1 is allowed/],
    ['listHosts', { page: '9007199254740991' }, /not so many pages/],
    ['listHosts', { page: '99999999999999999999' }, /no whole number/],
    ['listHosts', { zoneid: UUID }, /parameter zoneid .* there is none with this id/],
    ['listHosts', { podid: UUID }, /none with this id/],
    ['listHosts', { clusterid: UUID }, /none with this id/],
    ['listHosts', { managementserverid: UUID }, /none with this id/],
    ['listHosts', { name: 'a\0b' }, /NUL character/],
    ['listHosts', { name: 'x'.repeat(4097) }, /at most 4096 characters/],
    ['listAgentLinks', { astray: 'yes' }, /neither true nor false/],
    ['listAgentLinks', { state: 'Gone' }, /the states are/],
    ['listApis', { name: 'listHost' }, /there is no such command/],
    ['listEvents', { level: 'FATAL' }, /the levels are INFO, WARN, ERROR/],
    ['listEvents', { startdate: 'yesterday' }, /a date such as 2026-11-22/],
    ['reconnectHost', { id: UUID }, /there is no host with this id/],
    ['deleteHost', { id: UUID }, /there is no host with this id/],
    ['queryAsyncJobResult', { jobid: UUID }, /there is no job with this id/],
    ['previewHostList', { host: 'a b' }, /blank/],
    ['previewHostList', { algorithm: 'best' }, /allowed are/],
    ['updateConfiguration', { name: 'ping.interval', value: '0' }, /ping\.interval: a whole number from 1 to 86400/],
    ['updateConfiguration', { name: 'host', value: '10.0.0.1,,10.0.0.2' }, /entry 2 of 3 is empty/],
    ['updateConfiguration', { name: 'zones', value: 'a\0b' }, /NUL/],
  ];
  for (const [command, params, text] of cases) {
    const reply = await call(command, params);
    t.same(shapeOf(reply), shape(431, `${command.toLowerCase()}response`), `${command} ${text}`);
    t.match(reply.body.errortext, text);
    t.match(reply.body.errortext, /^Unable to execute API command \S+ due to invalid value\. Invalid parameter /);
    t.equal(reply.body.cserrorcode, 4350);
  }
  t.match(await call('updateConfiguration', { name: 'ping.intervall', value: '1' }), {
    status: 431,
    body: { errortext: "Config parameter with name ping.intervall doesn't exist; did you mean ping.interval?" },
  });
  t.equal(log.count('error'), 0, 'mistakes of clients are no errors of ours');
});

t.test('api: a store that is away is 530 with its code, an error of ours 530 without a word of it', async t => {
  const bench = await apiBench(t);
  bench.outage = new StoreError('STORE_BUSY', 'events', { cause: new Error('SQLITE_BUSY at /secret/path') });
  const away = await bench.call('listEvents');
  t.same(shapeOf(away), shape(530, 'listeventsresponse'));
  t.match(away.body, { errortext: 'the store cannot be reached now: STORE_BUSY', cserrorcode: 4250 });
  t.equal(bench.log.count('warn An API command failed, since the store is away'), 1);

  for (const error of [new TypeError('x is undefined'), new StoreError('STORE_FAILED', 'servers')]) {
    bench.outage = error;
    const bug = await bench.call('listEvents');
    t.same(shapeOf(bug), shape(530, 'listeventsresponse'));
    t.equal(bug.body.errortext, 'internal error: see the log of this management server');
    t.notMatch(JSON.stringify(bug), /undefined|\.ts:|\.js:/, 'no stack trace');
  }
  t.match(bench.log.fieldsOf('error An API command failed'), { command: 'listEvents', stack: String });
  bench.outage = undefined;
  t.equal((await bench.call('listEvents')).status, 200);
});

t.test('api: names of parameters count in any case, and what is not known is passed over', async t => {
  const { call, handle, addHosts } = await apiBench(t);
  await addHosts(3);
  t.equal((await call('listHosts', { PageSize: '2', whatever: '1' })).body.host.length, 2);
  const shouted = new Map([...signed({ command: 'listHosts' })].map(([name, value]) => [name.toUpperCase(), value]));
  t.equal((await handle(shouted)).status, 200, 'what is signed is lower case');
  const own = signed({ COMMAND: 'listHosts', PAGE: '2', pagesize: '2' });
  t.match(await handle(own), { status: 200, body: { count: 3, host: [{ name: 'host-3' }] } });
});

t.test('api: who fails too often is slowed down, then refused; a right signature never is', async t => {
  const { handle, clock } = await apiBench(t);
  const wrong = () => handle(signed({ command: 'listHosts' }, { ...KEYS, secretKey: 'x' }), '203.0.113.9');
  const right = (address: string) => handle(signed({ command: 'listHosts' }), address);
  for (let i = 0; i < 6; i++) t.equal((await wrong()).status, 401);
  let done = false;
  const held = wrong().then(reply => {
    done = true;
    return reply;
  });
  await clock.advance(249);
  t.notOk(done, 'the answer is held back');
  t.equal((await right('203.0.113.9')).status, 200, 'a right one does not wait');
  await clock.advance(1);
  t.equal((await held).status, 401);
  // Many at once: none of them waits for the other.
  const many = Promise.all(Array.from({ length: 120 }, wrong));
  await clock.advance(5_000);
  t.same([...new Set((await many).map(({ status }) => status))], [401, 429]);
  const refused = await wrong();
  t.same(shapeOf(refused), shape(429, 'listhostsresponse'));
  t.match(refused.body.errortext, /too many requests/);
  t.equal((await right('203.0.113.9')).status, 200, 'at the same address');
  t.equal(clock.pending, 0);
  await clock.advance(5 * 60_000);
  t.equal((await wrong()).status, 401, 'it is forgiven in the end');
});

t.test('api: the failures of a /64 count together', async t => {
  const { handle, clock } = await apiBench(t);
  for (let i = 0; i < 6; i++)
    await handle(signed({ command: 'listHosts' }, { ...KEYS, secretKey: 'x' }), `2001:db8::${i}`);
  void handle(signed({ command: 'listHosts' }, { ...KEYS, secretKey: 'x' }), '2001:db8::9');
  t.equal(clock.pending, 1, 'it is held back');
  await clock.advance(250);
});

t.test('api: a reply says whether the request was signed, also when its command fails', async t => {
  const { handle } = await apiBench(t);
  const isSigned = async (params: Map<string, string>) => (await handle(params)).isSigned;
  t.equal(await isSigned(signed({ command: 'listHosts' })), true);
  t.equal(await isSigned(signed({ command: 'nothing' })), true);
  t.equal(await isSigned(signed({ command: 'listHosts' }, { ...KEYS, secretKey: 'x' })), false);
});

// ---- once

t.test('api: a request that changes something is good once, however its signature is written', async t => {
  const { handle, clock, log, events, store } = await apiBench(t);
  const change = signed({ command: 'updateConfiguration', name: 'ping.interval', value: '30' }, KEYS, clock.wallTime());
  t.equal((await handle(change)).status, 200);
  const { version } = await store.configuration();
  const signature = change.get('signature') ?? '';
  const forms = {
    'as it was': {},
    'its signature in another alphabet, without padding': {
      signature: Buffer.from(signature, 'base64').toString('base64url'),
    },
    'its value in another case, which the signature does not cover': { NAME: 'PING.INTERVAL' },
  };
  for (const [what, other] of Object.entries(forms)) {
    const again = new Map([...change, ...Object.entries(other)]);
    if ('NAME' in other) again.delete('name');
    const reply = await handle(again, '203.0.113.9');
    t.match(reply, { status: 401, name: 'updateconfigurationresponse' }, what);
    t.match(reply.body.errortext, /^unable to verify .*: this request was sent before, /, what);
  }
  t.equal((await store.configuration()).version, version);
  const told = events.filter(({ type }) => type === 'API.REFUSED');
  t.match(told, [
    { username: 'operator', description: /^updateConfiguration with .* from 203\.0\.113\.9 is refused: it was/ },
  ]);
  t.equal(log.count('warn A request is refused'), 1);
  const next = signed({ command: 'updateConfiguration', name: 'ping.interval', value: '30' }, KEYS, clock.wallTime());
  t.equal((await handle(next)).status, 200, 'the same change, asked for anew');
  const shows = signed({ command: 'listHosts' }, KEYS, clock.wallTime());
  t.same([(await handle(shows)).status, (await handle(shows)).status], [200, 200], 'what only shows may come again');
});

t.test('api: of two equal requests at the same moment one is carried out', async t => {
  const { handle } = await apiBench(t);
  const change = signed({ command: 'createApiKey', name: 'once', role: 'reader' });
  const replies = await Promise.all([handle(change), handle(change), handle(change)]);
  t.same(replies.map(({ status }) => status).toSorted(), [200, 401, 401]);
});

t.test('api: what never expires may come again, as in CloudStack', async t => {
  const { handle, clock } = await apiBench(t);
  const change = { command: 'updateConfiguration', name: 'ping.interval', value: '30' };
  for (const signatureVersion of [undefined, '2']) {
    const request = signed({ ...change, signatureVersion }, KEYS, clock.wallTime());
    t.same([(await handle(request)).status, (await handle(request)).status], [200, 200]);
  }
  const late = signed({ ...change, expires: '2099-01-01T00:00:00+0000' }, KEYS, clock.wallTime());
  t.same([(await handle(late)).status, (await handle(late)).status], [200, 401], 'however late it expires');
});

t.test('api: a request that could not be noted is not carried out, and may come again', async t => {
  const bench = await apiBench(t);
  const change = signed({ command: 'updateConfiguration', name: 'ping.interval', value: '30' });
  bench.outage = new StoreError('STORE_UNAVAILABLE', 'noteRequest');
  t.equal((await bench.handle(change)).status, 530);
  bench.outage = undefined;
  t.equal((await bench.handle(change)).status, 200);
});

// ---- roles

/** What a reader may call: it changes nothing, and shows no key. */
const FOR_READERS = [
  'listManagementServers',
  'listManagementServersMetrics',
  'listMoves',
  'listMovesSummary',
  'listPlacements',
  'listHosts',
  'listHostsMetrics',
  'listZones',
  'listPods',
  'listClusters',
  'listCAProviders',
  'listCaCertificate',
  'listCertificateAuthorities',
  'listCommandResults',
  'listConfigurations',
  'listEvents',
  'listAlerts',
  'listAlertSilences',
  'listApis',
  'queryAsyncJobResult',
  'listAsyncJobs',
  'listAgentLinks',
  'readyForShutdown',
  'previewHostList',
  'listCanaries',
];

t.test('api: a reader’s key may call what shows, and nothing that changes, command by command', async t => {
  const { handle, apiKeys, store, events } = await apiBench(t);
  const reader = await apiKeys.create({ name: 'watch', role: 'reader' }, 'operator');
  const before = await store.configuration();
  const refused: string[] = [];
  for (const command of Object.keys(API)) {
    const reply = await handle(signed({ command }, reader));
    t.equal(reply.isSigned, true);
    if (reply.status !== 432) continue;
    refused.push(command);
    t.same(shapeOf(reply), shape(432, `${command.toLowerCase()}response`));
    t.equal(
      reply.body.errortext,
      `The user is not allowed to request the API command ${command}: the API key watch has the role reader, and operator is needed`,
    );
  }
  t.same(
    refused.toSorted(),
    Object.keys(API)
      .filter(name => !FOR_READERS.includes(name))
      .toSorted(),
  );
  t.same(await store.configuration(), before);
  t.same(
    events.map(({ type, username, description }) => `${type} ${username} ${description.split(' ')[0]}`),
    refused.map(command => `API.REFUSED watch ${command}`),
    'operators are told',
  );
  t.equal((await handle(signed({ command: 'nothing' }, reader))).body.errortext, 'Unknown API command: nothing');
  const listed = (await handle(signed({ command: 'listApis' }, reader))).body;
  const names = listed.api.map(({ name }: { name: string }) => name);
  t.same(names.toSorted(), FOR_READERS.toSorted(), 'listApis shows what the key may call');
  t.equal((await handle(signed({ command: 'listApis', name: 'deleteHost' }, reader))).status, 431);
});

t.test('api: keys are made, listed without their secrets, and deleted', async t => {
  const { call, handle } = await apiBench(t);
  const { apikey: key } = (await call('createApiKey', { name: 'ci', role: 'operator' })).body;
  t.match(key, {
    name: 'ci',
    role: 'operator',
    apikey: /^[\w-]{86}$/,
    secretkey: /^[\w-]{86}$/,
    createdby: 'operator',
  });
  const listed = await call('listApiKeys');
  t.match(listed.body, { count: 2, apikey: [{ name: 'operator' }, { name: 'ci', createdby: 'operator' }] });
  t.notOk(JSON.stringify(listed.body).includes(key.secretkey));
  t.match((await call('listApiKeys', { name: 'ci' })).body, { count: 1 });
  t.match((await call('listApiKeys', { id: key.id })).body, { count: 1, apikey: [{ name: 'ci' }] });
  t.match((await call('listApiKeys', { keyword: 'OPER' })).body, { count: 1, apikey: [{ name: 'operator' }] });
  const keys = { apiKey: key.apikey, secretKey: key.secretkey };
  t.equal((await handle(signed({ command: 'listHosts' }, keys))).status, 200);
  const same = await call('createApiKey', { name: 'ci', role: 'reader' });
  t.match(same, {
    status: 431,
    body: { errortext: /parameter name value=ci due to there is an API key with this name/ },
  });
  t.match(await call('createApiKey', { name: 'x', role: 'root' }), {
    status: 431,
    body: { errortext: /parameter role/ },
  });
  const first = listed.body.apikey[0].id;
  t.match((await handle(signed({ command: 'deleteApiKey', id: first }, keys))).body, { success: true });
  t.equal((await call('listHosts')).status, 401, 'the deleted key is refused at once');
  const last = await handle(signed({ command: 'deleteApiKey', id: key.id }, keys));
  t.match(last, { status: 530, body: { errortext: /the last key of an operator/ } });
  t.match(await handle(signed({ command: 'deleteApiKey', id: UUID }, keys)), {
    status: 431,
    body: { errortext: /there is no API key with this id/ },
  });
});

t.test('api: the key that asked for a change stands in its event, and in its job', async t => {
  const { call, handle, store, events, one, addHosts } = await apiBench(t);
  const [host] = await addHosts(1);
  const { apikey: key } = (await call('createApiKey', { name: 'ci', role: 'operator' })).body;
  const keys = { apiKey: key.apikey, secretKey: key.secretkey };
  const ask = async (command: string, params: Record<string, string> = {}) => {
    const reply = await handle(signed({ command, ...params }, keys));
    t.equal(reply.status, 200, `${command} ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  const { jobid } = await ask('reconnectHost', { id: host?.uuid ?? '' });
  t.equal((await store.job(jobid))?.createdBy, 'ci');
  t.match(await ask('queryAsyncJobResult', { jobid }), { createdby: 'ci' });
  await ask('updateConfiguration', { name: 'ping.interval', value: '30' });
  await ask('rebalanceAgents');
  const { prepareformaintenance } = await ask('prepareForMaintenance', { managementserverid: one.uuid });
  t.equal((await store.job(prepareformaintenance.jobid))?.createdBy, 'ci');
  t.match(await store.servers(), [{ stateBy: 'ci' }, {}]);
  await ask('cancelMaintenance', { managementserverid: one.uuid });
  await ask('createApiKey', { name: 'x', role: 'reader' });
  t.same(
    events.map(({ type, username }) => [type, username]),
    [
      ['API.KEY.CREATE', 'operator'],
      ['HOST.RECONNECT', 'ci'],
      ['CONFIGURATION.VALUE.EDIT', 'ci'],
      ['AGENT.REBALANCE', 'ci'],
      ['MS.MAINTENANCE.PREPARE', 'ci'],
      ['MS.MAINTENANCE.CANCEL', 'ci'],
      ['API.KEY.CREATE', 'ci'],
    ],
  );
  t.notOk(JSON.stringify(events).includes(key.secretkey));
});
