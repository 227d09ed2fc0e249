import { HOSTS_A_BATCH, type NewCommandOutcome, type Store } from '../../../src/mgmt/store/store.js';
import { hostDescription } from '../../helpers/host-description.js';
import { type FreshStore, MSID_A, MSID_B, serverDescription, storeTest } from './store-test.js';

const JOB = {
  ...{ cmd: 'sendCommand', params: '{"commands":[]}', targetMsid: null, hostId: null, createdBy: 'admin' },
  isResumable: true,
};

const outcome = (hostId: number, kind: NewCommandOutcome['kind'], more: Partial<NewCommandOutcome> = {}) => ({
  ...{ hostId, kind, isGood: kind === 'answered' ? true : null, reason: null, answers: null },
  ...{ isTruncated: false, durationMs: 5, msid: MSID_A, ...more },
});

async function hostsIn(store: Store, count: number): Promise<readonly number[]> {
  const zone = await store.zoneId('default');
  const descriptions = Array.from({ length: count }, (_, i) => hostDescription(`guid-${i}`, zone));
  const ids: number[] = [];
  for (let i = 0; i < count; i += HOSTS_A_BATCH) {
    const registered = await store.registerHosts(descriptions.slice(i, i + HOSTS_A_BATCH));
    ids.push(...registered.map(({ host }) => host.id));
  }
  return ids;
}

async function running(store: Store, hostIds: readonly number[]): Promise<string> {
  const made = await store.createCommandJob({ job: JOB, hostIds, key: null, digest: 'd' });
  if (made.kind !== 'made') throw new Error(made.kind);
  await store.startJob(made.job.uuid, MSID_A);
  return made.job.uuid;
}

/** Commands for many hosts. */
export function commandsContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('commands: the reasons why hosts are not well, the most frequent first', async (t, store) => {
    const ids = await hostsIn(store, 7);
    const uuid = await running(store, ids);
    t.strictSame(await store.commandReasons(uuid), []);
    await store.takeCommands(uuid, MSID_A, 6);
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = ids;
    const bad = { isGood: false, reason: '192.0.2.9: refused' };
    await store.commandOutcomes(
      uuid,
      [
        outcome(a, 'answered'),
        outcome(b, 'unsupported'),
        outcome(c, 'answered', bad),
        outcome(d, 'answered', bad),
        outcome(e, 'refused', { reason: 'ü is away' }),
      ],
      MSID_A,
    );
    t.strictSame(await store.commandReasons(uuid), [
      { state: 'answered', reason: '192.0.2.9: refused', hosts: 2, hostName: 'name of guid-2' },
      { state: 'unsupported', reason: null, hosts: 1, hostName: 'name of guid-1' },
      { state: 'refused', reason: 'ü is away', hosts: 1, hostName: 'name of guid-4' },
    ]);
    t.equal(await store.commandReasons('no-job'), undefined);
  });

  test('commands: hosts are taken in their order, once, by the server that carries the job out', async (t, store) => {
    const ids = await hostsIn(store, 5);
    const uuid = await running(store, ids);
    t.equal(await store.takeCommands(uuid, MSID_B, 2), undefined, 'it is another server’s job');
    t.strictSame(await store.takeCommands(uuid, MSID_A, 2), ids.slice(0, 2));
    t.strictSame(
      await store.takenCommands(uuid, MSID_A),
      ids.slice(0, 2).map(hostId => ({ hostId, by: MSID_A, isRecalled: false })),
    );
    const [one, two, three] = ids;
    await store.commandOutcomes(
      uuid,
      [outcome(one ?? 0, 'answered', { answers: '[ü]', isGood: false, reason: 'no' })],
      'agent',
    );
    t.match(await store.takenCommands(uuid, MSID_A), [{ hostId: two }]);
    t.equal(await store.takenCommands(uuid, MSID_B), undefined);
    t.match(await store.commandSummary(uuid), {
      total: 5,
      waiting: 3,
      taken: 1,
      answered: 1,
      failed: 1,
      answerLength: Number,
    });
    t.equal(await store.cancelCommands(uuid, 'enough', MSID_B), undefined);
    t.same(await store.cancelCommands(uuid, 'enough', MSID_A), { cancelled: 3, recalled: 0 });
    t.strictSame(await store.takeCommands(uuid, MSID_A, 9), []);
    t.match(await store.commandResults({ uuid, page: 1, pagesize: 10 }), {
      count: 5,
      rows: [
        {
          hostId: one,
          state: 'answered',
          isGood: false,
          reason: 'no',
          answers: '[ü]',
          hostName: 'name of guid-0',
          durationMs: 5,
        },
        { state: 'taken', isGood: null },
        { hostId: three, state: 'cancelled', reason: 'enough' },
      ],
    });
    t.match(await store.commandResults({ uuid, state: 'cancelled', page: 2, pagesize: 2 }), {
      count: 3,
      rows: [{ id: 4 }],
    });
    t.equal(await store.commandSummary('00000000-0000-4000-8000-00000000000a'), undefined);
  });

  test('commands: the hosts of a job go with it', async (t, store) => {
    const uuid = await running(store, await hostsIn(store, 3));
    const other = await running(store, []);
    await store.finishJob(uuid, MSID_A, { status: 'succeeded', resultCode: 0, result: '{}' });
    t.equal(await store.deleteOldCommands(-1_000), 0, 'its job is there');
    t.equal(await store.deleteOldJobs(-1_000), 1);
    t.equal(await store.deleteOldCommands(60_000), 0, 'it may just be made');
    t.same([await store.deleteOldCommands(-1_000), await store.deleteOldCommands(-1_000)], [3, 1]);
    t.equal(await store.commandSummary(uuid), undefined);
    t.match(await store.commandSummary(other), { total: 0 });
  });

  test('commands: an outcome stands, unless it is that nobody knows', async (t, store) => {
    const [id = 0] = await hostsIn(store, 1);
    const uuid = await running(store, [id]);
    const state = async () => (await store.commandResults({ uuid, page: 1, pagesize: 1 }))?.rows[0]?.state;
    await store.takeCommands(uuid, MSID_A, 1);
    await store.commandOutcomes(uuid, [outcome(id, 'unknown', { reason: 'its link ended' })], 'agent');
    await store.commandOutcomes(uuid, [outcome(id, 'unknown')], 'agent');
    t.equal(await state(), 'unknown');
    await store.commandOutcomes(uuid, [outcome(id, 'answered')], 'agent');
    t.equal(await state(), 'answered');
    await store.commandOutcomes(uuid, [outcome(id, 'refused')], 'agent');
    t.equal(await state(), 'answered');
    await store.commandOutcomes('00000000-0000-4000-8000-00000000000a', [outcome(id, 'answered')], 'agent');
  });

  test('commands: what is no answer is written only by the server that carries the job out', async (t, store) => {
    const [one = 0, two = 0] = await hostsIn(store, 2);
    const uuid = await running(store, [one, two]);
    await store.takeCommands(uuid, MSID_A, 2);
    await store.failJobsOfServer(MSID_A, { resultCode: 530, result: '{}' });
    await store.startJob(uuid, MSID_B);
    await store.commandOutcomes(uuid, [outcome(one, 'refused'), outcome(two, 'answered')], MSID_A);
    t.match(await store.takenCommands(uuid, MSID_B), [{ hostId: one, by: MSID_A }]);
    await store.commandOutcomes(uuid, [outcome(one, 'unknown')], MSID_B);
    t.match(await store.commandSummary(uuid), { answered: 1, unknown: 1, taken: 0 });
  });

  test('commands: what was taken is given back, or recalled', async (t, store) => {
    const [one = 0, two = 0, three = 0] = await hostsIn(store, 3);
    const uuid = await running(store, [one, two, three]);
    await store.takeCommands(uuid, MSID_A, 2);
    await store.giveBackCommands(uuid, MSID_B, [one]);
    t.equal((await store.takenCommands(uuid, MSID_A))?.length, 2, 'not by another server');
    await store.giveBackCommands(uuid, MSID_A, [one, three]);
    t.match(await store.takenCommands(uuid, MSID_A), [{ hostId: two }]);
    t.same(await store.recalledCommands(uuid), []);
    t.same(await store.cancelCommands(uuid, 'enough', 'operator'), { cancelled: 2, recalled: 1 });
    t.same(await store.recalledCommands(uuid), [two]);
    await store.giveBackCommands(uuid, MSID_A, [two]);
    t.same(await store.recalledCommands(uuid), [two], 'what was recalled is not sent anew');
    await store.commandOutcomes(uuid, [outcome(two, 'answered')], MSID_A);
    t.same(await store.recalledCommands(uuid), []);
  });

  test('commands: a key gives one job, whoever asks at the same time', async (t, store, open) => {
    const ids = await hostsIn(store, 1);
    const stores = [store, await open(), await open()];
    const make = (s: Store, digest: string) => s.createCommandJob({ job: JOB, hostIds: ids, key: 'ü key', digest });
    const made = await Promise.all(stores.map(s => make(s, 'one')));
    t.equal(made.filter(({ kind }) => kind === 'made').length, 1);
    const again = await make(store, 'one');
    t.equal(again.kind, 'known');
    t.same(await make(store, 'other'), { kind: 'taken' });
    t.equal((await store.jobs({ page: 1, pagesize: 10 })).count, 1);
  });

  test('commands: another server goes on with the job of one that has ended', async (t, store) => {
    const ids = await hostsIn(store, 1_200);
    const uuid = await running(store, ids);
    t.equal((await store.takeCommands(uuid, MSID_A, 9_999))?.length, 500, 'so many a call');
    t.equal(await store.failJobsOfServer(MSID_A, { resultCode: 530, result: '{}' }), 0);
    t.match(await store.job(uuid), { status: 'pending', runnerMsid: null });
    t.equal(await store.startJob(uuid, MSID_B), true);
    t.equal(await store.takeCommands(uuid, MSID_A, 1), undefined);
    t.equal((await store.takenCommands(uuid, MSID_B))?.length, 500);
    t.equal((await store.takeCommands(uuid, MSID_B, 9_999))?.length, 500);
  });

  test('commands: another server goes on with the job of one that is silent', async (t, store) => {
    const claim = { runId: 'run', dataDirToken: 'folder' };
    const claimed = await store.claimServer(serverDescription(MSID_A), claim);
    if (!claimed.claimed) throw new Error('another server has the row');
    const { beat } = claimed.server;
    const uuid = await running(store, []);
    const other = await store.createJob({ ...JOB, isResumable: false });
    await store.startJob(other.uuid, MSID_A);
    t.equal(await store.releaseJobsOfServer(MSID_A, beat - 1), 0, 'it has been heard since');
    t.equal(await store.releaseJobsOfServer(MSID_A, beat), 1);
    t.match(await store.job(uuid), { status: 'pending', runnerMsid: null });
    t.match(await store.job(other.uuid), { status: 'running' }, 'only what another one can go on with');
  });
}
