import type { Agent } from '../../src/agent/agent.js';
import type { ManagementNode } from '../../src/mgmt/compose-node.js';
import { readLargePage } from '../../src/mgmt/store/pages.js';
import { type AgentRow, type MoveRow, ROWS_A_PAGE } from '../../src/mgmt/store/store.js';
import { formatHostList } from '../../src/protocol/index.js';
import { AGENT_FILE, type AgentMachine, JOURNAL_FILE, RESOURCE } from './agent-machine.js';
import type { ServerMachine } from './server-machine.js';
import type { SimulatedProcess } from './simulated-process.js';
import type { Simulation } from './simulation.js';

/** More than any backoff allows: several servers, again and again. */
/** Of a check interval of a second, less a tenth, and some of other causes. */
const MOST_DIALS = 70;
const DIALS_WITHIN_MS = 60_000;
/** Two only while it moves. */
const MOST_LINKS = 2;
/** Commands in progress are answered on the old link, for so long at most, and then it closes. */
const TWO_LINKS_MS = 40_000;
/** A check of the preferred host waits for commands in progress; then a new link has to become Ready. */
const WAY_BACK_MS = 10_000;
/** The calls that change whose a host is, and which hosts there are. */
const HOST_CALLS: ReadonlySet<string> = new Set([
  ...['hostsReady', 'hostsDisconnected', 'releaseHosts', 'retireServer'],
  ...['registerHosts', 'useEnrollmentToken', 'removeHost'],
]);
/** An agent that has no Ready link any more has lost it, or was told to stop. A move never takes it. */
const LOST_BY_A_MOVE: ReadonlySet<string> = new Set([
  ...['tick', 'connected', 'dial-failed', 'address-failed', 'same-server', 'startup-answered', 'ready', 'retired'],
  ...['update', 'migrate', 'credentials', 'send-startup', 'suspect', 'heard'],
]);

/** More than there are of a host. */
const MOST_MOVES = 1_000;

/** The host list in an agent.properties. */
export function listIn(text: string): string | undefined {
  return /^host=(.*)$/m.exec(text)?.[1];
}

/** By its epoch: a loss comes behind the arrival in the same one. */
function placeOf({ id, kind }: MoveRow): number {
  return 2 * Number(id.split('-')[1]) + (kind === 'lost' ? 1 : 0);
}

/** What must hold at every step of a world. */
export class Invariants {
  readonly #simulation: Simulation;
  /** The last server that the store has given each host to. */
  readonly #owners = new Map<number, { readonly msid: number; readonly changed: number; readonly since: number }>();
  /** When an agent became Ready on a server the last time, by its machine and the server's address … */
  readonly #readyAt = new Map<string, number>();
  /** … and when it connected to it. */
  readonly #connectedAt = new Map<string, number>();
  /** Since when an agent that does not move has two links, by its machine. */
  readonly #twoSince = new Map<string, number>();
  readonly #dials = new Map<string, number[]>();
  /** The host lists that each agent has had, as its file has them, by its machine. */
  readonly #lists = new Map<string, Set<string>>();
  /** The list that the agent's present process has, by its machine. */
  readonly #taken = new Map<string, { readonly agent: Agent; readonly list: string }>();
  /** Since when an agent could go back to its preferred host, by its machine. */
  readonly #awaySince = new Map<string, number>();
  /** The guids of all hosts that there were, by their UUID, and the UUIDs of those that there are, by their id. */
  readonly #guids = new Map<string, string>();
  #present = new Map<number, string>();
  readonly #removed = new Set<number>();
  /** Agents that have become Ready, with what their certificate names. */
  #presented: { readonly agent: AgentMachine; readonly uuid: string }[] = [];
  #areHostsChanged = false;
  /** Which server has each host in the store now. */
  readonly #holders = new Map<number, number | null>();
  /** Servers that have written, since the last look, that they have lost hosts. */
  readonly #disconnecting = new Set<number>();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Looked at after each happening. */
  async check(): Promise<void> {
    const { agents } = this.#simulation;
    for (const agent of agents) {
      if (!agent.isRunning) continue;
      this.#noteList(agent);
      this.#checkLinks(agent);
    }
    if (this.#areHostsChanged) await this.#checkHosts();
  }

  /** A call of a server to the store was carried out. */
  storeCalled(call: string, msid: number): void {
    if (!HOST_CALLS.has(call)) return;
    this.#areHostsChanged = true;
    if (call === 'hostsDisconnected') this.#disconnecting.add(msid);
  }

  agentConnects({ name }: AgentMachine, address: string): void {
    this.#connectedAt.set(`${name} ${address}`, this.#simulation.world.now);
  }

  /** An agent begins to dial. */
  agentDials(agent: AgentMachine, address: string): void {
    const { now } = this.#simulation.world;
    const dials = (this.#dials.get(agent.name) ?? []).filter(at => at > now - DIALS_WITHIN_MS);
    dials.push(now);
    this.#dials.set(agent.name, dials);
    if (dials.length > MOST_DIALS) this.#fail(`${agent.name} has dialled ${dials.length} times within a minute`);
    const state = agent.agent?.state;
    if (state === undefined || !state.avoid.includes(address)) return;
    const { phase } = state;
    const tried = [...state.failed, ...(phase.kind === 'joining' ? phase.dials.map(({ host }) => host) : [])];
    const better = state.list.hosts.filter(host => !state.avoid.includes(host) && !tried.includes(host));
    // Beside the dials of an agent that looks for a server there are those of a move, and of a doctor.
    const isMeant = phase.kind !== 'joining';
    if (better.length > 0 && !isMeant)
      this.#fail(`${agent.name} dials ${address}, which it is to avoid, before ${better}`);
  }

  agentReady(agent: AgentMachine, address: string): void {
    const { name, certificate } = agent;
    this.#readyAt.set(`${name} ${address}`, this.#simulation.world.now);
    if (certificate === undefined) return;
    this.#presented.push({ agent, uuid: certificate.uuid });
    this.#areHostsChanged = true;
  }

  /** An operator was told that the host is removed. */
  hostRemoved(id: number): void {
    this.#removed.add(id);
    this.#areHostsChanged = true;
  }

  /** Whether there is a host with this UUID. */
  hasHost(uuid: string): boolean {
    return [...this.#present.values()].includes(uuid);
  }

  agentLost(agent: AgentMachine, server: string, reason: string): void {
    if (LOST_BY_A_MOVE.has(reason)) this.#fail(`${agent.name} has left its Ready link without another one (${reason})`);
    if (!this.#simulation.mayLose(agent, server))
      this.#fail(`${agent.name} has lost its Ready link, and nothing has happened to it or to ${server}: ${reason}`);
  }

  /** An agent carries a command out from now on: it does not do so again after a power failure. */
  commandBegins({ name, disk }: AgentMachine, id: string): void {
    for (const text of disk.textsAfterPowerCut(JOURNAL_FILE))
      if (text?.includes(id) !== true) this.#fail(`${name} begins a command whose id a power cut would take`);
  }

  /** The file of an agent was written by somebody else. */
  fileGiven({ name, disk }: AgentMachine): void {
    this.#listsOf(name).add(listIn(disk.text(AGENT_FILE) ?? '') ?? '');
  }

  /** The file of an agent has changed: it has a list that the agent was given, whole. */
  fileChanged(agent: AgentMachine): void {
    this.#checkFile(agent, 'now', agent.disk.text(AGENT_FILE));
    for (const text of agent.disk.textsAfterPowerCut(AGENT_FILE)) this.#checkFile(agent, 'after a power cut', text);
  }

  #checkFile(agent: AgentMachine, when: string, text: string | undefined): void {
    const wrong = this.#objectionTo(agent, text);
    if (wrong !== undefined) this.#fail(`agent.properties of ${agent.name} ${when} ${wrong}: ${JSON.stringify(text)}`);
  }

  /**
   * Faults have stopped: an agent that could be on its preferred host goes there by its next check.
   * @param isAble nothing keeps it away any more
   */
  checkWayBack({ name, agent }: AgentMachine, isAble: boolean, intervalMs: number): void {
    const { now } = this.#simulation.world;
    if (agent === undefined || !isAble) {
      this.#awaySince.delete(name);
      return;
    }
    const since = this.#awaySince.get(name) ?? now;
    this.#awaySince.set(name, since);
    if (now - since > intervalMs + WAY_BACK_MS)
      this.#fail(`${name} is not on its preferred host ${(now - since) / 1_000} s after nothing keeps it away`);
  }

  /** A server has stopped in good order. */
  serverStopped(server: ServerMachine, process: SimulatedProcess, node: ManagementNode): void {
    const { size } = node.agents.registry;
    if (size > 0) this.#fail(`${server.name} has stopped and has ${size} agents`);
    const { arriving } = node.agents.server;
    if (arriving > 0) this.#fail(`${server.name} has stopped and has ${arriving} links that arrive`);
    for (const what of this.#simulation.waitingFor(process))
      this.#fail(`${server.name} has stopped, and somebody waits for ever: ${what}`);
    if (process.timers > 0) this.#fail(`${server.name} has stopped and has ${process.timers} timers`);
  }

  #objectionTo({ name, guid }: AgentMachine, text: string | undefined): string | undefined {
    if (text === undefined) return 'is not there';
    if (!text.startsWith(`# of an operator\nguid=${guid}\n`) || !text.endsWith('\n')) return 'is not whole';
    return this.#lists.get(name)?.has(listIn(text) ?? '') ? undefined : 'has a list that nobody has given';
  }

  #noteList({ name, agent, host, heard }: AgentMachine): void {
    if (agent === undefined) return;
    const list = formatHostList(agent.state.list);
    const before = this.#taken.get(name);
    this.#taken.set(name, { agent, list });
    this.#listsOf(name).add(list);
    if (before?.agent === agent && before.list !== list && heard !== host)
      this.#fail(`${name} has taken a list from ${heard}, and its Ready link is one to ${host}`);
  }

  #listsOf(name: string): Set<string> {
    const known = this.#lists.get(name) ?? new Set();
    this.#lists.set(name, known);
    return known;
  }

  #checkLinks(agent: AgentMachine): void {
    let open = 0;
    for (const end of agent.ends) {
      if (end.isClosed) agent.ends.delete(end);
      else if (end.isOpen) open++;
    }
    if (open > MOST_LINKS) this.#fail(`${agent.name} has ${open} links`);
    const isMoving = agent.agent?.state.phase.kind !== 'up' || agent.process?.isFrozen === true;
    if (open < 2 || isMoving) {
      this.#twoSince.delete(agent.name);
      return;
    }
    const { now } = this.#simulation.world;
    const since = this.#twoSince.get(agent.name) ?? now;
    this.#twoSince.set(agent.name, since);
    if (now - since > TWO_LINKS_MS)
      this.#fail(`${agent.name} has two links for ${TWO_LINKS_MS / 1_000} s, and does not move`);
  }

  async #checkHosts(): Promise<void> {
    this.#areHostsChanged = false;
    const rows = await this.#simulation.store.hosts();
    const present = new Map(rows.map(({ id, uuid }) => [id, uuid]));
    for (const id of this.#present.keys()) if (!present.has(id)) this.#removed.add(id);
    for (const id of this.#removed) if (present.has(id)) this.#fail(`host ${id} is there again, and was removed`);
    this.#present = present;
    for (const { guid, uuid } of rows) this.#guids.set(uuid, guid);
    this.#checkCertificates();
    this.#checkLosses(rows);
    this.#checkOwners(rows);
  }

  /** Only the server that has a host can lose it. */
  #checkLosses(rows: readonly AgentRow[]): void {
    for (const { id, name, msid } of rows) {
      const former = this.#holders.get(id) ?? null;
      this.#holders.set(id, msid);
      if (msid === null && former !== null && this.#disconnecting.size > 0 && !this.#disconnecting.has(former))
        this.#fail(`a server has written that it has lost ${name}, which server ${former} has`);
    }
    this.#disconnecting.clear();
  }

  /** In the end: each record of a move begins where the one before it has led to, and the last one where the host is. */
  async checkMoves(): Promise<void> {
    const { store } = this.#simulation;
    for (const { id, name, msid } of await store.hosts()) {
      const { rows } = await readLargePage(part => store.moves(part), { hostId: id, page: 1, pagesize: MOST_MOVES });
      let [holder, last]: (number | null)[] = [null, null];
      for (const move of rows.toSorted((one, other) => placeOf(one) - placeOf(other))) {
        const from = holder ?? (move.kind === 'lost' ? null : last);
        if (move.from !== from) this.#fail(`${name} has moved from ${move.from}, and was on ${from}: ${move.id}`);
        if (move.gapMs !== null && (move.gapMs < 0 || move.gapMs > this.#simulation.world.now))
          this.#fail(`${name} was ${move.gapMs} ms without a Ready link: ${move.id}`);
        [holder, last] = [move.to, move.to ?? last];
      }
      if (holder !== msid) this.#fail(`the last move of ${name} leads to ${holder}, and the store has ${msid}`);
    }
  }

  /** In the end: what a job says of each host is what has happened there. */
  async checkJobs(): Promise<void> {
    const { jobs, ledger, store } = this.#simulation;
    for (const [uuid, token] of jobs) {
      const { rows = [] } = (await store.commandResults({ uuid, page: 1, pagesize: ROWS_A_PAGE })) ?? {};
      for (const { state, isGood, answers, hostUuid, hostName } of rows) {
        const key = `${token} ${this.#guids.get(hostUuid)?.replace(`-${RESOURCE}`, '')}`;
        const what = `${token} is ${state} at ${hostName}`;
        if (state === 'waiting' || state === 'taken') this.#fail(`${what}, and its job has ended`);
        if (state === 'answered' && isGood && !ledger.hasEnded(key)) this.#fail(`${what}, and was not carried out`);
        if (state === 'answered' && isGood && answers?.includes(`"${token}"`) === false)
          this.#fail(`${what} with the answer to something else: ${answers}`);
        if ((state === 'refused' || state === 'cancelled') && ledger.hasBegun(key))
          this.#fail(`${what}, and was carried out`);
      }
    }
  }

  /** A certificate is used for its host alone. */
  #checkCertificates(): void {
    for (const { agent, uuid } of this.#presented.splice(0)) {
      const guid = this.#guids.get(uuid);
      if (guid !== undefined && !guid.startsWith(`${agent.guid}-`))
        this.#fail(`${agent.name} is Ready with the certificate of the host with the guid ${guid}`);
    }
  }

  /** Whose a host is in the store is never a server that a later Ready has replaced. */
  #checkOwners(rows: readonly AgentRow[]): void {
    const { agents, servers } = this.#simulation;
    for (const { id, guid, msid, changed } of rows) {
      if (msid === null) continue;
      const row = this.#owners.get(id);
      if (row?.changed !== changed) this.#owners.set(id, { msid, changed, since: this.#simulation.world.now });
      if (row === undefined || row.msid === msid) continue;
      const { msid: former, since } = row;
      const addressOf = (other: number) => servers.find(server => server.msid === other)?.address ?? '';
      const [now, before] = [addressOf(msid), addressOf(former)];
      // One, or several of which one is a clone.
      const machines = agents.filter(other => guid.startsWith(`${other.guid}-`));
      const isLater = ({ name }: AgentMachine) => {
        const connectedAt = this.#connectedAt.get(`${name} ${now}`);
        // A Ready that came after the row was written is not in it yet: the one that is was earlier.
        const readyAt = Math.min(this.#readyAt.get(`${name} ${before}`) ?? 0, since);
        return connectedAt !== undefined && connectedAt >= readyAt;
      };
      if (machines.length > 0 && !machines.some(isLater))
        this.#fail(`the store gives ${machines[0]?.name} to ${now}, though it was Ready on ${before} later`);
    }
  }

  #fail(why: string): void {
    this.#simulation.fail(why);
  }
}
