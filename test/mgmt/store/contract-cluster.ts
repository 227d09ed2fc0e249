import { isDeepStrictEqual } from 'node:util';
import { systemRandom } from '../../../src/lib/random.js';
import { type NewEvent, type NewJob, ROWS_A_PAGE, type Store } from '../../../src/mgmt/store/store.js';
import { pendingJobs } from '../../helpers/pending-jobs.js';
import { type FreshStore, MSID_A, MSID_B, serverDescription, storeTest } from './store-test.js';

const claim = (run: string, folder = 'folder', silentBeat?: number) => ({
  runId: run,
  dataDirToken: folder,
  ...(silentBeat !== undefined && { silentBeat }),
});

const job: NewJob = { cmd: 'reconnectHost', params: '{"id":"ü"}', targetMsid: null, hostId: null, createdBy: 'admin' };

const event: Omit<NewEvent, 'uuid'> = {
  type: 'AGENT.DISCONNECT',
  level: 'WARN',
  description: 'Agent lost',
  ageMs: 1_000,
  resourceType: 'Host',
  resourceId: 'some-uuid',
  msid: MSID_A,
  username: null,
};

/** The servers themselves: membership, the status of links, jobs, events. */
export function clusterContract(kind: string, fresh: FreshStore): void {
  const test = storeTest(kind, fresh);

  test('servers: a start makes a row, which heartbeats keep young', async (t, store, open) => {
    const claimed = await store.claimServer(serverDescription(MSID_A), claim('run'));
    t.match(claimed, { claimed: true });
    const [row] = await store.servers();
    t.match(row, { ...serverDescription(MSID_A), id: 1, uuid: /^[0-9a-f-]{36}$/, runId: 'run', state: 'Up' });
    t.match(row, { stateBy: null, stopped: null, started: Number, created: Number });
    t.ok(row && Math.abs(row.lastUpdate - Date.now()) < 10_000);
    const beat = await store.heartbeat(MSID_A, 'run', 8250);
    t.match(beat, { kind: 'alive', state: 'Up' });
    t.match(await store.servers(), [{ beat: (row?.beat ?? 0) + 1, joined: true }]);
    await (await open()).claimServer(serverDescription(MSID_B), claim('other', 'other folder'));
    t.strictSame(
      (await store.servers()).map(({ id, msid }) => [id, msid]),
      [
        [1, MSID_A],
        [2, MSID_B],
      ],
    );
  });

  test('servers: the same folder takes its row over at once, and the former process learns it', async (t, store) => {
    const first = await store.claimServer(serverDescription(MSID_A), claim('one'));
    const second = await store.claimServer(serverDescription(MSID_A, { version: '0.2.0' }), claim('two'));
    t.match(second, { claimed: true, server: { runId: 'two', version: '0.2.0' } });
    t.equal(second.claimed && second.server.uuid, first.claimed && first.server.uuid);
    t.match(await store.heartbeat(MSID_A, 'one', 8250), {
      kind: 'foreign',
      holder: { runId: 'two', version: '0.2.0' },
    });
    t.match(await store.heartbeat(MSID_A, 'two', 8250), { kind: 'alive' });
    t.strictSame(await store.heartbeat(MSID_B, 'two', 8250), { kind: 'foreign', holder: undefined });
  });

  test('servers: another folder with the same msid is refused while the first one lives', async (t, store) => {
    await store.claimServer(serverDescription(MSID_A, { serviceIp: '192.0.2.9' }), claim('one'));
    const refused = await store.claimServer(serverDescription(MSID_A), claim('two', 'copy'));
    t.match(refused, { claimed: false, holder: { runId: 'one', serviceIp: '192.0.2.9' } });
    t.match(await store.heartbeat(MSID_A, 'one', 8250), { kind: 'alive' }, 'and nothing changed');
    t.match(
      await store.claimServer(serverDescription(MSID_A), claim('two', 'copy', 0)),
      { claimed: false },
      'its heartbeat goes on',
    );
    t.match(await store.claimServer(serverDescription(MSID_A), claim('two', 'copy', 1)), { claimed: true }, 'silent');
    t.equal(await store.stopServer(MSID_A, 'two', 5_000), true);
    t.match(await store.claimServer(serverDescription(MSID_A), claim('three', 'third')), { claimed: true }, 'stopped');
  });

  test('servers: a former row of an address stays until it is retired', async (t, store) => {
    await store.claimServer(serverDescription(MSID_A), claim('one'));
    await store.stopServer(MSID_A, 'one', 1_000);
    await store.claimServer(serverDescription(MSID_B), claim('two', 'other folder'));
    t.match(await store.servers(), [{ msid: MSID_A }, { msid: MSID_B }], 'it may have hosts and jobs yet');
    t.equal(await store.retireServer(MSID_A, 0), true);
    t.equal(await store.retireServer(MSID_B, 9), false, 'its heartbeat goes on');
    t.equal(await store.retireServer(MSID_B, 0), true);
    t.strictSame(await store.servers(), []);
  });

  test('servers: of several that claim a new msid at the same moment one gets it', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    const claims = await Promise.all(
      stores.map((s, i) => s.claimServer(serverDescription(MSID_A), claim(`run ${i}`, `folder ${i}`))),
    );
    t.equal(claims.filter(({ claimed }) => claimed).length, 1);
    t.equal((await store.servers()).length, 1);
  });

  test('servers: a state changes only from where the step starts, and only once', async (t, store, open) => {
    await store.claimServer(serverDescription(MSID_A), claim('run'));
    const prepare = { from: ['Up'], to: 'PreparingForMaintenance', by: 'admin' } as const;
    const stores = [store, await open(), await open()];
    const done = await Promise.all(stores.map(s => s.changeServerState(MSID_A, prepare)));
    t.equal(done.filter(Boolean).length, 1);
    t.match(await store.servers(), [{ state: 'PreparingForMaintenance', stateBy: 'admin' }]);
    t.match(await store.heartbeat(MSID_A, 'run', 8250), { state: 'PreparingForMaintenance' });
    t.equal(await store.changeServerState(MSID_B, prepare), false);
    t.equal(await store.changeServerState(MSID_A, { from: [], to: 'Up' }), false);
    const down = { from: ['PreparingForMaintenance', 'Up'], to: 'Down' } as const;
    t.equal(await store.changeServerState(MSID_A, { ...down, beat: 0 }), false, 'its heartbeat goes on');
    t.equal(await store.changeServerState(MSID_A, { ...down, runId: 'other' }), false);
    t.equal(await store.changeServerState(MSID_A, { ...down, beat: 1, runId: 'run' }), true);
    t.match(await store.servers(), [{ state: 'Down', stateBy: null }]);
  });

  test('regression: servers: who asked for a state is kept when a step only goes on with it', async (t, store) => {
    const by = async () => (await store.servers())[0]?.stateBy;
    await store.claimServer(serverDescription(MSID_A), claim('one'));
    await store.changeServerState(MSID_A, { from: ['Up'], to: 'PreparingForMaintenance', by: 'admin' });
    await store.changeServerState(MSID_A, {
      from: ['PreparingForMaintenance'],
      to: 'Maintenance',
      keepsBy: true,
    });
    t.equal(await by(), 'admin');
    t.equal(await store.stopServer(MSID_A, 'one', 5_000, ['Maintenance']), true);
    t.equal(await by(), 'admin', 'it stops, and is in maintenance still');
  });

  test('servers: maintenance outlives a restart, an orderly stop too', async (t, store) => {
    await store.claimServer(serverDescription(MSID_A), claim('one'));
    await store.changeServerState(MSID_A, { from: ['Up'], to: 'Maintenance', by: 'admin' });
    t.equal(await store.stopServer(MSID_A, 'other', 5_000, ['Maintenance']), false);
    t.equal(await store.stopServer(MSID_A, 'one', 5_000, ['Maintenance']), true);
    t.match(await store.servers(), [{ state: 'Maintenance', runId: null, stopped: 5_000 }]);
    const keepStates = ['Maintenance'] as const;
    const again = await store.claimServer(serverDescription(MSID_A), { ...claim('two'), keepStates });
    t.match(again, { claimed: true, server: { state: 'Maintenance', stopped: 5_000 } });
    const without = await store.claimServer(serverDescription(MSID_A), claim('three'));
    t.match(without, { claimed: true, server: { state: 'Up' } });
    t.equal(await store.stopServer(MSID_A, 'three', 6_000), true);
    t.match(await store.servers(), [{ state: 'Down', stopped: 6_000 }]);
  });

  test('servers: what is ordered in the last moment of a server that stops counts', async (t, store) => {
    const kept = ['PreparingForMaintenance', 'Maintenance'] as const;
    const stateOf = async () => (await store.servers())[0]?.state;
    await store.claimServer(serverDescription(MSID_A), claim('one'));
    await store.changeServerState(MSID_A, { from: ['Up'], to: 'PreparingForMaintenance', by: 'admin' });
    t.equal(await store.stopServer(MSID_A, 'one', 5_000, kept), true);
    t.equal(await stateOf(), 'Maintenance');
    const cancel = { from: ['Maintenance'], to: 'Up', ifStopped: 'Down' } as const;
    t.strictSame(await store.changeServerStateWithJobs(MSID_A, cancel, []), { done: true, jobs: [] });
    t.equal(await stateOf(), 'Down', 'it does not run');
    await store.claimServer(serverDescription(MSID_A), { ...claim('two'), keepStates: kept });
    await store.changeServerState(MSID_A, { from: ['Up'], to: 'Maintenance' });
    t.match(await store.changeServerStateWithJobs(MSID_A, cancel, []), { done: true });
    t.equal(await stateOf(), 'Up', 'it runs');
    t.equal(await store.stopServer(MSID_A, 'two', 6_000, kept), true);
    t.equal(await stateOf(), 'Down');
  });

  test('servers: a state and its jobs are written together, or neither is', async (t, store, open) => {
    await store.claimServer(serverDescription(MSID_A), claim('one'));
    const prepare = { from: ['Up'], to: 'PreparingForMaintenance', by: 'admin' } as const;
    const drain: NewJob = { ...job, cmd: 'drain', targetMsid: MSID_A };
    await t.rejects(store.changeServerStateWithJobs(MSID_A, prepare, [drain, { ...drain, params: '\0' }]), {
      code: 'STORE_VALUE_REFUSED',
    });
    t.match(await store.servers(), [{ state: 'Up', stateBy: null }]);
    t.strictSame(await pendingJobs(store, MSID_A), []);
    const stores = [store, await open(), await open()];
    const changes = await Promise.all(stores.map(s => s.changeServerStateWithJobs(MSID_A, prepare, [drain, drain])));
    const [done, ...others] = changes.toSorted((a, b) => Number(b.done) - Number(a.done));
    t.match(done, { done: true, jobs: [drain, drain] });
    t.strictSame(others, [
      { done: false, state: 'PreparingForMaintenance', another: undefined },
      { done: false, state: 'PreparingForMaintenance', another: undefined },
    ]);
    t.strictSame(await pendingJobs(store, MSID_A), done?.done && done.jobs);
    t.match(await store.servers(), [{ state: 'PreparingForMaintenance', stateBy: 'admin' }]);
    t.strictSame(await store.changeServerStateWithJobs(MSID_B, prepare, [drain]), {
      done: false,
      state: undefined,
      another: undefined,
    });
    const ofAnotherRun = { from: ['PreparingForMaintenance'], to: 'ShuttingDown', runId: 'two' } as const;
    t.match(await store.changeServerStateWithJobs(MSID_A, ofAnotherRun, [drain]), { done: false });
    t.equal((await pendingJobs(store, MSID_A)).length, 2);
  });

  test('servers: of two that are prepared at the same moment one is refused', async (t, store, open) => {
    const preparing = ['PreparingForMaintenance', 'PreparingForShutDown'] as const;
    const stores = [store, await open()] as const;
    const msids = [MSID_A, MSID_B] as const;
    for (const [i, msid] of msids.entries()) {
      await store.claimServer(serverDescription(msid, { serviceIp: `192.0.2.${i}` }), claim(`run ${i}`, `folder ${i}`));
    }
    const wrong: unknown[] = [];
    for (let round = 0; round < 10; round++) {
      const to = preparing[round % 2] ?? 'PreparingForMaintenance';
      const change = { from: ['Up'], to, unlessAnotherIs: preparing } as const;
      const order = (i: 0 | 1) =>
        stores[i].changeServerStateWithJobs(msids[i], change, [{ ...job, targetMsid: msids[i] }]);
      const changes = await Promise.all([order(0), order(1)]);
      const [one, other] = changes;
      const refused = one.done ? other : one;
      const isRight =
        one.done !== other.done && !refused.done && refused.state === 'Up' && refused.another?.state === to;
      if (!isRight) wrong.push(changes);
      for (const msid of msids) await store.changeServerState(msid, { from: preparing, to: 'Up' });
    }
    t.strictSame(wrong, []);
    const jobs = await Promise.all(msids.map(msid => pendingJobs(store, msid)));
    t.equal(jobs.flat().length, 10);
  });

  test('servers: one that is Down is removed, with all that is its', async (t, store) => {
    const why = { resultCode: 530, result: '{"errortext":"removed"}' };
    await store.claimServer(serverDescription(MSID_A), claim('one'));
    await store.claimServer(serverDescription(MSID_B), claim('other', 'other folder'));
    for (const msid of [MSID_A, MSID_B]) await store.putLinkStatus(msid, 1_000, new Uint8Array([1]));
    const [waiting, running, others] = await Promise.all(
      [MSID_A, null, MSID_B].map(targetMsid => store.createJob({ ...job, targetMsid })),
    );
    await store.startJob(running?.uuid ?? '', MSID_A);
    t.equal(await store.removeServer(MSID_A, why), false, 'it is Up');
    t.equal((await store.linkStatus()).length, 2);
    await store.stopServer(MSID_A, 'one', 5_000);
    t.equal(await store.removeServer(MSID_A, why), true);
    t.equal(await store.removeServer(MSID_A, why), false, 'once');
    t.match(await store.servers(), [{ msid: MSID_B }]);
    t.match(await store.linkStatus(), [{ msid: MSID_B }]);
    for (const job of [waiting, running]) t.match(await store.job(job?.uuid ?? ''), { status: 'failed', ...why });
    t.match(await store.job(others?.uuid ?? ''), { status: 'pending' });
    t.match(await store.heartbeat(MSID_A, 'one', 8250), { kind: 'foreign' });
    t.match(await store.claimServer(serverDescription(MSID_A), claim('two', 'new folder')), { claimed: true });
    t.match(await store.servers(), [{ msid: MSID_A, state: 'Up' }, { msid: MSID_B }]);
  });

  test('link packed: one row for each server, the newest', async (t, store) => {
    t.strictSame(await store.linkStatus(), []);
    const large = new Uint8Array(300_000).map((_, i) => i % 251);
    await store.putLinkStatus(MSID_A, 1_000, new Uint8Array([1, 0, 255]));
    await store.putLinkStatus(MSID_B, 2_000, new Uint8Array());
    await store.putLinkStatus(MSID_A, 3_000, large);
    const rows = await store.linkStatus();
    t.match(rows, [
      { msid: MSID_B, at: 2_000 },
      { msid: MSID_A, at: 3_000 },
    ]);
    const isPacked = (found: typeof rows) =>
      isDeepStrictEqual(
        found.map(({ packed }) => packed),
        [new Uint8Array(), large],
      );
    t.ok(isPacked(rows));
    t.ok(rows.every(({ ageMs }) => ageMs >= 0 && ageMs < 10_000));
    const again = await store.linkStatus(rows.map(({ msid, updated }) => ({ msid, updated })));
    t.match(again, [
      { msid: MSID_B, at: 2_000, packed: undefined },
      { msid: MSID_A, at: 3_000, packed: undefined },
    ]);
    const [b] = rows;
    const some = await store.linkStatus([{ msid: MSID_B, updated: (b?.updated ?? 0) - 1 }]);
    t.ok(isPacked(some), 'what the caller has of another moment is sent again');
  });

  const make = (store: Store, more: Partial<NewJob> = {}) => store.createJob({ ...job, ...more });

  test('jobs: one server carries it out, and its outcome is there for all', async (t, store, open) => {
    const made = await make(store, { targetMsid: MSID_A, hostId: 5 });
    t.match(made, {
      ...job,
      id: 1,
      targetMsid: MSID_A,
      hostId: 5,
      status: 'pending',
      runnerMsid: null,
      progress: null,
    });
    t.strictSame(await store.job(made.uuid), made);
    t.strictSame(await pendingJobs(store, MSID_A), [made]);
    t.strictSame(await pendingJobs(store, MSID_B), []);
    t.equal(await store.startJob(made.uuid, MSID_B), false, 'not its job');
    const stores = [store, await open(), await open()];
    const started = await Promise.all(stores.map(s => s.startJob(made.uuid, MSID_A)));
    t.equal(started.filter(Boolean).length, 1);
    t.strictSame(await pendingJobs(store, MSID_A), []);
    t.equal(await store.jobProgress(made.uuid, MSID_A, '1 of 2'), true);
    t.equal(await store.jobProgress(made.uuid, MSID_B, 'no'), false);
    t.match(await store.job(made.uuid), { status: 'running', progress: '1 of 2', runnerMsid: MSID_A, started: Number });
    const outcome = { status: 'succeeded', resultCode: 0, result: '{"ok":true}' } as const;
    t.equal(await store.finishJob(made.uuid, MSID_B, outcome), false);
    t.equal(await store.finishJob(made.uuid, MSID_A, outcome), true);
    t.equal(await store.finishJob(made.uuid, MSID_A, outcome), false, 'once');
    t.match(await store.job(made.uuid), { ...outcome, completed: Number });
    t.equal(await store.job('nowhere'), undefined);
  });

  test('jobs: those that wait or run are counted for the server that they need', async (t, store) => {
    const any = await make(store);
    await make(store, { targetMsid: MSID_A });
    const finished = await make(store, { targetMsid: MSID_A });
    await store.startJob(finished.uuid, MSID_A);
    await store.finishJob(finished.uuid, MSID_A, { status: 'failed', resultCode: 530, result: '{}' });
    t.strictSame(await store.countPendingJobs(), new Map([[MSID_A, 1]]));
    await store.startJob(any.uuid, MSID_B);
    t.strictSame(
      new Map([...(await store.countPendingJobs())].toSorted()),
      new Map([
        [MSID_A, 1],
        [MSID_B, 1],
      ]),
    );
    t.equal(await store.deleteOldJobs(3_600_000), 0);
    t.equal(await store.deleteOldJobs(-3_600_000), 1, 'only finished ones');
    t.equal(await store.job(finished.uuid), undefined);
  });

  test('jobs: those of a server that died have failed', async (t, store) => {
    const running = await make(store);
    await store.startJob(running.uuid, MSID_A);
    const waiting = await make(store, { targetMsid: MSID_A });
    const others = await make(store, { targetMsid: MSID_B });
    const why = { resultCode: 530, result: '{"reason":"the server was killed"}' };
    t.equal(await store.failJobsOfServer(MSID_A, why, true), 1);
    t.match(await store.job(running.uuid), { ...why, status: 'failed' });
    t.match(await store.job(waiting.uuid), { status: 'pending' });
    t.equal(await store.failJobsOfServer(MSID_A, why), 1);
    t.match(await store.job(waiting.uuid), { ...why, status: 'failed' });
    t.match(await store.job(others.uuid), { status: 'pending' });
  });

  test('jobs: one that is not started in time is never started', async (t, store) => {
    const late = await make(store, { targetMsid: MSID_A, expiresInMs: 0 });
    const inTime = await make(store, { targetMsid: MSID_A, expiresInMs: 3_600_000 });
    t.match(inTime, { status: 'pending', completed: null });
    t.strictSame(await pendingJobs(store, MSID_A), [inTime]);
    t.equal(await store.startJob(late.uuid, MSID_A), false);
    t.match(await store.job(late.uuid), { status: 'expired', completed: late.created, runnerMsid: null, result: null });
    t.strictSame(await store.countPendingJobs(), new Map([[MSID_A, 1]]));
    t.equal(await store.startJob(inTime.uuid, MSID_A), true);
    t.equal(await store.deleteOldJobs(-3_600_000), 1, 'it goes like one that has ended');
    t.equal(await store.job(late.uuid), undefined);
  });

  test('jobs: of who cancels a job and who starts it, one has it', async (t, store, open) => {
    const other = await open();
    const why = { resultCode: 530, result: '{"errortext":"nobody needs it"}' };
    const wrong: unknown[] = [];
    for (let round = 0; round < 10; round++) {
      const { uuid } = await make(store, { targetMsid: MSID_A });
      const [isCancelled, isStarted] = await Promise.all([store.cancelJob(uuid, why), other.startJob(uuid, MSID_A)]);
      const { status } = (await store.job(uuid)) ?? {};
      if (isCancelled === isStarted || status !== (isStarted ? 'running' : 'failed')) {
        wrong.push({ isCancelled, isStarted, status });
      }
    }
    t.strictSame(wrong, []);
    const waiting = await make(store, { targetMsid: MSID_A });
    t.equal(await store.cancelJob(waiting.uuid, why), true);
    t.match(await store.job(waiting.uuid), { status: 'failed', ...why, completed: Number });
    t.equal(await store.cancelJob(waiting.uuid, why), false, 'once');
    t.equal(await store.startJob(waiting.uuid, MSID_A), false);
    t.equal(await store.cancelJob('nowhere', why), false);
  });

  test('jobs: a server finds what it has started', async (t, store) => {
    const [one, two, three] = [await make(store), await make(store, { targetMsid: MSID_A }), await make(store)];
    await store.startJob(one.uuid, MSID_A);
    await store.startJob(two.uuid, MSID_A);
    await store.startJob(three.uuid, MSID_B);
    const running = async (...except: string[]) =>
      (await store.openJobs(MSID_A, except)).running.map(({ uuid }) => uuid);
    t.strictSame(await running(), [one.uuid, two.uuid]);
    t.strictSame(await running(one.uuid, 'another'), [two.uuid]);
    t.strictSame(await running(one.uuid, two.uuid), []);
    await store.finishJob(one.uuid, MSID_A, { status: 'succeeded', resultCode: 0, result: '{}' });
    t.strictSame(await running(), [two.uuid]);
  });

  test('jobs: all of them, newest first, in pages, by server and moment', async (t, store) => {
    const any = await make(store);
    await make(store, { targetMsid: MSID_A });
    await make(store, { targetMsid: MSID_B, expiresInMs: 0 });
    await store.startJob(any.uuid, MSID_B);
    const all = { page: 1, pagesize: 10 };
    const ids = async (query: Partial<Parameters<Store['jobs']>[0]>) =>
      (await store.jobs({ ...all, ...query })).rows.map(({ id }) => id);
    t.strictSame(await ids({}), [3, 2, 1]);
    t.match(await store.jobs({ page: 2, pagesize: 2 }), { count: 3, rows: [{ id: 1, status: 'running' }] });
    t.match(await store.jobs({ page: 1, pagesize: 1 }), { count: 3, rows: [{ id: 3, status: 'expired' }] });
    await t.rejects(store.jobs({ page: 1, pagesize: ROWS_A_PAGE + 1 }), { name: 'RangeError' });
    t.strictSame(await ids({ msid: MSID_B }), [3, 1], 'it carries them out, or has to');
    t.strictSame(await ids({ msid: MSID_A }), [2]);
    t.strictSame(await ids({ since: any.created }), [3, 2, 1]);
    t.strictSame(await ids({ since: any.created + 3_600_000 }), []);
  });

  const add = (store: Store, ...events: readonly Partial<NewEvent>[]) =>
    store.addEvents(events.map(more => ({ uuid: systemRandom.uuid(), ...event, ...more })));

  test('events: newest first, in pages, by what is asked for', async (t, store) => {
    await add(
      store,
      { ageMs: 4_000_000 },
      { ageMs: 3_000_000, type: 'SERVER.DOWN', level: 'ERROR', description: 'Server 100% gone' },
      { ageMs: 2_000_000, resourceId: null, resourceType: null, msid: null, level: 'INFO' },
    );
    await add(store, { ageMs: 1_000_000, resourceId: 'other' });
    const ids = async (query: Parameters<Store['events']>[0]) => (await store.events(query)).rows.map(({ id }) => id);
    const all = { page: 1, pagesize: 10 };
    t.strictSame(await ids(all), [4, 3, 2, 1]);
    const { rows } = await store.events(all);
    const { ageMs, ...about } = event;
    const oldest = { ...about, id: 1, uuid: rows[3]?.uuid ?? '', created: rows[3]?.created ?? 0 };
    t.strictSame(await store.events({ page: 2, pagesize: 3 }), { count: 4, rows: [oldest] });
    t.strictSame(await ids({ ...all, level: 'ERROR' }), [2]);
    t.strictSame(await ids({ ...all, type: 'SERVER.DOWN' }), [2]);
    t.strictSame(await ids({ ...all, keyword: '100% G' }), [2]);
    t.strictSame(await ids({ ...all, keyword: 'agent.dis' }), [4, 3, 1]);
    t.strictSame(await ids({ ...all, since: rows[1]?.created ?? 0 }), [4, 3]);
    await store.addEvents([]);
  });

  test('regression: events: newest first is as they have happened, not as they were written', async (t, store) => {
    await add(store, { ageMs: 30_000, description: 'second' }, { ageMs: 20_000, description: 'third' });
    await add(store, { ageMs: 40_000, description: 'first' });
    const { rows } = await store.events({ page: 1, pagesize: 10 });
    t.strictSame(
      rows.map(({ description }) => description),
      ['third', 'second', 'first'],
    );
  });

  test('events: old ones go, and their ids do not come again', async (t, store) => {
    const ageMs = (i: number) => (i < 100 ? 3_700_000 : 0);
    await store.addEvents(
      Array.from({ length: 300 }, (_, i) => ({ uuid: systemRandom.uuid(), ...event, ageMs: ageMs(i) })),
    );
    t.equal(await store.deleteEvents({ ageMs: 3_600_000 }), 100);
    t.equal(await store.deleteEvents({ ageMs: 3_600_000 }), 0);
    t.equal(await store.deleteEvents({ keep: 50 }), 150);
    t.equal((await store.events({ page: 1, pagesize: 1 })).count, 50);
    await store.deleteEvents({ keep: 0 });
    await add(store, {});
    t.match(await store.events({ page: 1, pagesize: 1 }), { count: 1, rows: [{ id: 301 }] });
  });

  test('events: servers that write at the same moment mix nothing up', async (t, store, open) => {
    const stores = [store, await open(), await open()];
    await Promise.all(stores.flatMap((s, i) => [add(s, { msid: i }, { msid: i }), add(s, { msid: i })]));
    const { rows } = await store.events({ page: 1, pagesize: 20 });
    t.strictSame(
      rows.map(({ id }) => id),
      [9, 8, 7, 6, 5, 4, 3, 2, 1],
    );
  });
}
