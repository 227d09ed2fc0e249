import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Agent,
  AgentProperties,
  builtInResource,
  type Log,
  readSettings,
  readyLink,
  silentLog,
  systemClock,
  systemRandom,
  Trust,
  tcpDialer,
} from '../../../src/agent/index.js';
import { parseProperties } from '../../../src/lib/files/properties.js';
import { ADDRESSES } from './servers.js';

const machine = builtInResource('LibvirtComputingResource');

/** Agents in this process, each with its own files. */
export class Agents {
  readonly all: WatchedAgent[] = [];
  readonly #folder: string;
  readonly #port: number;

  /** @param port of all management servers */
  constructor(folder: string, port: number) {
    this.#folder = join(folder, 'agents');
    this.#port = port;
  }

  /** One that has not been started, and that no server knows. @param token by which it enrols */
  async add(token: string): Promise<WatchedAgent> {
    const name = `agent-${this.all.length + 1}`;
    const home = join(this.#folder, name);
    await mkdir(home, { recursive: true });
    // Each starts with another server of the list.
    const first = this.all.length % ADDRESSES.length;
    const hosts = [...ADDRESSES.slice(first), ...ADDRESSES.slice(0, first)];
    const text = `host=${hosts}\nport=${this.#port}\nenrollment.token=${token}\n`;
    const agent = new WatchedAgent(name, home, text);
    this.all.push(agent);
    return agent;
  }

  /** Those that are Ready on this server. */
  on(address: string): WatchedAgent[] {
    return this.all.filter(({ host }) => host === address);
  }

  get areAllHome(): boolean {
    return this.all.every(({ isHome }) => isHome);
  }

  get linksLost(): number {
    return this.all.reduce((sum, { linksLost }) => sum + linksLost, 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map(agent => agent.stop()));
  }
}

/** An agent whose lost links are counted. */
export class WatchedAgent {
  readonly name: string;
  linksLost = 0;
  readonly #agent: Agent;
  readonly #properties: AgentProperties;

  constructor(name: string, home: string, text: string) {
    this.name = name;
    const file = join(home, 'agent.properties');
    this.#properties = new AgentProperties(file, parseProperties(text), systemClock, silentLog);
    const log: Log = {
      ...silentLog,
      warn: message => {
        if (message.startsWith('Lost connection')) this.linksLost++;
      },
    };
    const settings = readSettings(key => this.#properties.get(key));
    this.#agent = new Agent({
      settings,
      properties: this.#properties,
      guid: name,
      // One machine has one host name: each agent reports a name of its own.
      resource: { ...machine, startup: async () => ({ ...(await machine.startup()), name }) },
      trust: new Trust({ folder: home, clock: systemClock, log: silentLog, token: settings.enrolmentToken }),
      dialer: tcpDialer(),
      clock: systemClock,
      random: systemRandom,
      log,
    });
  }

  start(): void {
    this.#agent.start();
  }

  stop(): Promise<void> {
    return this.#agent.stop();
  }

  /** The server that it has a Ready link with. */
  get host(): string | undefined {
    return readyLink(this.#agent.state)?.host;
  }

  /** It is on its preferred host, and on no way to another. */
  get isHome(): boolean {
    const { phase, list } = this.#agent.state;
    return phase.kind === 'up' && phase.link.host === list.hosts[0];
  }

  /** The host id that it was told. */
  get hostId(): number {
    return Number(this.#properties.get(`${machine.name}.id`));
  }
}
