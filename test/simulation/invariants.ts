import type { ManagementNode } from '../../src/mgmt/compose-node.js';
import { AGENT_FILE, type AgentMachine } from './agent-machine.js';
import type { ServerMachine } from './server-machine.js';
import type { SimulatedProcess } from './simulated-process.js';
import type { Simulation } from './simulation.js';

/** More than any backoff allows: several servers, again and again. */
const MOST_DIALS = 60;
const DIALS_WITHIN_MS = 60_000;
/** Two only while it moves. */
const MOST_LINKS = 2;
/** The calls that change whose a host is. */
const OWNER_CALLS: ReadonlySet<string> = new Set(['hostsReady', 'hostsDisconnected', 'releaseHosts', 'retireServer']);
/** An agent that has no Ready link any more has lost it, or was told to stop. A move never takes it. */
const LOST_BY_A_MOVE: ReadonlySet<string> = new Set([
  ...['tick', 'connected', 'dial-failed', 'address-failed', 'same-server', 'startup-answered', 'ready', 'retired'],
  ...['update', 'migrate', 'credentials', 'send-startup', 'suspect', 'heard'],
]);

/** What must hold at every step of a world. */
export class Invariants {
  readonly #simulation: Simulation;
  /** The last server that the store has given each host to. */
  readonly #owners = new Map<number, number>();
  /** When an agent became Ready on a server the last time, by guid and address … */
  readonly #readyAt = new Map<string, number>();
  /** … and when it connected to it. */
  readonly #connectedAt = new Map<string, number>();
  readonly #dials = new Map<string, number[]>();
  /** The host that an agent's certificates have named so far. */
  readonly #uuids = new Map<string, string>();
  #isOwnerChanged = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Looked at after each happening. */
  async check(): Promise<void> {
    const { agents } = this.#simulation;
    for (const agent of agents) {
      if (!agent.isRunning) continue;
      this.#checkLinks(agent);
    }
    if (this.#isOwnerChanged) await this.#checkOwners();
  }

  /** A call to the store was carried out. */
  storeCalled(call: string): void {
    if (OWNER_CALLS.has(call)) this.#isOwnerChanged = true;
  }

  agentConnects({ guid }: AgentMachine, address: string): void {
    this.#connectedAt.set(`${guid} ${address}`, this.#simulation.world.now);
  }

  /** An agent begins to dial. */
  agentDials(agent: AgentMachine, address: string): void {
    const { now } = this.#simulation.world;
    const dials = (this.#dials.get(agent.guid) ?? []).filter(at => at > now - DIALS_WITHIN_MS);
    dials.push(now);
    this.#dials.set(agent.guid, dials);
    if (dials.length > MOST_DIALS) this.#fail(`${agent.name} has dialled ${dials.length} times within a minute`);
    const state = agent.agent?.state;
    if (state === undefined || !state.avoid.includes(address)) return;
    const { phase } = state;
    const tried = [...state.failed, ...(phase.kind === 'joining' ? phase.dials.map(({ host }) => host) : [])];
    const better = state.list.hosts.filter(host => !state.avoid.includes(host) && !tried.includes(host));
    const isMeant = phase.kind === 'up' || phase.kind === 'moving' || phase.kind === 'settling';
    if (better.length > 0 && !isMeant)
      this.#fail(`${agent.name} dials ${address}, which it is to avoid, before ${better}`);
  }

  agentReady({ guid, name, certificate }: AgentMachine, address: string): void {
    this.#readyAt.set(`${guid} ${address}`, this.#simulation.world.now);
    if (certificate === undefined) return;
    const uuid = this.#uuids.get(guid) ?? certificate.uuid;
    this.#uuids.set(guid, uuid);
    if (uuid !== certificate.uuid)
      this.#fail(`${name} is Ready with the certificate of host ${certificate.uuid}, and is host ${uuid}`);
  }

  agentLost(agent: AgentMachine, reason: string): void {
    if (LOST_BY_A_MOVE.has(reason)) this.#fail(`${agent.name} has left its Ready link without another one (${reason})`);
  }

  /** The file of an agent has changed: it has the old or the new list, whole. */
  fileChanged(agent: AgentMachine): void {
    for (const [when, text] of [
      ['now', agent.disk.text(AGENT_FILE)],
      ['after a power cut', agent.disk.textAfterPowerCut(AGENT_FILE)],
    ] as const) {
      const wrong = this.#objectionTo(agent, text);
      if (wrong !== undefined)
        this.#fail(`agent.properties of ${agent.name} ${when} ${wrong}: ${JSON.stringify(text)}`);
    }
  }

  /** A server has stopped in good order. */
  serverStopped(server: ServerMachine, process: SimulatedProcess, node: ManagementNode): void {
    const { size } = node.agents.registry;
    if (size > 0) this.#fail(`${server.name} has stopped and has ${size} agents`);
    if (process.timers > 0) this.#fail(`${server.name} has stopped and has ${process.timers} timers`);
  }

  #objectionTo({ guid }: AgentMachine, text: string | undefined): string | undefined {
    if (text === undefined) return 'is not there';
    if (!text.startsWith(`# of an operator\nguid=${guid}\n`) || !text.endsWith('\n')) return 'is not whole';
    const hosts = /^host=([^@\n]*)(?:@\w+)?$/m.exec(text)?.[1]?.split(',') ?? [];
    const addresses = this.#simulation.servers.map(({ address }) => address);
    const isWhole = hosts.length === addresses.length && addresses.every(address => hosts.includes(address));
    return isWhole ? undefined : 'has a list that nobody has given';
  }

  #checkLinks(agent: AgentMachine): void {
    let open = 0;
    for (const end of agent.ends) {
      if (end.isClosed) agent.ends.delete(end);
      else if (end.isOpen) open++;
    }
    if (open > MOST_LINKS) this.#fail(`${agent.name} has ${open} links`);
  }

  /** Whose a host is in the store is never a server that a later Ready has replaced. */
  async #checkOwners(): Promise<void> {
    this.#isOwnerChanged = false;
    const { store, agents, servers } = this.#simulation;
    for (const { id, guid, msid } of await store.hosts()) {
      if (msid === null) continue;
      const former = this.#owners.get(id);
      this.#owners.set(id, msid);
      if (former === undefined || former === msid) continue;
      const agent = agents.find(other => guid.startsWith(`${other.guid}-`));
      const addressOf = (other: number) => servers.find(server => server.msid === other)?.address ?? '';
      if (agent === undefined) continue;
      const [now, before] = [addressOf(msid), addressOf(former)];
      const connectedAt = this.#connectedAt.get(`${agent.guid} ${now}`) ?? 0;
      if (connectedAt < (this.#readyAt.get(`${agent.guid} ${before}`) ?? 0)) {
        this.#fail(`the store gives ${agent.name} to ${now}, though it was Ready on ${before} later`);
      }
    }
  }

  #fail(why: string): void {
    this.#simulation.fail(why);
  }
}
