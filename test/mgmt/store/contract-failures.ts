import type { Test } from 'tap';
import { systemRandom } from '../../../src/lib/random.js';
import type {
  NewAlert,
  NewApiKey,
  NewAuthority,
  NewCertificate,
  NewEvent,
  Store,
} from '../../../src/mgmt/store/store.js';
import { StoreError } from '../../../src/mgmt/store/store-error.js';
import { hostDescription } from '../../helpers/host-description.js';
import { hostReady, registerHost, wholeHosts } from '../../helpers/one-host.js';
import { storeOver } from '../../helpers/store-way.js';
import { type FreshStore, MSID_A, serverDescription, storeTest } from './store-test.js';

/**
 * What a second try says, after a call that was carried out and failed for its caller. `same`: what the first one would
 * have said. `throws`: a StoreError. `another`: it is carried out once more, and no caller makes it again by itself. Or
 * the value by which it is refused, of which every field has to match.
 */
type Again = 'same' | 'throws' | 'another' | { readonly says: unknown };

interface WriteOf<F> {
  readonly before?: (store: Store) => Promise<F>;
  readonly call: (store: Store, found: F) => Promise<unknown>;
  readonly again: Again;
}

/** Ties the result of `before` to the argument of `call`. */
const write = <F = void>(one: WriteOf<F>) => ({
  again: one.again,
  async prepare(store: Store): Promise<(store: Store) => Promise<unknown>> {
    // Without `before` it is void.
    const found = (await one.before?.(store)) as F;
    return seen => one.call(seen, found);
  },
});

const ALERT: NewAlert = { uuid: 'a1', subject: 's:1', type: 14, name: 'ALERT.MANAGEMENT', description: 'down' };
const HASH = 'c'.repeat(64);
const KEY: NewApiKey = {
  ...{ uuid: 'k1', name: 'key', role: 'operator', apiKey: 'api', sealedSecret: Buffer.from('s'), created: 1 },
  createdBy: null,
};
const FIRST = { fingerprint: 'f1', chainPem: 'pem', secret: null, created: 1 };
const SECOND: NewAuthority = {
  ...FIRST,
  fingerprint: 'f2',
  crossPem: 'cross',
  secret: 'ca.2',
  sealed: Buffer.from('x'),
};
const CERTIFICATE: NewCertificate = {
  ...{ serial: '4f01', kind: 'host', hostId: 1, guid: 'g', cn: 'host', keyFingerprint: 'a'.repeat(64), bundle: 0 },
  ...{ issuerFingerprint: 'b'.repeat(64), notBefore: 1, notAfter: 2, created: 1 },
};
const JOB = { cmd: 'x', params: '{}', targetMsid: null, hostId: null, createdBy: 'admin', isResumable: true };
const FAILED = { resultCode: 530, result: '{}' };
const CLAIM = { runId: 'run', dataDirToken: 'token' };

const aHost = async (store: Store) =>
  (await registerHost(store, hostDescription('g1', await store.zoneId('default')))).host.id;
const anUpHost = async (store: Store) => {
  const id = await aHost(store);
  await hostReady(store, id, { msid: MSID_A, at: 1, msHostList: 'a@static' });
  return id;
};
const aServer = async (store: Store) => {
  const claimed = await store.claimServer(serverDescription(MSID_A), CLAIM);
  return claimed.claimed ? claimed.server.beat : 0;
};
const aJob = async (store: Store) => (await store.createJob(JOB)).uuid;
const aRunningJob = async (store: Store) => {
  const uuid = await aJob(store);
  await store.startJob(uuid, MSID_A);
  return uuid;
};
const commands = async (store: Store, taken = 0) => {
  const hostIds = [await aHost(store)];
  const made = await store.createCommandJob({ job: JOB, hostIds, key: null, digest: 'd' });
  if (made.kind !== 'made') throw new Error(made.kind);
  await store.startJob(made.job.uuid, MSID_A);
  if (taken > 0) await store.takeCommands(made.job.uuid, MSID_A, taken);
  return { uuid: made.job.uuid, hostIds };
};
const aToken = (store: Store) =>
  store.createEnrollmentToken({
    ...{ hash: HASH, zone: null, cluster: null, guid: null, uses: 1, validForMs: 60_000, createdBy: null },
  });
const anEvent = (uuid: string, ageMs: number): NewEvent => ({
  ...{ uuid, type: 'X', level: 'INFO', description: 'x', ageMs },
  ...{ resourceType: null, resourceId: null, msid: null, username: null },
});
const anAuthority = (store: Store) => store.addFirstAuthority(FIRST);
const twoAuthorities = async (store: Store) => {
  await anAuthority(store);
  await store.introduceAuthority(SECOND);
};
const anAttempt = async (store: Store) => {
  const id = await aHost(store);
  const begun = await store.beginAssignment();
  if (!begun.begun) throw new Error('another attempt');
  return { attempt: begun.attempt, batch: [{ id, preferred: 'a' }] };
};

/** All methods of the store that write. */
const WRITES: Readonly<Record<string, ReturnType<typeof write>>> = {
  initialiseConfiguration: write({
    call: store => store.initialiseConfiguration(new Map([['a', 'b']])),
    again: 'same',
  }),
  updateConfiguration: write({
    before: async store => (await store.configuration()).version,
    call: (store, version) => store.updateConfiguration(new Map([['a', 'b']]), version),
    again: { says: { done: false } },
  }),
  setCanaryJob: write({
    async before(store) {
      const canary = { changes: new Map([['host', 'a']]), hosts: new Map([[1, 'a']]), createdBy: 'admin' };
      const { version } = await store.configuration();
      return (await store.updateConfiguration(new Map(), version, { canary })).version;
    },
    call: (store, id) => store.setCanaryJob(id, 'j1'),
    again: 'same',
  }),
  assignHosts: write({
    before: aHost,
    call: (store, id) => store.assignHosts([{ id, preferred: 'a' }], 0),
    again: 'same',
  }),
  // Its attempt is the only one that can write from then on, and the former one has written nothing.
  beginAssignment: write({ call: store => store.beginAssignment(), again: { says: { begun: true } } }),
  writeAssignments: write({
    before: anAttempt,
    call: (store, { attempt, batch }) => store.writeAssignments(attempt, batch),
    again: { says: undefined },
  }),
  zoneId: write({ call: store => store.zoneId('one'), again: 'same' }),
  setClusterCheckInterval: write({
    async before(store) {
      await aHost(store);
      const { version } = await store.configuration();
      return { id: (await store.clusters())[0]?.id ?? 0, version };
    },
    call: (store, { id, version }) => store.setClusterCheckInterval(id, 5, version),
    again: { says: { done: false } },
  }),
  registerHosts: write({
    before: store => store.zoneId('default'),
    call: (store, zoneId) => store.registerHosts([hostDescription('g1', zoneId)]),
    again: { says: [{ host: { id: 1, guid: 'g1' }, isNew: false }] },
  }),
  hostsReady: write({
    before: aHost,
    call: (store, id) => store.hostsReady([{ id, msid: MSID_A, at: 1, msHostList: null }]),
    // Of a later Ready.
    again: { says: [{ kind: 'taken', epoch: 2 }] },
  }),
  hostsMsHostList: write({
    before: anUpHost,
    call: (store, id) => store.hostsMsHostList([{ id, epoch: 1, msHostList: 'b@static' }]),
    again: 'same',
  }),
  hostsDisconnected: write({
    before: anUpHost,
    call: (store, id) => store.hostsDisconnected([{ id, msid: MSID_A, epoch: 1, at: 2, reason: 'gone' }]),
    again: { says: [false] },
  }),
  releaseHosts: write({
    before: anUpHost,
    call: store => store.releaseHosts(MSID_A, { at: 2, reason: 'stop', cause: 'server-stopped' }),
    again: { says: 0 },
  }),
  updateHost: write({
    before: aHost,
    call: (store, id) => store.updateHost(id, { explicitTags: ['a'], annotation: 'b' }),
    again: 'same',
  }),
  removeHost: write({ before: anUpHost, call: (store, id) => store.removeHost(id, 2), again: { says: false } }),
  claimServer: write({
    call: store => store.claimServer(serverDescription(MSID_A), CLAIM),
    again: { says: { claimed: true, server: { msid: MSID_A, runId: 'run', state: 'Up' } } },
  }),
  heartbeat: write({ before: aServer, call: store => store.heartbeat(MSID_A, 'run', 8250), again: 'same' }),
  changeServerState: write({
    before: aServer,
    call: store => store.changeServerState(MSID_A, { from: ['Up'], to: 'Maintenance' }),
    again: { says: false },
  }),
  changeServerStateWithJobs: write({
    before: aServer,
    call: store => store.changeServerStateWithJobs(MSID_A, { from: ['Up'], to: 'PreparingForMaintenance' }, [JOB]),
    again: { says: { done: false, state: 'PreparingForMaintenance' } },
  }),
  stopServer: write({ before: aServer, call: store => store.stopServer(MSID_A, 'run', 2), again: { says: false } }),
  retireServer: write({
    before: aServer,
    call: (store, beat) => store.retireServer(MSID_A, beat),
    again: { says: false },
  }),
  removeServer: write({
    async before(store) {
      await aServer(store);
      await store.stopServer(MSID_A, 'run', 2);
    },
    call: store => store.removeServer(MSID_A, FAILED),
    again: { says: false },
  }),
  putLinkStatus: write({ call: store => store.putLinkStatus(MSID_A, 1, Buffer.from('x')), again: 'same' }),
  createJob: write({ call: store => store.createJob(JOB), again: 'another' }),
  startJob: write({ before: aJob, call: (store, uuid) => store.startJob(uuid, MSID_A), again: { says: false } }),
  cancelJob: write({ before: aJob, call: (store, uuid) => store.cancelJob(uuid, FAILED), again: { says: false } }),
  jobProgress: write({
    before: aRunningJob,
    call: (store, uuid) => store.jobProgress(uuid, MSID_A, 'half'),
    again: 'same',
  }),
  finishJob: write({
    before: aRunningJob,
    call: (store, uuid) => store.finishJob(uuid, MSID_A, { ...FAILED, status: 'failed' }),
    again: { says: false },
  }),
  failJobsOfServer: write({
    before: store => store.createJob({ ...JOB, targetMsid: MSID_A }),
    call: store => store.failJobsOfServer(MSID_A, FAILED),
    again: { says: 0 },
  }),
  releaseJobsOfServer: write({
    async before(store) {
      const beat = await aServer(store);
      await aRunningJob(store);
      return beat;
    },
    call: (store, beat) => store.releaseJobsOfServer(MSID_A, beat),
    again: { says: 0 },
  }),
  deleteOldJobs: write({
    async before(store) {
      await store.finishJob(await aRunningJob(store), MSID_A, { ...FAILED, status: 'failed' });
    },
    call: store => store.deleteOldJobs(-1_000),
    again: { says: 0 },
  }),
  addEvents: write({
    before: async () => systemRandom.uuid(),
    call: (store, uuid) => store.addEvents([anEvent(uuid, 0)]),
    again: 'same',
  }),
  deleteEvents: write({
    before: store => store.addEvents([anEvent(systemRandom.uuid(), 9_000)]),
    call: store => store.deleteEvents({ ageMs: 1_000 }),
    again: { says: 0 },
  }),
  raiseAlert: write({
    call: store => store.raiseAlert(ALERT),
    again: { says: false },
  }),
  clearAlert: write({
    before: store => store.raiseAlert(ALERT),
    call: store => store.clearAlert(ALERT.subject),
    again: { says: false },
  }),
  takeAlertNotice: write({
    before: store => store.raiseAlert(ALERT),
    call: store => store.takeAlertNotice(60_000),
    again: { says: undefined },
  }),
  alertNoticeReached: write({
    async before(store) {
      await store.raiseAlert(ALERT);
      await store.takeAlertNotice(60_000);
    },
    call: store => store.alertNoticeReached({ id: 1, about: 'raised' }, ['https://a/']),
    again: 'same',
  }),
  endAlertNotice: write({
    async before(store) {
      await store.raiseAlert(ALERT);
      await store.takeAlertNotice(60_000);
    },
    call: store => store.endAlertNotice({ id: 1, about: 'raised' }),
    again: 'same',
  }),
  deleteAlerts: write({
    async before(store) {
      await store.raiseAlert(ALERT);
      await store.clearAlert(ALERT.subject);
    },
    call: store => store.deleteAlerts(-1_000),
    again: { says: 0 },
  }),
  deleteMoves: write({
    before: anUpHost,
    call: store => store.deleteMoves({ ageMs: -1_000, keep: 1 }),
    again: { says: 0 },
  }),
  createSecret: write({
    call: store => store.createSecret('s', Buffer.from('x')),
    again: 'same',
  }),
  replaceSecrets: write({
    before: store => store.createSecret('s', Buffer.from('x')),
    call: (store, from) => store.replaceSecrets(new Map([['s', { from, to: Buffer.from('y') }]])),
    again: { says: false },
  }),
  createFirstApiKey: write({ call: store => store.createFirstApiKey(KEY, 'former'), again: { says: false } }),
  createApiKey: write({ call: store => store.createApiKey(KEY, 0), again: { says: false } }),
  deleteApiKey: write({
    async before(store) {
      await store.createFirstApiKey(KEY, 'former');
      const reader: NewApiKey = { ...KEY, uuid: 'k2', name: 'other', apiKey: 'api2', role: 'reader' };
      await store.createApiKey(reader, (await store.apiKeys()).version);
    },
    call: store => store.deleteApiKey('k2'),
    again: { says: 'unknown' },
  }),
  noteRequest: write({ call: store => store.noteRequest(HASH, 60_000), again: { says: false } }),
  addFirstAuthority: write({ call: anAuthority, again: 'same' }),
  introduceAuthority: write({
    before: anAuthority,
    call: store => store.introduceAuthority(SECOND),
    again: { says: undefined },
  }),
  switchAuthority: write({
    before: twoAuthorities,
    call: store => store.switchAuthority('f2', 2),
    again: { says: false },
  }),
  dropAuthority: write({ before: twoAuthorities, call: store => store.dropAuthority('f2', 2), again: { says: false } }),
  addCertificate: write({ call: store => store.addCertificate(CERTIFICATE), again: 'throws' }),
  certificatesInstalled: write({
    before: store => store.addCertificate(CERTIFICATE),
    call: store => store.certificatesInstalled(['4f01'], 2),
    again: 'same',
  }),
  deleteCertificatesBefore: write({
    before: store => store.addCertificate(CERTIFICATE),
    call: store => store.deleteCertificatesBefore(10),
    again: { says: 0 },
  }),
  revokeCertificate: write({
    call: store => store.revokeCertificate({ serial: '4f01', cn: null, by: null, at: 1 }),
    again: { says: false },
  }),
  bindCertificate: write({ call: store => store.bindCertificate(HASH, 'g', 1), again: 'same' }),
  createCommandJob: write({
    before: aHost,
    call: (store, id) => store.createCommandJob({ job: JOB, hostIds: [id], key: 'key', digest: 'd' }),
    again: { says: { kind: 'known' } },
  }),
  // Those of the first call are among `takenCommands`: they may have been sent, as far as anybody knows.
  takeCommands: write({
    before: store => commands(store),
    call: (store, { uuid }) => store.takeCommands(uuid, MSID_A, 1),
    again: { says: [] },
  }),
  giveBackCommands: write({
    before: store => commands(store, 1),
    call: (store, { uuid, hostIds }) => store.giveBackCommands(uuid, MSID_A, hostIds),
    again: 'same',
  }),
  commandOutcomes: write({
    before: store => commands(store, 1),
    call: (store, { uuid, hostIds }) =>
      store.commandOutcomes(
        uuid,
        hostIds.map(hostId => ({
          ...{ hostId, kind: 'answered', isGood: true, reason: null, answers: '[]' },
          ...{ isTruncated: false, durationMs: 5, msid: MSID_A },
        })),
        'agent',
      ),
    again: 'same',
  }),
  cancelCommands: write({
    before: store => commands(store),
    call: (store, { uuid }) => store.cancelCommands(uuid, 'enough', 'operator'),
    again: { says: { cancelled: 0, recalled: 0 } },
  }),
  deleteOldCommands: write({
    async before(store) {
      const { uuid } = await commands(store);
      await store.finishJob(uuid, MSID_A, { ...FAILED, status: 'failed' });
      await store.deleteOldJobs(-1_000);
    },
    call: store => store.deleteOldCommands(-1_000),
    // Each call takes a part of what is left: first the hosts, then what is noted of the job.
    again: { says: 1 },
  }),
  createEnrollmentToken: write({ call: aToken, again: 'throws' }),
  removeEnrollmentToken: write({
    before: aToken,
    call: (store, { uuid }) => store.removeEnrollmentToken(uuid, 2),
    again: { says: undefined },
  }),
  useEnrollmentToken: write({
    async before(store) {
      await aToken(store);
      return store.zoneId('default');
    },
    call: (store, zoneId) =>
      store.useEnrollmentToken({ hash: HASH, keyFingerprint: HASH, host: hostDescription('g1', zoneId) }),
    again: { says: { kind: 'enrolled', host: { id: 1, guid: 'g1' } } },
  }),
  deleteEnrollmentTokensBefore: write({
    before: aToken,
    call: (store, { expires }) => store.deleteEnrollmentTokensBefore(expires + 1),
    again: { says: 0 },
  }),
};

/** All others. */
const READS: ReadonlySet<string> = new Set([
  ...[
    'configuration',
    'configurationState',
    'zones',
    'pods',
    'clusters',
    'clusterIdsOfHosts',
    'zoneHostIds',
    'hosts',
    'hostsById',
    'host',
  ],
  ...['findHosts', 'selectHosts', 'hostVersions', 'agentsOfServer', 'lastAgentsOfServer', 'countAgents', 'servers'],
  ...['linkStatus', 'openJobs', 'job', 'jobs', 'countPendingJobs', 'events', 'moves', 'moveSummary'],
  ...['alerts', 'openAlerts'],
  ...['secret', 'secrets'],
  ...['apiKeys', 'authorities', 'hostsBehindAuthority', 'certificate', 'hostCertificates', 'revocations'],
  ...['takenCommands', 'recalledCommands', 'commandSummary', 'commandReasons', 'commandResults', 'enrollmentToken'],
  ...['enrollmentTokens', 'close'],
]);

/** Everything that can be read and that a second try may not change; versions and heartbeats are raised by each. */
async function contentOf(store: Store): Promise<unknown> {
  const all = { page: 1, pagesize: 100 };
  const hosts = (await wholeHosts(store)).map(({ epoch, ...row }) => row);
  const servers = (await store.servers()).map(({ beat, lastUpdate, started, stateSince, lastBootTime, ...row }) => row);
  const { assignmentGeneration, ...configuration } = await store.configuration();
  const jobs = await store.jobs(all);
  const results = [];
  for (const { uuid } of jobs.rows) results.push(await store.commandResults({ ...all, uuid }));
  return {
    ...{ hosts, servers, configuration, jobs, results },
    zones: await store.zones(),
    clusters: await store.clusters(),
    events: await store.events(all),
    alerts: await store.alerts(all),
    moves: await store.moves(all),
    secrets: await store.secrets(),
    keys: await store.apiKeys(),
    authorities: await store.authorities(),
    certificates: [await store.certificate('4f01'), await store.revocations(0)],
    tokens: await store.enrollmentTokens(all),
    links: (await store.linkStatus()).map(({ msid, at, packed }) => ({ msid, at, packed })),
  };
}

/** A Buffer, or the Uint8Array that has come from a thread. */
const withoutKindOfBytes = (value: unknown) => (value instanceof Uint8Array ? [...value] : value);

async function tryTwice(t: Test, store: Store, { prepare, again }: ReturnType<typeof write>): Promise<void> {
  const call = await prepare(store);
  let first: unknown;
  const failing = storeOver(store, async (name, carryOut) => {
    first = await carryOut();
    throw new StoreError('STORE_UNAVAILABLE', name);
  });
  await t.rejects(call(failing), { code: 'STORE_UNAVAILABLE' }, 'its caller does not know');
  const content = await contentOf(store);
  if (again === 'throws') await t.rejects(call(store), { name: 'StoreError' });
  else {
    const second = await call(store);
    if (again === 'same') t.strictSame(withoutKindOfBytes(second), withoutKindOfBytes(first));
    else if (again !== 'another') t.match([second], [again.says]);
  }
  if (again !== 'another') t.strictSame(await contentOf(store), content, 'nothing more has changed');
}

/** Calls that are carried out and fail for their caller, who makes them again. */
export function failuresContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('failures: every method is known as one that writes, or as one that reads', async (t, store) => {
    const methods = Object.keys(store);
    t.strictSame(
      methods.filter(name => !READS.has(name) && WRITES[name] === undefined),
      [],
    );
    t.strictSame(
      Object.keys(WRITES).filter(name => !methods.includes(name)),
      [],
    );
  });

  for (const [name, one] of Object.entries(WRITES)) {
    test(`failures: ${name} is carried out, fails, and is made again`, (t, store) => tryTwice(t, store, one));
  }
}
