import t from 'tap';
import { answersElsewhere } from '../../../src/mgmt/jobs/answers-elsewhere.js';
import { jobOutcome } from '../../../src/mgmt/jobs/job-outcome.js';
import type { JobRow } from '../../../src/mgmt/store/store.js';
import { FakeClock, settle } from '../../../src/testing/fake-clock.js';

const RUNNING: JobRow = {
  ...{ id: 1, uuid: 'j1', cmd: 'x', params: '{}', targetMsid: 1, hostId: null, createdBy: null, status: 'running' },
  ...{ runnerMsid: 1, progress: null, resultCode: null, result: null, created: 0, started: 0, completed: null },
};

function bench() {
  const clock = new FakeClock();
  const stopping = new AbortController();
  const store = { job: async () => RUNNING, cancelJob: async () => false };
  return { clock, stopping, parts: { clock, store, stopping: stopping.signal } };
}

t.test('regression: job-outcome: whoever waits for a job does so no longer when the server stops', async t => {
  const { clock, stopping, parts } = bench();
  const waiting = jobOutcome(parts, RUNNING).catch(({ code }) => code);
  await clock.advance(10_000);
  stopping.abort();
  t.equal(await waiting, 'STORE_CLOSED');
  t.equal(clock.pending, 0);
});

t.test('regression: job-outcome: a server that asks another one after an agent stops, and leaves no timer', async t => {
  const { clock, stopping, parts } = bench();
  const asking = answersElsewhere(
    { ...parts, startJob: async () => RUNNING },
    { hostId: 1, uuid: 'h1', msid: 1 },
  ).catch(({ code }) => code);
  await settle();
  t.ok(clock.pending > 0);
  stopping.abort();
  t.equal(await asking, 'STORE_CLOSED');
  t.equal(clock.pending, 0);
});
