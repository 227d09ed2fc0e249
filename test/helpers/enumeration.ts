import type { Test } from 'tap';
import { assignmentOf } from '../../src/mgmt/store/store.js';
import { StoreError } from '../../src/mgmt/store/store-error.js';
import { type Cluster, type ClusterNode, startCluster } from './cluster-bench.js';

export const [A, B, C] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;
export const ALL = `${A},${B},${C}`;

/** Within this simulated time the cluster is right again, with servers that are down after 12 s of silence. */
const RIGHT_WITHIN_MS = 60_000;
/** A process that was killed is started again after so long. */
const RESTART_MS = 8_000;
/** For the operation, and all writes that come of it. */
const OPERATION_MS = 8_000;

const STEP_MS = 200;

/** Calls that write what must hold. Heartbeats, events, progress and the status of links are written again and again anyway. */
const WRITES: ReadonlySet<string> = new Set([
  'assignHosts',
  'beginAssignment',
  'cancelJob',
  'changeServerState',
  'changeServerStateWithJobs',
  'claimServer',
  'createJob',
  'failJobsOfServer',
  'finishJob',
  'hostsDisconnected',
  'hostsMsHostList',
  'hostsReady',
  'registerHosts',
  'releaseHosts',
  'removeHost',
  'removeServer',
  'retireServer',
  'setClusterCheckInterval',
  'startJob',
  'stopServer',
  'updateConfiguration',
  'writeAssignments',
]);

const MISHAPS = [
  'its process is killed before',
  'the call fails before',
  'the call fails after',
  'its process is killed after',
] as const;
type Mishap = (typeof MISHAPS)[number];

/** What befalls one write of the cluster, counted from now. */
export class Disturbance {
  readonly #mishap: Mishap;
  #left: number;
  /** Which one it was; undefined while it has not come. */
  write: string | undefined;
  killed: ClusterNode | undefined;

  constructor(mishap: Mishap, at: number) {
    this.#mishap = mishap;
    this.#left = at;
  }

  /** Nothing more is disturbed. */
  end(): void {
    this.#left = Number.POSITIVE_INFINITY;
  }

  attach(node: ClusterNode): void {
    node.faults[this.#mishap.endsWith('after') ? 'after' : 'before'] = call => {
      if (this.write !== undefined || !WRITES.has(call) || this.#left-- > 0) return;
      this.write = `${call} of ${node.address}`;
      if (this.#mishap.startsWith('its process')) {
        node.faults.isAway = true;
        this.killed = node;
      }
      throw new StoreError('STORE_UNAVAILABLE', call);
    };
  }
}

export interface Operation {
  readonly name: string;
  readonly configuration?: Readonly<Record<string, string>>;
  /** @default 2 */
  readonly agents?: number;
  /** @returns what `check` compares with */
  before?(cluster: Cluster): Promise<unknown>;
  /** What must hold beside all that holds always. @returns what is wrong */
  check?(cluster: Cluster, memory: unknown): Promise<readonly string[]>;
  run(cluster: Cluster, disturbance: Disturbance): Promise<unknown>;
}

/**
 * Of so many writes that follow each other one is disturbed, by each mishap another one. 1 is every write by every mishap:
 * `MUSTER_STRIDE=1 npm test -- test/scenarios/enumeration-*.test.ts`, some minutes.
 */
const STRIDE = Number(process.env.MUSTER_STRIDE ?? 7);

/** Registers a test for each mishap: after it the cluster comes right by itself. */
export function enumerates(t: Pick<Test, 'test'>, operations: readonly Operation[]): void {
  for (const [index, operation] of operations.entries()) {
    for (const [offset, mishap] of MISHAPS.entries()) {
      const name = `enumeration: ${operation.name} comes right when ${mishap} a store write (each ${STRIDE})`;
      t.test(`regression: ${name}`, t => enumerate(t, operation, mishap, (index + offset) % STRIDE));
    }
  }
}

/** Each write in turn, until there is none so late, or one after which the cluster does not come right. */
async function enumerate(t: Test, operation: Operation, mishap: Mishap, first: number): Promise<void> {
  for (let at = first; ; at += STRIDE) {
    const disturbance = new Disturbance(mishap, at);
    let isLast = false;
    await t.test(`write ${at}`, async t => {
      const wrong = await outcome(t, operation, disturbance);
      t.same(wrong, [], `${mishap} ${disturbance.write}`);
      // Before the end of the cluster, which writes, too.
      isLast = disturbance.write === undefined || wrong.length > 0;
      if (at === 0) t.not(disturbance.write, undefined, 'the operation writes');
      disturbance.end();
    });
    if (isLast) return;
  }
}

/** @returns what is not right in the end */
async function outcome(t: Test, operation: Operation, disturbance: Disturbance): Promise<readonly string[]> {
  const cluster = await startCluster(t, [A, B, C], {
    'indirect.agent.lb.check.interval': '5',
    'management.server.maintenance.timeout': '1',
    'cluster.heartbeat.threshold': '12000',
    ...operation.configuration,
  });
  await cluster.addAgents(operation.agents ?? 2, ALL);
  const goesOn = (ms: number) => cluster.goesOn(ms);
  await goesOn(2_000);
  const memory = await operation.before?.(cluster);
  for (const node of cluster.nodes.values()) if (node.isRunning) disturbance.attach(node);
  // What it says is not looked at: it may fail.
  const run = operation.run(cluster, disturbance).catch(() => {});
  for (let gone = 0; gone < OPERATION_MS && disturbance.write === undefined; gone += STEP_MS) await goesOn(STEP_MS);
  if (disturbance.write === undefined) return [];
  if (disturbance.killed?.isRunning) await cluster.passes(disturbance.killed.kill().catch(() => {}));
  if (disturbance.killed) await goesOn(RESTART_MS);
  await cluster.passes(run);
  let wrong: readonly string[] = [];
  let looksInOrder = 0;
  for (const end = cluster.clock.now() + RIGHT_WITHIN_MS; cluster.clock.now() < end && looksInOrder < 2; ) {
    await supervise(cluster);
    await goesOn(2_000);
    wrong = [...(await whatIsWrong(cluster)), ...((await operation.check?.(cluster, memory)) ?? [])];
    looksInOrder = wrong.length === 0 ? looksInOrder + 1 : 0;
  }
  return wrong;
}

/** As systemd does: who was killed or did not come up is started again; who was told to end, ends. */
async function supervise(cluster: Cluster): Promise<void> {
  for (const [address, node] of cluster.nodes) {
    if (node.isRunning && node.wasToldToStop) await cluster.passes(node.stop('SIGTERM'));
    else if (!node.isRunning && !node.wasToldToStop) await cluster.start(address);
  }
}

async function whatIsWrong(cluster: Cluster): Promise<string[]> {
  const { store } = cluster;
  const wrong: string[] = [];
  const servers = await store.servers();
  for (const { serviceIp, state } of servers) {
    if (/^Preparing|^ShuttingDown/.test(state)) wrong.push(`${serviceIp} is ${state}`);
    const isRunning = cluster.nodes.get(serviceIp)?.isRunning === true;
    if (isRunning === (state === 'Down'))
      wrong.push(`${serviceIp} ${isRunning ? 'runs' : 'does not run'}, and is ${state}`);
  }
  for (const { address, isRunning } of cluster.nodes.values()) {
    if (isRunning && servers.every(({ serviceIp }) => serviceIp !== address)) wrong.push(`${address} has no row`);
  }
  for (const [msid, jobs] of await store.countPendingJobs()) wrong.push(`${jobs} jobs of ${msid} have not ended`);
  const { values, assignmentGeneration } = await store.configuration();
  const hosts = await store.hosts();
  const clusters = new Map((await store.clusters()).map(({ id, checkIntervalSeconds }) => [id, checkIntervalSeconds]));
  const commonInterval = Number(values.get('indirect.agent.lb.check.interval'));
  for (const row of hosts) {
    const { guid, status, msid } = row;
    const preferred = assignmentOf(row, assignmentGeneration);
    const agent = cluster.agents.find(agent => `${agent.guid}-R` === guid);
    const nodes = [...cluster.nodes.values()].filter(({ node }) => node.agents.registry.byGuid(guid) !== undefined);
    if (agent === undefined) wrong.push(`${guid} has a row, and no agent`);
    if (nodes.length > 1) wrong.push(`${guid} is on ${nodes.map(({ address }) => address)}`);
    const [node] = nodes;
    // One that was stopped has no link, and may have none.
    const host = agent?.isStopped ? undefined : agent?.host;
    if (host !== node?.address) wrong.push(`${guid} is on ${host}, and the servers say ${node?.address}`);
    if (!agent?.isStopped && node === undefined) wrong.push(`${guid} is nowhere: ${agent?.agent.state.phase.kind}`);
    if (msid !== (node?.msid ?? null) || (status === 'Up') !== (node !== undefined) || status === 'Connecting') {
      wrong.push(`${guid} is on ${node?.address}, and its row says ${status} on ${msid}`);
    }
    const seconds = clusters.get(row.clusterId ?? 0) ?? commonInterval;
    const toldMs = agent?.agent.state.check.intervalMs;
    if (host !== undefined && toldMs !== seconds * 1_000) {
      wrong.push(`${guid} checks each ${toldMs} ms, and the configuration says ${seconds} s`);
    }
    const isAssigned = values.get('indirect.agent.lb.algorithm') === 'rendezvous' && preferred !== null;
    if (isAssigned && !values.get('host')?.split(',').includes(preferred)) {
      wrong.push(`${guid} is assigned to ${preferred}, which is not in host`);
    }
  }
  for (const { guid, agent } of cluster.agents) {
    const hasRow = hosts.some(host => host.guid === `${guid}-R`);
    const isIdle = agent.state.phase.kind === 'idle';
    if (hasRow === isIdle) wrong.push(`${guid} is ${agent.state.phase.kind}, and ${hasRow ? 'has a' : 'has no'} row`);
  }
  return wrong;
}
