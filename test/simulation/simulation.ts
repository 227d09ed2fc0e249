import type { AgentState } from '../../src/agent/agent-state.js';
import { reasonOf } from '../../src/lib/errors.js';
import { invalidArgument } from '../../src/lib/operation-error.js';
import { isSameSet } from '../../src/lib/same-set.js';
import type { ManagementNode } from '../../src/mgmt/compose-node.js';
import type { AgentList } from '../../src/mgmt/lists/agent-list.js';
import { type AgentRow, type JobRow, ROWS_A_PAGE, type Store } from '../../src/mgmt/store/store.js';
import { formatHostList } from '../../src/protocol/index.js';
import { openStoreInMemory } from '../helpers/store-in-memory.js';
import { AGENT_FILE, AgentMachine, COUNT, RESOURCE } from './agent-machine.js';
import { Excuses, excusesOf } from './excuses.js';
import { ask, perform } from './faults.js';
import { Invariants, listIn } from './invariants.js';
import { Ledger } from './ledger.js';
import {
  type Fault,
  type FaultKind,
  hostList,
  type Place,
  type Planned,
  planFaults,
  type Shape,
  troubledMs,
} from './schedule.js';
import { ServerMachine } from './server-machine.js';
import { SimulatedNetwork } from './simulated-network.js';
import type { SimulatedProcess } from './simulated-process.js';
import { Transcript } from './transcript.js';
import { EndlessError, PHASE, quiet, World } from './world.js';

export interface WorldOptions extends Shape {
  readonly seed: number;
  /** Names of the global configuration, beside those of all worlds. */
  readonly configuration?: Readonly<Record<string, string>>;
}

export interface SimulationOptions extends WorldOptions {
  /** What may happen. */
  readonly kinds: readonly FaultKind[];
  /** In the place of what the seed would have: for shrinking. */
  readonly faults?: readonly Planned[];
}

export interface SimulationResult {
  /** What did not hold; undefined: all did. */
  readonly failure: string | undefined;
  readonly faults: readonly Planned[];
  /** Those whose moment did not come before faults stopped. */
  readonly missed: readonly Planned[];
  readonly transcript: Transcript;
  readonly simulatedMs: number;
  /** The moment from which the times of faults count: all were Ready. */
  readonly troubleFrom: number;
}

const TROUBLED_MS = 90_000;
/** Until all servers serve, and until all agents are Ready, with nothing in the way. */
const BEGINNING_MS = 60_000;
/** When faults have stopped, all is well within this. */
const SETTLED_WITHIN_MS = 240_000;
/** And stays so. */
const STAYS_MS = 6_000;
/** What may still have been under way then ends within this: a server asks after 30 s which of two links is alive. */
const STAYS_WITHIN_MS = 45_000;
/** Of an agent that is on its server and has nothing to do. */
const MOST_TIMERS = 8;
const LOOK_MS = 500;
const STOPPED_WITHIN_MS = 60_000;

const CONFIGURATION = {
  'indirect.agent.lb.check.interval': '5',
  'ping.interval': '10',
  'cluster.heartbeat.interval': '2000',
  'cluster.heartbeat.threshold': '12000',
  'management.server.shutdown.drain.timeout': '10',
};

/** The run has ended: what must hold did not. */
class Failed extends Error {
  override readonly name = 'Failed';
}

interface UnderWay {
  readonly what: string;
  /** Whose end excuses it. */
  readonly process: SimulatedProcess;
}

/** One world: servers, agents, a store and a network between them, and what happens to them. */
export class Simulation {
  readonly world: World;
  readonly network: SimulatedNetwork;
  readonly transcript: Transcript;
  readonly invariants: Invariants;
  readonly ledger: Ledger;
  /** Undefined in a story: whoever reads it judges. */
  #excuses: Excuses | undefined;
  /** What was asked of servers that may cost Ready links, and is not done. */
  readonly #asked = new Set<Fault>();
  readonly servers: readonly ServerMachine[];
  readonly agents: AgentMachine[] = [];
  /** The token of the commands of each job, by its UUID. */
  readonly jobs = new Map<string, string>();
  /** Faults have stopped. */
  isHealed = false;
  readonly #options: WorldOptions;
  readonly #underWay = new Set<UnderWay>();
  /** Serials of certificates that an operator has wanted to revoke … */
  readonly #maybeRevoked = new Set<string>();
  /** … and the jobs that do it. */
  readonly #revocations = new Map<string, JobRow>();
  #store: Store | undefined;
  #failure: string | undefined;
  #tokens = 0;

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.world = new World(options.seed);
    this.network = new SimulatedNetwork(this.world);
    this.transcript = new Transcript(() => this.world.now);
    this.invariants = new Invariants(this);
    this.ledger = new Ledger(why => this.fail(why));
    this.servers = Array.from({ length: options.servers }, (_, index) => new ServerMachine(this, index));
  }

  /** Runs the world of a seed to its end: faults, and then all has to come to be well. Never rejects for what its processes do. */
  static async run(options: SimulationOptions): Promise<SimulationResult> {
    const random = new World(options.seed).random('faults');
    const faults = options.faults ?? planFaults(random, options, { kinds: options.kinds, duringMs: TROUBLED_MS });
    let troubleFrom = 0;
    const missed = new Set(faults);
    const result = await Simulation.tell(options, async simulation => {
      troubleFrom = simulation.world.now;
      await simulation.#run(faults, missed);
    });
    return { ...result, faults, missed: [...missed], troubleFrom };
  }

  /** Runs a world in which a story happens, once all are Ready. @param story has time go on, and faults happen */
  static async tell(
    options: WorldOptions,
    story: (simulation: Simulation) => Promise<void>,
  ): Promise<Omit<SimulationResult, 'faults' | 'missed' | 'troubleFrom'>> {
    const simulation = new Simulation(options);
    const onUnhandled = (reason: unknown) => simulation.fail(`nobody has handled: ${reasonOf(reason)}`);
    process.on('unhandledRejection', onUnhandled);
    try {
      await simulation.#begin();
      await story(simulation);
    } catch (error) {
      if (error instanceof EndlessError) simulation.fail(error.message);
      else if (!(error instanceof Failed))
        simulation.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      process.off('unhandledRejection', onUnhandled);
      await simulation.#store?.close();
    }
    const { transcript, world } = simulation;
    const failure = simulation.#failure;
    if (failure !== undefined) transcript.add('world', `FAILED: ${failure}`);
    return { failure, transcript, simulatedMs: world.now };
  }

  get store(): Store {
    if (this.#store === undefined) throw new Error('there is no store yet');
    return this.#store;
  }

  /** What must hold does not: the run ends. */
  fail(why: string): void {
    this.#failure ??= why;
  }

  /** @param missed faults are taken out of it when they happen */
  async #run(faults: readonly Planned[], missed: Set<Planned>): Promise<void> {
    this.#excuses = new Excuses();
    this.transcript.add('world', 'all are Ready: the trouble begins');
    const from = this.world.now;
    for (const planned of faults) {
      const { at, after, fault } = planned;
      const plan = () => {
        this.world.plan(at, PHASE.io, undefined, () => {
          if (this.isHealed) return;
          missed.delete(planned);
          perform(this, fault);
        });
      };
      if (after === undefined) plan();
      else this.transcript.once(after, plan);
    }
    await this.#until(from + troubledMs(faults, TROUBLED_MS));
    this.#heal();
    await this.settles();
    await this.goesOn(STAYS_MS);
    // A way back that was damped may be under way just now, or one of two machines with a guid be found out.
    await this.#comes('all stays well', STAYS_WITHIN_MS, () => this.#unsettled());
    await this.invariants.checkMoves();
    await this.invariants.checkJobs();
    await this.#end();
  }

  async #begin(): Promise<void> {
    const { world, servers } = this;
    const opening = openStoreInMemory({
      // It answers within a happening.
      clock: { ...world.clock, turn: async () => {} },
      random: world.random('store'),
    });
    this.#store = await loaded(world, opening);
    const values = {
      host: hostList(servers.map((_, index) => index)),
      ...CONFIGURATION,
      ...this.#options.configuration,
    };
    await world.passes(this.store.initialiseConfiguration(new Map(Object.entries(values))), BEGINNING_MS, () => {});
    for (const server of servers) server.start();
    await this.#comes('the servers serve', BEGINNING_MS, async () =>
      servers.every(({ serving }) => serving?.notReady() === undefined && serving !== undefined)
        ? undefined
        : 'not all serve',
    );
    const [first] = servers;
    if (first?.node === undefined) throw new Error('a world needs a server');
    const { token } = await this.#passes(first.node.operations.createEnrollmentToken({ uses: 1_000 }));
    for (let index = 0; index < this.#options.agents; index++) this.join({ token });
    await this.#comes('the agents are Ready', BEGINNING_MS, async () =>
      this.agents.every(({ host }) => host !== undefined) ? undefined : 'not all are Ready',
    );
  }

  #heal(): void {
    this.isHealed = true;
    this.transcript.add('world', 'faults have stopped');
    this.network.heal();
    for (const server of this.servers) {
      server.storeLink.weather = { kind: 'good' };
      server.process?.thaw();
      server.revive();
    }
    for (const agent of this.agents) {
      agent.disk.isFull = false;
      agent.process?.thaw();
      agent.setRight();
      agent.revive();
    }
    this.hearsAgain();
    this.#putInService();
  }

  /** Until no server is out of service: an operator tries again and again. */
  #putInService(): void {
    this.world.plan(3_000, PHASE.io, undefined, () => {
      for (const [index, server] of this.servers.entries()) {
        server.revive();
        const state = server.serving?.membership.state;
        if (state === undefined || state === 'Up') continue;
        void ask(this, index, `take ${server.name} back from ${state}`, async ({ operations }) => {
          const serverId = await this.serverId(server.msid);
          if (state === 'Maintenance' || state === 'PreparingForMaintenance')
            await operations.cancelMaintenance({ serverId });
          else await operations.cancelShutdown({ serverId });
        });
      }
      for (const [index, agent] of this.agents.entries()) {
        agent.revive();
        this.bringBack(index);
        if (this.#needsToken(agent)) this.giveToken(index);
      }
      this.#putInService();
    });
  }

  /** What is not as it should be; undefined: all is well. */
  async #unsettled(): Promise<string | undefined> {
    const server = this.#unsettledServer();
    // While one of them is not there, it may keep agents away.
    const rows = server === undefined ? await this.store.hosts() : [];
    this.#checkWaysBack(rows);
    if (server !== undefined) return server;
    for (const guid of new Set(this.agents.map(agent => agent.guid))) {
      const wrong = await this.#unsettledHost(guid, rows);
      if (wrong !== undefined) return wrong;
    }
    for (const { what, process } of this.#underWay) if (process.isAlive) return `${what} has not ended`;
    const jobs = await this.store.jobs({ page: 1, pagesize: ROWS_A_PAGE });
    const open = jobs.rows.find(({ status }) => status === 'pending' || status === 'running');
    return open ? `the job ${open.cmd} is ${open.status}` : this.#leftOver(rows);
  }

  #unsettledServer(): string | undefined {
    for (const { name, serving } of this.servers) {
      if (serving === undefined) return `${name} does not serve`;
      if (serving.membership.state !== 'Up') return `${name} is ${serving.membership.state}`;
      const why = serving.notReady();
      if (why !== undefined) return `${name} is not ready: ${why}`;
    }
    return undefined;
  }

  #checkWaysBack(rows: readonly AgentRow[]): void {
    for (const machine of this.agents) {
      const { agent, host, guid } = machine;
      const row = rows.find(other => other.guid.startsWith(`${guid}-`));
      const node = this.servers.find(({ address }) => address === host)?.serving;
      if (agent === undefined || row === undefined || node === undefined) {
        this.invariants.checkWayBack(machine, false, 0);
        continue;
      }
      const { list, avoid, phase, retiring } = agent.state;
      const [preferred = ''] = list.hosts;
      const held = node.agents.registry.get(row.id)?.held;
      const { hosts, checkIntervalSeconds } = node.agents.lists.listFor(row, { held });
      const isSettled = list.hosts.join() === hosts.join() && !avoid.includes(preferred) && retiring === undefined;
      const isAway = host !== preferred && phase.kind === 'up' && phase.leaveAt === undefined;
      // Of two machines with one guid, one is refused where the other is Ready.
      const isAlone = this.agents.every(other => other === machine || other.guid !== guid || !other.isRunning);
      const isAble = isSettled && checkIntervalSeconds > 0 && isChecking(agent.state) && isAway && isAlone;
      this.invariants.checkWayBack(machine, isAble, checkIntervalSeconds * 1_000);
    }
  }

  /** What a server keeps of what is over. */
  async #leftOver(rows: readonly AgentRow[]): Promise<string | undefined> {
    const { version } = await this.store.configuration();
    for (const { name, address, serving } of this.servers) {
      if (serving === undefined) continue;
      const { registry, server, ownership, lists, propagation } = serving.agents;
      const ready = this.agents.filter(({ host }) => host === address).length;
      if (registry.size !== ready) return `${name} has ${registry.size} agents, and ${ready} are Ready there`;
      if (server.arriving > 0) return `${name} has ${server.arriving} links that arrive`;
      const dead = rows.find(({ id }) => registry.get(id) === undefined && registry.linkOf(id) !== 'none');
      if (dead !== undefined) return `${name} still counts on a link of ${dead.name}`;
      if (propagation.inFlight > 0) return `${name} is telling ${propagation.inFlight} agents their lists`;
      if (ownership.unwritten > 0) return `${name} has ${ownership.unwritten} changes of hosts to write`;
      const known = serving.hosts().length;
      if (known !== rows.length) return `${name} knows ${known} hosts, and there are ${rows.length}`;
      if (lists.configuration.version !== version)
        return `${name} has the configuration ${lists.configuration.version}, and the newest is ${version}`;
    }
    for (const row of rows) {
      const lists = this.servers.map(({ serving }) => serving?.agents.lists.listFor(row));
      const [first] = lists;
      // With shuffle each server draws an order of its own.
      if (first === undefined || first.algorithm === 'shuffle') continue;
      const other = lists.find(list => list?.hosts.join() !== first.hosts.join());
      if (other !== undefined) return `${row.name} gets the list ${first.hosts}, and by another server ${other.hosts}`;
    }
    const dead = [...this.network.ends].find(({ peer }) => peer?.isGone);
    return dead && `the connection of ${dead.local.address} to ${dead.remote.address} has no other end`;
  }

  async #isRevoked({ certificate }: AgentMachine): Promise<string | undefined> {
    const job = this.#revocations.get(certificate?.serial ?? '');
    const isDone = job !== undefined && (await this.store.job(job.uuid))?.status === 'succeeded';
    return isDone ? 'is Ready with a revoked certificate' : undefined;
  }

  /** Of all machines with a guid that are there, one is Ready; without any, nobody has the host. */
  async #unsettledHost(guid: string, rows: readonly AgentRow[]): Promise<string | undefined> {
    const there = this.agents.filter(agent => agent.guid === guid && (!agent.isGone || agent.isRunning));
    const machines = there.filter(({ isIdle }) => !isIdle);
    const row = rows.find(other => other.guid.startsWith(`${guid}-`));
    if (machines.length === 0) return this.#unsettledAbsent(guid, row, there);
    const ready = machines.filter(({ host }) => host !== undefined);
    const names = (list: readonly AgentMachine[]) => list.map(({ name }) => name).join(' and ');
    if (ready.length > 1) return `${names(ready)} have one guid, and are Ready`;
    const stopped = machines.find(({ isRunning }) => !isRunning);
    if (stopped !== undefined && machines.length > 1) return `${stopped.name} does not run`;
    const [agent = machines[0]] = ready;
    if (agent === undefined) return undefined;
    const wrong = this.#unsettledAgent(agent, row) ?? (await this.#isRevoked(agent));
    return wrong && `${agent.name}: ${wrong}`;
  }

  /** @param idle those that were told that their host was removed */
  #unsettledAbsent(guid: string, row: AgentRow | undefined, idle: readonly AgentMachine[]): string | undefined {
    if (row === undefined) return undefined;
    const told = idle.find(({ certificate }) => certificate?.uuid === row.uuid);
    if (told !== undefined) return `${told.name} stays away, and its host was not removed`;
    if (row.msid !== null || row.status === 'Up' || row.status === 'Connecting')
      return `no agent of ${guid} is there, and the store has ${row.msid}, ${row.status}`;
    const server = this.servers.find(({ serving }) => serving?.agents.registry.get(row.id) !== undefined);
    return server && `no agent of ${guid} is there, and ${server.name} has a link of it`;
  }

  #unsettledAgent(agent: AgentMachine, row: AgentRow | undefined): string | undefined {
    if (agent.agent === undefined || !agent.isRunning) return 'does not run';
    const { state } = agent.agent;
    const { host } = agent;
    if (state.phase.kind !== 'up') return `is ${state.phase.kind}, on ${host}`;
    if (row === undefined) return 'is not in the store';
    const server = this.servers.find(({ address }) => address === host);
    const node = server?.serving;
    if (server === undefined || node === undefined) return `is on ${host}, which does not serve`;
    const list = node.agents.lists.listFor(row, { held: node.agents.registry.get(row.id)?.held });
    const wrong = otherThanTold(state, list);
    if (wrong !== undefined) return wrong;
    if (host !== state.list.hosts[0] && isChecking(state)) return `is on ${host}, and prefers ${state.list.hosts[0]}`;
    if (!state.list.hosts.includes(host ?? '')) return `is on ${host}, which is not in its list`;
    const kept = formatHostList(state.list);
    for (const text of [agent.disk.text(AGENT_FILE), ...agent.disk.textsAfterPowerCut(AGENT_FILE)])
      if (listIn(text ?? '') !== kept) return `has the list ${kept}, and its disk keeps ${listIn(text ?? '')}`;
    const open = [...agent.ends].filter(({ isClosed }) => !isClosed).length;
    if (open !== 1) return `has ${open} connections`;
    const timers = agent.process?.timers ?? 0;
    if (timers > MOST_TIMERS) return `has ${timers} timers`;
    if (row.msid !== server.msid || row.status !== 'Up')
      return `is on ${server.msid}, and the store has ${row.msid}, ${row.status}`;
    if (row.msHostList !== formatHostList(state.list))
      return `has ${formatHostList(state.list)}, and the store ${row.msHostList}`;
    for (const other of this.servers) {
      const has = other.serving?.agents.registry.get(row.id) !== undefined;
      if (has !== (other === server))
        return has ? `has a link at ${other.name} as well` : `${other.name} has no link of it`;
    }
    return undefined;
  }

  /** Everything stops in good order, and leaves nothing. */
  async #end(): Promise<void> {
    this.transcript.add('world', 'all is well: everything stops');
    for (const agent of this.agents) await this.#passes(this.stopAgent(agent));
    for (const server of this.servers) await this.#passes(server.stop('SIGINT'));
    const left = [...this.network.ends].map(({ local, remote }) => `${local.address} to ${remote.address}`);
    if (left.length > 0) this.fail(`connections are left: ${left.join('; ')}`);
    await this.goesOn(0);
  }

  /** Another machine with the files of an agent. It is not started. */
  clone(copied: AgentMachine): AgentMachine {
    return this.#another({ copied });
  }

  /** A new host: it enrols with the token, and comes. */
  join({ token }: { readonly token: string }): void {
    this.#another({ token }).start();
  }

  #another(from: { readonly copied: AgentMachine } | { readonly token: string }): AgentMachine {
    const host = hostList(this.servers.map((_, index) => index));
    const agent = new AgentMachine(this, { index: this.agents.length, host, ...from });
    this.agents.push(agent);
    return agent;
  }

  // ---- for faults

  /** A fault begins that may cost Ready links. */
  excuses(fault: Fault): void {
    const addressOf = ({ of, index }: Place) => (of === 'agent' ? this.agents[index] : this.servers[index])?.address;
    const guidOf = (index: number) => this.agents[index]?.guid;
    const { now } = this.world;
    this.#excuses?.add(excusesOf(fault, now, { addressOf, guidOf }), now);
  }

  /** A fault was asked of a server, which may carry it out much later: when it is frozen, as soon as it goes on. */
  asked(fault: Fault, asking: Promise<unknown>): void {
    this.#asked.add(fault);
    void asking.then(() => this.#asked.delete(fault));
  }

  /** A process goes on: what was asked meanwhile begins only now. */
  hearsAgain(): void {
    for (const fault of this.#asked) this.excuses(fault);
  }

  /** The process of a machine ends, or is told to. */
  excusesEnd({ address }: AgentMachine | ServerMachine): void {
    this.#excuses?.addEnd(address, this.world.now);
  }

  /** Whether anything has happened by which an agent may lose its Ready link with a server. */
  mayLose(agent: AgentMachine, server: string): boolean {
    const { address, guid } = agent;
    const hasClones = this.agents.some(other => other !== agent && other.guid === guid);
    return this.#excuses?.has({ address, guid, hasClones }, server, this.world.now) ?? true;
  }

  /** The process of a machine ends at once. @returns false: it had ended before */
  endProcess(machine: AgentMachine | ServerMachine, isPowerCut: boolean): boolean {
    const { name, address, process } = machine;
    if (process === undefined || !process.isAlive) return false;
    this.excusesEnd(machine);
    this.transcript.add(name, isPowerCut ? 'its machine loses power' : 'is killed');
    process.end();
    if (isPowerCut) this.network.machineIsDown(address);
    this.network.ended(process, isPowerCut);
    return true;
  }

  /** In good order; the process ends then. */
  async stopAgent(agent: AgentMachine): Promise<void> {
    const { process } = agent;
    if (process === undefined || !process.isAlive) return;
    this.transcript.add(agent.name, 'gets SIGTERM');
    this.excusesEnd(agent);
    await agent.stop();
    if (process.timers > 0) this.fail(`${agent.name} has stopped and has ${process.timers} timers`);
    process.end();
    this.network.ended(process, false);
  }

  async serverId(msid: number): Promise<string> {
    const row = (await this.store.servers()).find(server => server.msid === msid);
    if (row === undefined) throw new Error(`server ${msid} has no row`);
    return row.uuid;
  }

  /** @throws OperationError: its host was removed */
  async hostOf(agent: number): Promise<AgentRow> {
    const guid = this.agents[agent]?.guid;
    const row = (await this.store.hosts()).find(host => host.guid.startsWith(`${guid}-`));
    if (row === undefined) throw invalidArgument('hostId', `${guid}`, 'it has no host');
    return row;
  }

  newToken(what: string): string {
    return `${what}-${++this.#tokens}`;
  }

  underWay(what: string, process: SimulatedProcess, work: Promise<unknown>): void {
    const entry: UnderWay = { what, process };
    this.#underWay.add(entry);
    const done = () => void this.#underWay.delete(entry);
    work.then(done, done);
  }

  /** What somebody has asked the process for, and waits for. */
  waitingFor(process: SimulatedProcess): readonly string[] {
    return [...this.#underWay].filter(entry => entry.process === process).map(({ what }) => what);
  }

  /** The certificate of an agent is revoked. */
  async revoke(operations: ManagementNode['operations'], index: number): Promise<void> {
    const agent = this.agents[index];
    const serial = agent?.certificate?.serial;
    if (agent === undefined || serial === undefined) return;
    this.#maybeRevoked.add(serial);
    const job = await operations.revokeCertificate({ serial });
    this.#revocations.set(serial, job);
  }

  /** An operator gives the agent a token for its guid. */
  giveToken(index: number): void {
    const via = this.servers.findIndex(({ serving }) => serving !== undefined);
    void ask(this, via, 'a token', async ({ operations }) => {
      this.agents[index]?.giveToken(await this.#tokenFor(operations, index));
    });
  }

  /** An agent whose host was removed, and that stays away, is registered anew. */
  bringBack(index: number): void {
    if (this.agents[index]?.isIdle !== true) return;
    const via = this.servers.findIndex(({ serving }) => serving !== undefined);
    void ask(this, via, 'a token', async ({ operations }) => {
      const token = await this.#tokenFor(operations, index);
      this.agents[index]?.bringBack(token);
    });
  }

  async #tokenFor(operations: ManagementNode['operations'], index: number): Promise<string> {
    const guid = `${this.agents[index]?.guid}-${RESOURCE}`;
    return (await operations.createEnrollmentToken({ guid })).token;
  }

  /** No agent of its host is Ready, and its certificate is in force no longer. */
  #needsToken({ guid, certificate, isIdle }: AgentMachine): boolean {
    if (certificate === undefined || isIdle) return false;
    if (this.agents.some(other => other.guid === guid && other.host !== undefined)) return false;
    return this.#maybeRevoked.has(certificate.serial) || !this.invariants.hasHost(certificate.uuid);
  }

  sendOne(via: number, index: number, wait: number): void {
    const agent = this.agents[index];
    const token = this.newToken('command');
    void ask(this, via, 'send', async node => {
      const { id } = await this.hostOf(index);
      const outcome = await node.send(id, [{ type: COUNT, fields: { token } }], { wait });
      this.transcript.add('operator', `${token}: ${outcome.kind}${'reason' in outcome ? ` (${outcome.reason})` : ''}`);
      const key = `${token} ${agent?.guid}`;
      if (outcome.kind === 'answered') {
        const [answer] = outcome.messages;
        if (answer?.fields.result === true && answer.fields.token !== token)
          this.fail(`the answer to ${token} is that to ${String(answer.fields.token)}`);
        if (answer?.fields.result === true && !this.ledger.hasEnded(key))
          this.fail(`${token} is answered, and was not carried out`);
      } else if ((outcome.kind === 'refused' || outcome.kind === 'cancelled') && this.ledger.hasBegun(key)) {
        this.fail(`${token} is ${outcome.kind}, and was carried out`);
      }
    });
  }

  // ---- time

  async #until(moment: number): Promise<void> {
    await this.world.runUntil(moment, () => this.#afterEach());
    await this.#afterEach();
  }

  /** Time goes on. */
  goesOn(ms: number): Promise<void> {
    return this.#until(this.world.now + ms);
  }

  /** Until all is well. */
  settles(): Promise<void> {
    return this.#comes('all is well', SETTLED_WITHIN_MS, () => this.#unsettled());
  }

  async #comes(what: string, withinMs: number, unsettled: () => Promise<string | undefined>): Promise<void> {
    const end = this.world.now + withinMs;
    let why = await unsettled();
    while (why !== undefined && this.world.now < end) {
      await this.goesOn(LOOK_MS);
      why = await unsettled();
    }
    if (why !== undefined) this.fail(`within ${withinMs / 1000} s it has not come to this: ${what}: ${why}`);
    await this.#afterEach();
  }

  #passes<T>(work: Promise<T>): Promise<T> {
    return this.world.passes(work, STOPPED_WITHIN_MS, () => this.#afterEach());
  }

  async #afterEach(): Promise<void> {
    await this.invariants.check();
    if (this.#failure !== undefined) throw new Failed(this.#failure);
  }
}

/** One whose way back did not last takes up to half an hour for the next one; with `shuffle` one check is enough. */
function isChecking({ check }: AgentState): boolean {
  return check.damping === 1 && !check.isDone;
}

/** What an agent has of what it should have been told last; undefined: all of it. Pure. */
function otherThanTold({ list, avoid, check }: AgentState, newest: AgentList): string | undefined {
  if (list.hosts.join() !== newest.hosts.join()) return `has the list ${list.hosts}, and the newest is ${newest.hosts}`;
  if (list.algorithm !== newest.algorithm)
    return `has the algorithm ${list.algorithm}, and the newest is ${newest.algorithm}`;
  if (!isSameSet(avoid, newest.avoid)) return `avoids [${avoid}], and is to avoid [${newest.avoid}]`;
  const seconds = check.intervalMs / 1_000;
  return seconds === newest.checkIntervalSeconds
    ? undefined
    : `checks each ${seconds} s, and is to do so each ${newest.checkIntervalSeconds} s`;
}

/** Its modules are loaded when they are first used, which is outside of the world. */
async function loaded<T>(world: World, opening: Promise<T>): Promise<T> {
  let isOver = false;
  opening
    .catch(() => {})
    .finally(() => {
      isOver = true;
    });
  while (!isOver) {
    await quiet();
    await world.runUntil(world.now, () => {});
  }
  return opening;
}
