import type { Agent } from '../../src/agent/agent.js';
import { readProperties } from '../../src/agent/agent-properties.js';
import { readyLink } from '../../src/agent/agent-state.js';
import { composeAgent } from '../../src/agent/compose-agent.js';
import type { Dialer } from '../../src/agent/dial/dialer.js';
import { defineResource } from '../../src/agent/resources/define-resource.js';
import { readSettings } from '../../src/agent/settings.js';
import { delay } from '../../src/lib/clock.js';
import type { Random } from '../../src/lib/random.js';
import { CERTIFICATE_FILE, type HostCertificate, SimulatedTrust } from './certificates.js';
import { SimulatedDisk } from './simulated-disk.js';
import { SimulatedContext, type SimulatedEnd } from './simulated-end.js';
import { MachineClock, SimulatedProcess } from './simulated-process.js';
import type { Simulation } from './simulation.js';

export const AGENT_FILE = '/agent/agent.properties';
export const JOURNAL_FILE = '/agent/commands.journal';
/** Carried out by the agents' resource, and counted. */
export const COUNT = 'com.example.CountCommand';
/** The end of the guid that servers get. */
export const RESOURCE = 'Simulated';
const CERTIFICATE_PATH = `/agent/${CERTIFICATE_FILE}`;
export const AGENT_PORT = 8250;
const LONGEST_COMMAND_MS = 4_000;

interface AgentMachineOptions {
  readonly index: number;
  /** Its host list. */
  readonly host: string;
  /** With which it enrols. */
  readonly token?: string;
  /** Another machine, whose files this one is given. */
  readonly copied?: AgentMachine;
}

/** A hypervisor: its disk and clock stay when its agent's process ends. */
export class AgentMachine {
  readonly name: string;
  readonly guid: string;
  readonly address: string;
  readonly clock: MachineClock;
  readonly disk: SimulatedDisk;
  process: SimulatedProcess | undefined;
  agent: Agent | undefined;
  /** It was taken away for good. */
  isGone = false;
  readonly #simulation: Simulation;
  readonly #random: Random;
  #trust: SimulatedTrust | undefined;
  /** Its own certificate, while it has that of another machine. */
  #own: string | undefined;
  /** The server whose packet it has read last. */
  heard: string | undefined;
  /** Connections of the present process, the last one last. */
  readonly ends = new Set<SimulatedEnd>();

  constructor(simulation: Simulation, { index, host, token, copied }: AgentMachineOptions) {
    this.#simulation = simulation;
    this.name = `agent-${index + 1}`;
    this.guid = copied?.guid ?? `guid-${index + 1}`;
    this.address = `198.51.100.${index + 1}`;
    this.#random = simulation.world.random(this.name);
    this.clock = new MachineClock(simulation.world.random(`${this.name} clocks`));
    this.disk = new SimulatedDisk(this.#random);
    if (copied === undefined) {
      const enrolment = token === undefined ? '' : `enrollment.token=${token}\n`;
      this.disk.put(AGENT_FILE, `# of an operator\nguid=${this.guid}\nhost=${host}\nport=${AGENT_PORT}\n${enrolment}`);
    } else {
      this.disk.copyOf(copied.disk);
      this.#own = copied.#own;
    }
    simulation.invariants.fileGiven(this);
    this.disk.onChange = () => simulation.invariants.fileChanged(this);
  }

  get isRunning(): boolean {
    return this.process?.isAlive ?? false;
  }

  /** The host of its Ready link. */
  get host(): string | undefined {
    return this.isRunning && this.agent !== undefined ? readyLink(this.agent.state)?.host : undefined;
  }

  start(): void {
    const { world, transcript } = this.#simulation;
    const process = new SimulatedProcess(this.name, world, this.clock);
    this.process = process;
    this.agent = undefined;
    this.ends.clear();
    transcript.add(this.name, 'starts');
    this.#open(process).catch(error => this.#simulation.fail(`${this.name} cannot start: ${String(error)}`));
  }

  async #open(process: SimulatedProcess): Promise<void> {
    const { transcript } = this.#simulation;
    const log = transcript.logOf(this.name);
    const disk = this.disk.for(process);
    const { clock } = process;
    const { document, error } = await readProperties(AGENT_FILE, disk);
    if (error !== undefined) throw error;
    const settings = readSettings(key => document.get(key));
    const trust = new SimulatedTrust(AGENT_FILE, this.guid, disk, settings.enrolmentToken);
    await trust.load();
    this.#trust = trust;
    const { agent } = await composeAgent({
      ...{ file: AGENT_FILE, document, disk, settings, trust, clock, log },
      guid: settings.guid ?? 'lost',
      resource: this.#resource(process),
      dialer: this.#dialer(process),
      random: this.#random,
    });
    this.agent = agent;
    agent.events.on('ready', ({ host }) => {
      transcript.add(this.name, `Ready on ${host}`);
      this.#simulation.invariants.agentReady(this, host);
    });
    agent.events.on('moved', ({ from, to }) => {
      transcript.add(this.name, `moved from ${from} to ${to}`);
      this.#simulation.invariants.agentReady(this, to);
    });
    agent.events.on('lost', ({ host, reason }) => {
      transcript.add(this.name, `lost ${host}: ${reason}`);
      this.#simulation.invariants.agentLost(this, host, reason);
    });
    agent.start();
  }

  /** What its file has. */
  get certificate(): HostCertificate | undefined {
    const text = this.disk.text(CERTIFICATE_PATH);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** An operator gives it a token, and has it read that. */
  giveToken(token: string): void {
    this.#trust?.takeToken(token);
  }

  /** Its host was removed, and it stays away. */
  get isIdle(): boolean {
    return this.isRunning && this.agent?.state.phase.kind === 'idle';
  }

  /** An operator registers it anew: with a zone in its file, and a token. */
  bringBack(token: string): void {
    this.kill(false);
    const kept = (this.disk.text(AGENT_FILE) ?? '')
      .split('\n')
      .filter(line => !/^(zone|pod|cluster|enrollment\.token)=/.test(line));
    this.disk.put(AGENT_FILE, [...kept.slice(0, -1), `enrollment.token=${token}`, ''].join('\n'));
    this.revive();
  }

  /** Somebody copies the certificate of another machine to this one, and restarts the agent. */
  mixUp(other: AgentMachine): void {
    const theirs = other.disk.text(CERTIFICATE_PATH);
    if (theirs === undefined || this.isGone) return;
    this.#own ??= this.disk.text(CERTIFICATE_PATH);
    this.kill(false);
    this.disk.put(CERTIFICATE_PATH, theirs);
    this.revive();
  }

  /** And puts it right again. */
  setRight(): void {
    if (this.#own === undefined || this.isGone) return;
    this.kill(false);
    this.disk.put(CERTIFICATE_PATH, this.#own);
    this.#own = undefined;
    this.revive();
  }

  kill(isPowerCut: boolean): void {
    if (this.#simulation.endProcess(this, isPowerCut) && isPowerCut) this.disk.powerCut();
  }

  /** The machine is taken away for good. */
  async takeAway(how: 'stop' | 'kill' | 'power-cut'): Promise<void> {
    this.isGone = true;
    if (how === 'stop') await this.#simulation.stopAgent(this);
    this.kill(how === 'power-cut');
    this.#simulation.network.machineIsDown(this.address);
  }

  /** The machine is on again, and the agent runs. */
  revive(): void {
    if (this.isRunning || this.isGone) return;
    this.#simulation.network.machineIsUp(this.address);
    this.start();
  }

  async stop(): Promise<void> {
    await this.agent?.stop();
  }

  #resource(process: SimulatedProcess) {
    const { ledger, invariants } = this.#simulation;
    return defineResource({
      name: RESOURCE,
      startup: () => ({ name: this.name, privateIpAddress: this.address }),
      commands: {
        [COUNT]: async ({ token }, { id, signal }) => {
          const text = String(token);
          if (id !== undefined) invariants.commandBegins(this, id);
          ledger.began(`${text} ${this.guid}`, this.name);
          await delay(process.clock, this.#random.uniform() * LONGEST_COMMAND_MS, signal);
          signal.throwIfAborted();
          ledger.ended(`${text} ${this.guid}`);
          return { result: true, token: text };
        },
      },
    });
  }

  #dialer(process: SimulatedProcess): Dialer {
    const { network } = this.#simulation;
    const { ends } = this;
    return {
      addresses: async host => [host],
      connect: async (address, port, signal) => {
        this.#simulation.invariants.agentDials(this, address);
        const end = await network.dial(process, this.address, address, port, signal);
        ends.add(end);
        end.onPacket = () => {
          this.heard = address;
        };
        this.#simulation.invariants.agentConnects(this, address);
        return {
          remote: end.remote,
          async secure({ context, clock, handshakeTimeoutMs }) {
            if (!(context instanceof SimulatedContext)) throw new TypeError('not a context of this simulation');
            if (context.isLook) ends.delete(end);
            await end.secure(context.hello, { clock: clock ?? process.clock, handshakeTimeoutMs });
            return end;
          },
          isUnacknowledged: async () => end.isUnacknowledged(),
          destroy: () => end.destroy(),
        };
      },
    };
  }
}
