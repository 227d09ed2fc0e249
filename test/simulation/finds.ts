// What the simulation has found, and what chance seldom leads to, each as the plan that shows it when its mend is undone.
import type { Fault, Place, Planned, Shape } from './schedule.js';
import type { LineStart } from './transcript.js';
import type { WorldJob } from './world-pool.js';

export interface Find {
  /** What holds since. */
  readonly name: string;
  /** The mutant that undoes the mend, by its name: with it the plan has to fail. */
  readonly undone: string;
  readonly shape: Shape;
  readonly plan: readonly Planned[];
}

/** All worlds of finds have it: their plans do not depend on chance. */
const SEED = 1;

/** For `WorldPool`. Pure. */
export function worldOfFind({ shape, plan }: Find): WorldJob {
  return { seed: SEED, rules: shape, faults: plan };
}

const [SERVER_1, SERVER_2]: readonly [Place, Place] = [
  { of: 'server', index: 0 },
  { of: 'server', index: 1 },
];
const AGENT_1: Place = { of: 'agent', index: 0 };

/** Milliseconds from the moment at which all were Ready. */
function at(ms: number, fault: Fault): Planned {
  return { at: ms, fault };
}

/** Milliseconds from the line of the transcript that begins so. */
function after(who: string, what: LineStart['what'], ms: number, fault: Fault): Planned {
  return { at: ms, after: { who, what }, fault };
}

export const FINDS: readonly Find[] = [
  {
    name: 'a server that stops ends the handshake with another server that it is in',
    undone: 'a handshake with another server outlives the server',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'path', from: SERVER_1, to: SERVER_2, state: 'stalled', isOneWay: false, ms: 60_000 }),
      at(1_100, { kind: 'rebalance', via: 0 }),
      at(1_500, { kind: 'stop', place: SERVER_1, ms: 1_000 }),
    ],
  },
  {
    name: 'a server that stops ends the job that waits for an agent to come back',
    undone: 'a job that waits for an agent outlives the server',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'path', from: AGENT_1, to: SERVER_2, state: 'blackhole', isOneWay: false, ms: 60_000 }),
      at(1_001, { kind: 'reconnect', via: 0, agent: 0 }),
      at(1_020, { kind: 'freeze', place: AGENT_1, ms: 20_000 }),
      at(1_300, { kind: 'stop', place: SERVER_1, ms: 1_000 }),
    ],
  },
  {
    name: 'a server whose link is dead does not take a host back from one that had it later',
    undone: 'a host that another server has had since is taken back unasked',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'configure', via: 0, name: 'host', value: '192.0.2.2,192.0.2.1', again: undefined }),
      at(2_000, { kind: 'path', from: AGENT_1, to: SERVER_1, state: 'stalled', isOneWay: true, ms: 60_000 }),
      after('agent-1', 'moved from 192.0.2.1 to 192.0.2.2', 5_000, { kind: 'stop', place: AGENT_1, ms: 20_000 }),
    ],
  },
  {
    name: 'a server that stops just after its start ends what waits until the others could be heard',
    undone: 'what waits between two calls to the store outlives the server',
    shape: { servers: 4, agents: 1 },
    plan: [
      at(1_000, { kind: 'upgrade', servers: [1, 0, 2, 3], way: 'shutdown', ms: 229 }),
      at(4_000, { kind: 'upgrade', servers: [0, 1, 2, 3], way: 'signal', ms: 891 }),
    ],
  },
  {
    name: 'of two machines with one guid the established one stays, also when it has moved a moment before',
    undone: 'the row of a host that another agent claims is not read anew',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'configure', via: 0, name: 'host', value: '192.0.2.2,192.0.2.1', again: undefined }),
      after('agent-1', 'moved from 192.0.2.1 to 192.0.2.2', 0, { kind: 'clone', agent: 0, ms: 60_000 }),
    ],
  },
  {
    name: 'an agent whose host was removed, and that was not told, comes back by a token',
    undone: 'a certificate that a server refuses in words never gives way to a token',
    shape: { servers: 2, agents: 1 },
    plan: [at(1_000, { kind: 'remove', via: 0, agent: 0, isForced: false, ms: 30_000 })],
  },
  {
    name: 'no third link beside one that a move has left, and on which a command is still answered',
    undone: 'a move begins beside a link that the one before it has left',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'freeze', place: AGENT_1, ms: 30_000 }),
      at(6_000, { kind: 'command', via: 1, agent: 0, wait: 11 }),
      at(7_000, { kind: 'provision', via: 1, agent: 0 }),
      at(17_000, { kind: 'shutdown', via: 1, server: 0, ms: 35_000 }),
    ],
  },
  {
    name: 'a job that another server has taken leaves no batch of outcomes that waits',
    undone: 'a batch of outcomes waits when its job is left',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'freeze', place: AGENT_1, ms: 30_000 }),
      at(1_500, { kind: 'job', via: 0, wait: 16 }),
      at(2_000, { kind: 'freeze', place: SERVER_1, ms: 60_000 }),
      after('server-1', 'info Job left to another server', 0, { kind: 'stop', place: SERVER_1, ms: 1_000 }),
    ],
  },
  {
    name: 'a Ready that comes late takes no host from a server with a later link of its agent',
    undone: 'a link that a later one has replaced takes the host back',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(500, { kind: 'configure', via: 0, name: 'indirect.agent.lb.check.interval', value: '2', again: undefined }),
      at(1_000, { kind: 'delay', from: AGENT_1, to: SERVER_2, delayMs: 4_500, ms: 50_000 }),
      at(2_000, { kind: 'stop', place: SERVER_1, ms: 1_000 }),
    ],
  },
  {
    name: 'a server that stops leaves no link that is to end since its host was removed',
    undone: 'the end of a link whose host was removed is waited for when the server stops',
    shape: { servers: 1, agents: 1 },
    plan: [
      at(500, { kind: 'path', from: AGENT_1, to: SERVER_1, state: 'stalled', isOneWay: true, ms: 60_000 }),
      at(1_000, { kind: 'remove', via: 0, agent: 0, isForced: true, ms: 30_000 }),
      // By then the server has read that it is removed, and the link has some time to end.
      after('operator', 'remove: done', 1_990, { kind: 'stop', place: SERVER_1, ms: 1_000 }),
    ],
  },
  {
    name: 'a Ready whose write has failed since the store was away is written when the store is back',
    undone: 'what could not be written counts as written',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'delay', from: AGENT_1, to: SERVER_2, delayMs: 500, ms: 60_000 }),
      at(1_500, { kind: 'configure', via: 0, name: 'host', value: '192.0.2.2,192.0.2.1', again: undefined }),
      // It is registered, and has not answered Ready: that is the first write that fails.
      after('agent-1', 'moved from 192.0.2.1 to 192.0.2.2', 500, {
        ...{ kind: 'store', servers: [1], weather: { kind: 'away' }, ms: 10_000 },
      }),
    ],
  },
  {
    name: 'a server that reads the configuration while it is changed has the newest one in the end',
    undone: 'the version of the configuration is read behind its rows',
    shape: { servers: 4, agents: 1 },
    plan: [
      // Of three servers that take long to read it, one reads while it is changed.
      at(1_000, { kind: 'store', servers: [1], weather: { kind: 'slow', ms: 1_900 }, ms: 40_000 }),
      at(2_000, { kind: 'store', servers: [2], weather: { kind: 'slow', ms: 1_500 }, ms: 40_000 }),
      at(3_000, { kind: 'store', servers: [3], weather: { kind: 'slow', ms: 1_100 }, ms: 40_000 }),
      at(22_000, {
        ...{ kind: 'configure', via: 0, name: 'host', again: undefined },
        value: '192.0.2.2,192.0.2.1,192.0.2.3,192.0.2.4',
      }),
    ],
  },
  {
    name: 'a server that begins to drain leaves the link of an agent whose answer to Ready is on its way',
    undone: 'a drain ends links on which Ready is being answered',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'delay', from: AGENT_1, to: SERVER_2, delayMs: 4_700, ms: 60_000 }),
      at(1_500, { kind: 'configure', via: 0, name: 'host', value: '192.0.2.2,192.0.2.1', again: undefined }),
      after('server-1', 'info Agent disconnected', 1_500, { kind: 'shutdown', via: 0, server: 1, ms: 15_000 }),
    ],
  },
  {
    name: 'an agent takes no list from the link that its move has left',
    undone: 'what an earlier link says of hosts is taken',
    shape: { servers: 2, agents: 1 },
    plan: [
      // It takes a while until the new server has sent its second Ready, and the old link ends.
      at(1_000, { kind: 'delay', from: AGENT_1, to: SERVER_2, delayMs: 2_000, ms: 60_000 }),
      at(1_500, { kind: 'configure', via: 0, name: 'host', value: '192.0.2.2,192.0.2.1', again: undefined }),
      after('agent-1', 'moved from 192.0.2.1 to 192.0.2.2', 0, {
        ...{ kind: 'configure', via: 0, name: 'host', again: undefined },
        value: '192.0.2.1,192.0.2.2',
      }),
    ],
  },
  {
    name: 'whose list stays when a canary holds for all keeps it when a host is removed',
    undone: 'an equal list stays one of the configuration that it was made from',
    shape: { servers: 2, agents: 5 },
    plan: [
      at(1_000, { kind: 'canary', via: 0, change: { algorithm: 'roundrobin' }, percent: 50, end: 'commit', ms: 2_000 }),
      at(20_000, { kind: 'remove', via: 0, agent: 0, isForced: true, ms: 2_000 }),
    ],
  },
  {
    name: 'a second order to stop ends what a stopping server waits for before its drain',
    undone: 'a drain before a stop rejects when the server has ended',
    shape: { servers: 2, agents: 1 },
    plan: [
      at(1_000, { kind: 'upgrade', servers: [1, 0], way: 'signal', ms: 148 }),
      at(2_400, { kind: 'stop', place: SERVER_2, ms: 955 }),
      at(4_000, { kind: 'stop', place: SERVER_2, ms: 1_000 }),
    ],
  },
];
