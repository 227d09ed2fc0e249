import t from 'tap';
import {
  drainPurpose,
  KEPT_STATES,
  type ServerStep,
  stepOnSilence,
  TRANSITIONS,
} from '../../../src/mgmt/cluster/server-state.js';
import { SERVER_STATES, type ServerState } from '../../../src/mgmt/store/store.js';
import { claimServer, freshStore, MSID_1 } from '../../helpers/api-bench.js';

/** The drawing, arrow by arrow. */
const DRAWN: Readonly<Record<ServerStep, Readonly<Partial<Record<ServerState, ServerState>>>>> = {
  prepareForMaintenance: { Up: 'PreparingForMaintenance' },
  maintenanceDrained: { PreparingForMaintenance: 'Maintenance' },
  cancelMaintenance: { PreparingForMaintenance: 'Up', Maintenance: 'Up' },
  prepareForShutdown: { Up: 'PreparingForShutDown' },
  shutdownDrained: { PreparingForShutDown: 'ReadyToShutDown' },
  cancelShutdown: { PreparingForShutDown: 'Up', ReadyToShutDown: 'Up' },
  triggerShutdown: {
    Up: 'ShuttingDown',
    Maintenance: 'ShuttingDown',
    PreparingForShutDown: 'ShuttingDown',
    ReadyToShutDown: 'ShuttingDown',
  },
  silent: {
    Up: 'Down',
    PreparingForShutDown: 'Down',
    ReadyToShutDown: 'Down',
    ShuttingDown: 'Down',
  },
  silentInPreparation: { PreparingForMaintenance: 'Maintenance' },
};

const STEPS = Object.keys(TRANSITIONS) as readonly ServerStep[];

t.test('server-state: the table has the drawing’s arrows, and no other', async t => {
  const wrong: string[] = [];
  t.same([...STEPS].sort(), Object.keys(DRAWN).sort());
  for (const step of STEPS) {
    for (const state of SERVER_STATES) {
      const { from, to } = TRANSITIONS[step];
      const leadsTo = from.includes(state) ? to : undefined;
      if (leadsTo !== DRAWN[step][state]) wrong.push(`${state} ─${step}─▶ ${leadsTo}`);
    }
  }
  t.same(wrong, []);
});

t.test('server-state: in the store every step from every state does what is drawn, or nothing', async t => {
  const store = await freshStore(t);
  await claimServer(store, MSID_1, '192.0.2.1');
  const wrong: string[] = [];
  for (const step of STEPS) {
    for (const state of SERVER_STATES) {
      await store.changeServerState(MSID_1, { from: SERVER_STATES, to: state });
      const done = await store.changeServerState(MSID_1, TRANSITIONS[step]);
      const now = (await store.servers())[0]?.state;
      const drawn = DRAWN[step][state];
      if (done !== (drawn !== undefined) || now !== (drawn ?? state))
        wrong.push(`${state} ─${step}─▶ ${now} (${done})`);
    }
  }
  t.same(wrong, []);
});

t.test('server-state: a server drains in the two states of preparation', async t => {
  t.same(SERVER_STATES.map(drainPurpose), [
    undefined,
    undefined,
    'maintenance',
    undefined,
    'shutdown',
    undefined,
    undefined,
  ]);
});

t.test('server-state: every state has a way back to Up', async t => {
  const reach = new Set<ServerState>(['Up']);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { from, to } of Object.values(TRANSITIONS)) {
      for (const state of reach.has(to) ? from : []) {
        if (!reach.has(state)) grown = true;
        reach.add(state);
      }
    }
  }
  // ShuttingDown ends with the process, Down with its start.
  t.same(
    SERVER_STATES.filter(state => !reach.has(state)),
    ['Down', 'ShuttingDown'],
  );
  t.same(KEPT_STATES, ['PreparingForMaintenance', 'Maintenance']);
});

t.test('server-state: a start keeps Maintenance and the way there, and comes Up from any other state', async t => {
  const wrong: string[] = [];
  for (const state of SERVER_STATES) {
    const store = await freshStore(t);
    await claimServer(store, MSID_1, '192.0.2.1');
    await store.changeServerState(MSID_1, { from: ['Up'], to: state });
    const [row] = await store.servers();
    if (row === undefined) throw new Error('no row');
    const claim = { runId: 'next', dataDirToken: `token-${MSID_1}`, keepStates: KEPT_STATES };
    const claimed = await store.claimServer(row, claim);
    const now = claimed.claimed ? claimed.server.state : 'refused';
    if (now !== (KEPT_STATES.includes(state) ? state : 'Up')) wrong.push(`${state} ─started─▶ ${now}`);
  }
  t.same(wrong, []);
});

t.test(
  'server-state: silence takes down whoever is at work, and leaves those in maintenance where they are',
  async t => {
    const after = SERVER_STATES.map(state => {
      const step = stepOnSilence(state);
      return step === undefined ? state : TRANSITIONS[step].from.includes(state) && TRANSITIONS[step].to;
    });
    t.same(Object.fromEntries(SERVER_STATES.map((state, index) => [state, after[index]])), {
      Up: 'Down',
      Down: 'Down',
      PreparingForMaintenance: 'Maintenance',
      Maintenance: 'Maintenance',
      PreparingForShutDown: 'Down',
      ReadyToShutDown: 'Down',
      ShuttingDown: 'Down',
    });
  },
);
